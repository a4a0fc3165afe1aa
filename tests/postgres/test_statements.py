"""`sql` on a database only reads, whatever the statement (S6)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import make_url

from auditor.errors import UsageError
from auditor.store import open_store
from auditor.store.postgres.store import PostgresStore
from auditor.store.postgres.tables import SCHEMA
from tests.builders import report_lake
from tests.builders.database_logins import as_superuser
from tests.postgres.test_both_stores import copy_snapshots

WRITES = (
    "DELETE FROM {change} RETURNING 1",
    "INSERT INTO {change} SELECT * FROM {change} RETURNING 1",
    "UPDATE {change} SET kind = 'x' RETURNING 1",
    "TRUNCATE {change}",
    "CREATE TABLE made (a integer)",
    "CREATE TEMP TABLE made AS SELECT 1",
    "COPY (SELECT 1) TO '{folder}/made'",
    "COPY (SELECT 1) TO PROGRAM 'touch {folder}/made'",
    "COPY {change} FROM '/etc/passwd'",
    "MERGE INTO {change} USING {change} AS c ON true WHEN MATCHED THEN DELETE",
)
PLACES = (
    "{write}",
    "  -- SELECT\n{write}",
    "WITH x AS ({write}) SELECT * FROM x",
    "with X as ( {write} ) TABLE X",
    "WITH a AS (SELECT 1), x AS MATERIALIZED ({write}) SELECT 1 FROM a",
    "SELECT * FROM (WITH x AS ({write}) SELECT * FROM x) AS y",
    "SELECT 1 UNION ALL (WITH x AS ({write}) SELECT 1 FROM x)",
    "VALUES ((WITH x AS ({write}) SELECT 1 FROM x))",
    "SELECT 1; {write}",
    "SELECT 1; COMMIT; {write}",
    "COMMIT; {write}; BEGIN",
    "SET TRANSACTION READ WRITE; {write}",
    "BEGIN; {write}; COMMIT",
    "EXPLAIN ANALYZE {write}",
    "EXPLAIN (ANALYZE, FORMAT json) WITH x AS ({write}) SELECT 1",
    "PREPARE p AS {write}",
    "DO $$ BEGIN {write}; END $$",
    "SELECT query_to_xml($q${write}$q$, true, true, '')",
    "DECLARE c CURSOR FOR WITH x AS ({write}) SELECT 1",
    "CREATE VIEW made AS WITH x AS ({write}) SELECT 1",
)
STATEMENTS = (
    "SELECT lo_export(1, '{folder}/made')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT set_config('transaction_read_only', 'off', false)",
    "SELECT set_config('transaction_read_only', 'off', true)",
    "WITH x AS (SELECT set_config('transaction_read_only', 'off', true)) SELECT * FROM x",
    "SELECT 1 INTO made",
    "SELECT * FROM {change} FOR UPDATE",
    "SELECT setval('made', 1)",
    "SELECT dblink('x', 'y')",
    "SELECT pg_switch_wal()",
    "SELECT pg_reload_conf()",
    "SELECT * FROM pg_authid",
    "SELECT 1/0",
    "SELECT 'x'::integer",
    "SELECT repeat('x', 2000000000)",
    "SELECT '\ud800'",
    "SELECT 1\0; DROP TABLE x",
    "SELECT $1",
    "ROLLBACK",
    "COMMIT AND CHAIN",
    "COMMIT PREPARED 'x'",
    "SET ROLE auditor_owner",
    "RESET ALL",
    "DISCARD ALL",
    "CALL x()",
    "LISTEN x",
    "LOCK TABLE {change}",
    "VACUUM",
    "GRANT ALL ON {change} TO PUBLIC",
    "",
)


@pytest.fixture
def kept(tmp_path: Path, store_url: str, postgres_store: PostgresStore) -> Iterator[Path]:
    """Give a folder for files that must not be made; fail if a row or an object changes."""
    lake = report_lake.two_nights(tmp_path)
    copy_snapshots(lake, postgres_store)
    folder = tmp_path / "folder"
    folder.mkdir()
    before = contents(store_url)

    yield folder
    assert contents(store_url) == before
    assert not list(folder.iterdir())


def contents(url: str) -> list[tuple[str, str]]:
    """Return every table of a database with its rows, and every other object."""
    tables = (
        "SELECT oid::regclass::text, md5(query_to_xml('TABLE ' || oid::regclass, true, true, '')"
        "::text) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace::regnamespace::text"
        f" IN ('public', 'auditor', '{SCHEMA}') ORDER BY 1"
    )
    others = "SELECT oid::text, relname::text FROM pg_class ORDER BY oid"
    large = "SELECT oid::text, '' FROM pg_largeobject_metadata ORDER BY oid"
    with as_superuser(url) as con:
        return [row for query in (tables, others, large) for row in con.execute(query.encode())]


def everything(folder: Path) -> list[str]:
    statements = [place.replace("{write}", write) for place in PLACES for write in WRITES]
    return [
        one.replace("{change}", change).replace("{folder}", str(folder))
        for one in (*statements, *STATEMENTS)
        for change in ("change", f"{SCHEMA}.change")
        if "{change}" in one or change == "change"
    ]


def test_a_statement_that_writes_is_refused(kept: Path, postgres_store: PostgresStore) -> None:
    asked = everything(kept)
    assert len(asked) > 250
    for statement in asked:
        with pytest.raises(UsageError) as caught:
            postgres_store.sql(statement)
        assert caught.value.exit_status == 64, statement
        assert "\n" not in caught.value.message, statement
        assert caught.value.hint, statement


@pytest.mark.usefixtures("kept")
def test_even_a_superuser_changes_nothing(store_url: str, tmp_path: Path) -> None:
    """In a read-only transaction the server refuses writes, whatever the role's privileges."""
    url = make_url(store_url).set(username="auditor", query={"allow_superuser": "yes"})
    store = open_store(url.render_as_string(hide_password=False))
    for place in PLACES:
        for write in WRITES:
            change = f"{SCHEMA}.change"
            asked = place.replace("{write}", write).replace("{change}", change)
            with pytest.raises(UsageError):
                store.sql(asked.replace("{folder}", str(tmp_path / "folder")))


@pytest.mark.usefixtures("kept")
def test_what_a_function_does_is_rolled_back(postgres_store: PostgresStore) -> None:
    for statement in ("SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')"):
        postgres_store.sql(statement)


def test_a_lock_that_a_statement_takes_is_released(postgres_store: PostgresStore) -> None:
    postgres_store.sql("SELECT pg_advisory_lock(7)")
    held = postgres_store.sql("SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory'")
    assert held.to_pylist() == [{"n": 0}]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 'COPY x TO y; DELETE FROM change' AS \"copy\"",
        "-- DELETE\nSELECT 1",
        "(SELECT 1)",
        "SELECT 1;",
        "TABLE snapshot",
        "VALUES (1), (2)",
        "WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 5) TABLE n",
        "SELECT row_number() OVER (ORDER BY snapshot_id) FROM snapshot",
        "SELECT 1 UNION SELECT 2",
    ],
)
def test_a_read_only_statement_is_answered(statement: str, postgres_store: PostgresStore) -> None:
    assert postgres_store.sql(statement).num_columns
