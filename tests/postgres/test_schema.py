"""The schema of a PostgreSQL store: its upgrade, and which versions can use it."""

import threading
from collections.abc import Callable

import pyarrow as pa
import pytest
from sqlalchemy import text

from auditor.database_url import ALLOW_SUPERUSER
from auditor.errors import AuditorError, SettingsError, StoreTooNew, StoreTooOld
from auditor.store import open_store, sql
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.tables import SCHEMAS

ALL = tuple(name for _, name in sql.schema_steps())


@pytest.fixture
def database(new_database: Callable[[], str]) -> Database:
    return Database(new_database())


def described(database: Database) -> list[tuple[object, ...]]:
    """Return all parts of a schema: columns, constraints, indexes, views, privileges."""
    ours = "IN ('public'::regnamespace, 'auditor_tables'::regnamespace)"
    queries = (
        (
            "SELECT table_schema, table_name, column_name, ordinal_position, data_type,"
            " is_nullable, collation_name, column_default FROM information_schema.columns"
            " WHERE table_schema IN ('public', 'auditor_tables')"
        ),
        (
            "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
            f" WHERE connamespace {ours}"
        ),
        "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'auditor_tables'",
        (
            "SELECT relname, relkind, relpersistence, relrowsecurity, relforcerowsecurity,"
            " reloptions, relacl::text, relowner::regrole::text FROM pg_class"
            f" WHERE relnamespace {ours}"
        ),
        f"SELECT proname, prosrc, prosecdef, proconfig FROM pg_proc WHERE pronamespace {ours}",
        "SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies",
        "SELECT schemaname, viewname, definition FROM pg_views WHERE schemaname = 'public'",
        (
            "SELECT attrelid::regclass::text, attname, attacl::text FROM pg_attribute"
            " WHERE attacl IS NOT NULL AND attrelid::regclass::text LIKE 'auditor_tables.%'"
        ),
        "SELECT step, name FROM auditor_tables.schema_step",
    )
    with database.engine.connect() as con:
        return sorted((tuple(row) for q in queries for row in con.execute(text(q))), key=str)


def test_step_by_step_and_at_once_give_the_same_schema(new_database: Callable[[], str]) -> None:
    one, other = Database(new_database()), Database(new_database())
    for step, name in sql.schema_steps():
        assert schema.upgrade(one, until=step) == (name,)
    assert schema.upgrade(other) == ALL

    assert described(one) == described(other)


def test_upgrading_again_changes_nothing(database: Database) -> None:
    schema.upgrade(database)
    before = described(database)

    assert schema.upgrade(database) == ()
    assert described(database) == before


def test_concurrent_upgrades_apply_each_step_once(database: Database) -> None:
    applied: list[tuple[str, ...]] = []
    threads = [
        threading.Thread(target=lambda: applied.append(schema.upgrade(database))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(applied) == [(), (), (), ALL]


def test_the_relations_have_the_columns_of_the_contract(database: Database) -> None:
    """The tables and views in the database are those of `tables.py`."""
    schema.upgrade(database)
    with database.arrow() as con, con.cursor() as cursor:
        for relation, expected in SCHEMAS.items():
            view = "current_remembered" if relation == "remembered" else relation
            cursor.execute(f"SELECT * FROM {view}")
            found = cursor.fetch_arrow_table().schema

            assert found.names == expected.names, relation
            assert [one.type for one in found] == [_plain(one.type) for one in expected], relation


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.string() if pa.types.is_dictionary(kind) else kind


@pytest.mark.parametrize(
    ("step", "error", "code"),
    [(0, StoreTooOld, "E_SCHEMA_OLD"), (schema.NEWEST + 1, StoreTooNew, "E_SCHEMA_NEW")],
)
def test_an_unusable_schema_is_reported_with_a_hint(
    database: Database, step: int, error: type[AuditorError], code: str
) -> None:
    if step:
        schema.upgrade(database)
        with database.engine.begin() as con:
            con.execute(
                text("INSERT INTO auditor_tables.schema_step VALUES (:step, 'later')"),
                {"step": step},
            )

    with pytest.raises(error) as caught, database.engine.connect() as con:
        schema.check(con)
    assert (caught.value.exit_status, caught.value.error_code) == (76, code)
    assert caught.value.hint


def test_a_newer_schema_is_never_downgraded(database: Database) -> None:
    schema.upgrade(database)
    with database.engine.begin() as con:
        con.execute(text("INSERT INTO auditor_tables.schema_step VALUES (99, 'later')"))
    before = described(database)

    with pytest.raises(StoreTooNew):
        schema.upgrade(database)
    assert described(database) == before


def test_only_an_optional_step_may_be_missing(
    database: Database,
) -> None:
    schema.upgrade(database)
    later = schema.NEWEST + 1
    with database.engine.connect() as con:
        schema.check(con, newest=later, oldest=schema.NEWEST)
        with pytest.raises(StoreTooOld, match=f"has schema {schema.NEWEST}, .* needs {later}"):
            schema.check(con, newest=later, oldest=later)


def test_a_server_that_is_too_old_is_reported(database: Database) -> None:
    with pytest.raises(StoreTooOld, match="too old") as caught, database.engine.connect() as con:
        schema.check(con, oldest_server=990000)
    assert (caught.value.exit_status, caught.value.hint) == (76, "upgrade the server")


def test_a_superuser_is_refused_until_the_url_allows_it(new_database: Callable[[], str]) -> None:
    """S15: no policy and no missing privilege restricts a superuser."""
    url = new_database()
    schema.upgrade(Database(url))
    with pytest.raises(SettingsError, match="is a superuser") as caught:
        open_store(url)
    assert caught.value.exit_status == 78
    assert "auditor_writer" in caught.value.hint
    allowed = f"{url}?{ALLOW_SUPERUSER}="
    assert open_store(f"{allowed}yes").published() == ()
    with pytest.raises(SettingsError, match="is a superuser"):
        open_store(f"{allowed}no")
