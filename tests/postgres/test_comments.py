"""The database holds the meaning of each column, for other tools."""

from collections.abc import Callable

import psycopg
import pytest

from auditor.store import comments, sql
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from tests.builders.database_logins import as_superuser, reader

_ASKED = """
    SELECT c.relname, a.attname, col_description(c.oid, a.attnum)
    FROM pg_class AS c
    INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace
"""


def test_every_column_of_every_view_has_its_comment(store_url: str) -> None:
    """Read as a reader, who sees only the views."""
    with psycopg.connect(reader(store_url)) as con:
        found = con.execute(_ASKED).fetchall()

    assert {view for view, _, _ in found} == {"store_info", *sql.BASE, *sql.VIEWS}
    for view, column, description in found:
        assert description == comments.comment(view, column), (view, column)


def test_every_view_has_its_comment(store_url: str) -> None:
    query = (
        "SELECT relname, obj_description(oid, 'pg_class') FROM pg_class"
        " WHERE relkind = 'v' AND relnamespace = 'public'::regnamespace"
    )
    with psycopg.connect(reader(store_url)) as con:
        found = con.execute(query).fetchall()
    names = ("store_info", *sql.BASE, *sql.VIEWS)
    assert sorted(found) == sorted((name, comments.of_view(name)) for name in names)


@pytest.mark.parametrize("views", ["public", "of Ours"])
def test_only_our_own_views_get_comments(new_database: Callable[[], str], views: str) -> None:
    """Also with another owner's view in the schema, and in a schema with another name."""
    url = new_database()
    with as_superuser(url) as con:
        con.execute(f'CREATE SCHEMA IF NOT EXISTS "{views}"'.encode())
        con.execute(f'CREATE VIEW "{views}".theirs AS SELECT 1 AS verdict'.encode())
        name = con.info.dbname
        con.execute(f'ALTER DATABASE {name} SET search_path = "{views}"'.encode())
    schema.upgrade(Database(url))

    with as_superuser(url) as con:
        query = "SELECT col_description(%s::regclass, 1)"
        theirs = con.execute(query, (f'"{views}".theirs',)).fetchone()
        ours = con.execute(query, (f'"{views}".store_info',)).fetchone()
    assert theirs == (None,)
    assert ours == (comments.comment("store_info", "buckets"),)
