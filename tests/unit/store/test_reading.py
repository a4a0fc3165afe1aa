"""Reading a folder store: by the library, by read-only SQL, and by any tool that opens Parquet."""

from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from auditor.errors import InputMissing, SettingsError, StoreCorrupt, UsageError
from auditor.model import bucket_of
from auditor.store import open_store, reading, sql
from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS, SCHEMAS
from tests.builders.store_lake import (
    ACME,
    BOND,
    COHO,
    P,
    Q,
    at,
    client,
    cover,
    listed,
    make,
    publish,
    stock,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """The lake for tests that only read."""
    return two_partners(tmp_path_factory.mktemp("read"))


@pytest.fixture
def fresh(tmp_path: Path) -> FolderStore:
    """A copy of the lake for a test that changes it."""
    return two_partners(tmp_path)


def two_partners(folder: Path) -> FolderStore:
    """Return a lake where the newest snapshot of the first partner is for one customer only."""
    lake = make(folder)
    first = {
        "coverage": [
            *(cover(one, country) for one in (ACME, BOND) for country in ("", "DE")),
            cover("", "DE"),
        ],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
        "inventory": [
            stock(ACME, "0011", "restricted", at(1)),
            stock(BOND, "0011", "unrestricted", at(1)),
            stock(BOND, "00E1", "unrestricted", at(1)),
        ],
        "sku": [listed("0011"), listed("00E1")],
    }
    publish(lake, "20261101T020000Z-00000a", at(1), first)
    second = {
        "coverage": [cover(COHO, ""), cover(COHO, "DE")],
        "customer": [client(COHO, "Coho")],
        "inventory": [stock(COHO, "0011", "unrestricted", at(1))],
    }
    publish(
        lake,
        "20261101T020000Z-00000b",
        at(1),
        second,
        partner_tenant_id=Q,
        partner_name="contoso-us",
    )
    third = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [stock(ACME, "0011", "unrestricted", at(2))],
    }
    publish(lake, "20261102T020000Z-00000c", at(2), third, kind="partial")
    return lake


def answers(store: FolderStore, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.sql(query).to_pylist()
    return found


@pytest.mark.parametrize(
    "customer", [ACME, ACME.upper(), "acme.example", "Acme", "ACME ", "\uff21cme.example"]
)
def test_a_customer_is_found_by_id_domain_or_exact_name(store: FolderStore, customer: str) -> None:
    frame = store.table("latest_inventory", customer=customer)
    assert frame["customer_id"].tolist() == [ACME]
    assert frame["verdict"].tolist() == ["unrestricted"]
    assert frame["sku_id"].tolist() == ["0011"]


def test_keywords_narrow_the_rows(store: FolderStore) -> None:
    def count(**asked: Any) -> int:  # the keywords of table()
        return len(store.table("latest_inventory", **asked))

    assert count() == 4
    assert count(sku="0011") == 3
    assert count(sku="DZH318Z0BQ3Q:00E1") == 1
    assert count(sku="OTHER:00E1") == 0
    assert count(product="DZH318Z0BQ3Q") == 4
    assert count(partner="contoso-us") == count(partner=Q) == 1
    assert count(country="DE", verdict="unrestricted", customer="Bond") == 2
    assert count(is_stale=False) == 4
    assert count(country=None) == 4


def test_an_unknown_name_is_reported_with_the_valid_ones(store: FolderStore) -> None:
    with pytest.raises(UsageError, match="latest_inventry") as view:
        store.table("latest_inventry")
    assert "latest_inventory" in view.value.hint
    with pytest.raises(UsageError, match="no column 'colour'"):
        store.table("latest_inventory", colour="red")
    with pytest.raises(UsageError, match="no column"):
        store.table("latest_inventory", **{'x" = 1 OR "y': "red"})
    with pytest.raises(UsageError, match="Acmee") as customer:
        store.table("latest_inventory", customer="Acmee")
    assert customer.value.error_code == "E_CUSTOMER_UNKNOWN"
    assert "Acme" in customer.value.hint
    assert store.table("latest_inventory", customer=ACME.replace("1", "9")).empty


def test_values_are_bound_and_never_inserted_into_the_sql(store: FolderStore) -> None:
    """S6."""
    assert store.table("latest_inventory", country="DE' OR 'a'='a").empty


def test_a_name_that_two_customers_share_is_refused(fresh: FolderStore) -> None:
    rows = {"coverage": [cover(BOND, "")], "customer": [client(BOND, "Acme", domain="b.example")]}
    publish(fresh, "20261103T020000Z-00000d", at(3), rows)
    for name in ("Acme", "aCME"):
        for read in (partial(fresh.table, "latest_inventory"), fresh.changes):
            with pytest.raises(UsageError, match="2 customers") as refused:
                read(customer=name)
            assert all(one in refused.value.message for one in (ACME, BOND))


def test_changes_of_an_id_that_no_snapshot_covers_are_refused(fresh: FolderStore) -> None:
    """Of one that has left they are shown."""
    stranger = ACME.replace("1", "9")
    with pytest.raises(UsageError, match=stranger) as refused:
        fresh.changes(customer=stranger)
    assert refused.value.error_code == "E_CUSTOMER_UNKNOWN"
    rows = {"coverage": [cover(BOND, "", status="left"), cover(BOND, "DE", status="left")]}
    publish(fresh, "20261103T020000Z-00000d", at(3), rows)
    assert fresh.changes(customer=BOND.upper()).num_rows == 0


def test_a_customers_rows_are_read_only_from_its_own_bucket(store: FolderStore) -> None:
    with store.connect(customer_id=ACME) as con:
        paths = con.sql("SELECT getvariable('inventory_files')").fetchall()[0][0]
    with store.connect() as con:
        every = con.sql("SELECT getvariable('inventory_files')").fetchall()[0][0]
    assert len(paths) < len(every)


def test_every_relation_and_view_can_be_read(store: FolderStore) -> None:
    for name in (*sql.BASE, *sql.VIEWS):
        found = store.arrow(name)
        assert found.num_columns
        assert not any(pa.types.is_decimal(field.type) for field in found.schema), name
    for name in set(KEYS) - {"remembered"}:
        assert store.arrow(name).column_names == SCHEMAS[name].names


def test_views_use_only_sql_that_both_engines_accept() -> None:
    """Postgres must accept every view that a view of the contract uses."""
    for name in sql.VIEWS:
        text = sql.statement(f"views/{name}").upper()
        assert text.lstrip().startswith("--"), name
        assert text.count("CREATE VIEW") == 1, name
        for word in ("READ_PARQUET", "QUALIFY", "EXCLUDE", "GETVARIABLE", "::", "JSON", "FILTER ("):
            assert word not in text, (name, word)


def test_an_empty_store_has_every_column(tmp_path: Path) -> None:
    lake = make(tmp_path)
    assert lake.table("latest_inventory").empty
    assert "inventory_key" in lake.table("latest_inventory").columns
    assert lake.changes().num_rows == 0
    with pytest.raises(InputMissing):
        lake.snapshot("latest")


def test_a_snapshot_is_found_by_an_unambiguous_beginning_of_its_id(store: FolderStore) -> None:
    assert store.snapshot_id("20261102") == "20261102T020000Z-00000c"
    assert store.snapshot_id("latest") == "20261102T020000Z-00000c"
    with pytest.raises(UsageError, match="2 ids begin with it"):
        store.snapshot_id("20261101")
    for name in ("", "2027", "%", "*"):
        with pytest.raises(InputMissing):
            store.snapshot_id(name)
    assert store.snapshots().column("sequence").to_pylist() == [1, 2, 3]


def test_a_statement_reads_relations_and_views(store: FolderStore) -> None:
    assert answers(store, "SELECT count(*) AS n FROM latest_inventory;") == [{"n": 4}]
    query = "WITH a AS (FROM snapshot) SELECT max(sequence) AS n FROM a -- the newest"
    assert answers(store, query) == [{"n": 3}]
    assert answers(store, "DESCRIBE latest_inventory")
    assert answers(store, "EXPLAIN SELECT * FROM sku")
    assert answers(store, "EXPLAIN ANALYZE SELECT * FROM sku")
    assert {"latest_inventory", "sku"} <= {row["name"] for row in answers(store, "SHOW TABLES")}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT 1; SELECT 2",
        "SELEC 1",
        "SELECT * FROM nothing_here",
        "COPY (SELECT 1) TO '{lake}/x.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
        "EXPLAIN EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
        "/* */ EXPLAIN ANALYZE COPY (SELECT 1) TO '{lake}/x.csv'",
        "EXPLAIN (ANALYZE) COPY (SELECT 1) TO '{lake}/x.csv'",
        "EXPORT DATABASE '{lake}/x'",
        "ATTACH '{lake}/x.db' AS other",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "SET VARIABLE inventory_files = ['/etc/passwd']",
        "PRAGMA database_list",
        "CALL pragma_version()",
        "CREATE TABLE t (a INT)",
        "CREATE OR REPLACE VIEW sku AS SELECT 1",
        "DROP VIEW sku",
        "DELETE FROM snapshot",
        "CHECKPOINT",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM read_text('{lake}/../outside.txt')",
        "SELECT * FROM parquet_metadata('/etc/passwd')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM read_text('http://127.0.0.1:9/x')",
        "SELECT getenv('HOME')",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{lake}/x.csv''')",
        "SELECT * FROM local_frame",
        "SELECT * FROM read_text('{lake}/planted.txt')",
        "SELECT * FROM read_text('{lake}/.staging/../../outside.txt')",
        "SELECT * FROM glob('{lake}/../*')",
        "SELECT * FROM read_text('/proc/self/environ')",
        "SELECT * FROM read_csv('/dev/stdin')",
        "SELECT * FROM read_json_auto('/etc/passwd')",
        "SELECT * FROM parquet_kv_metadata('/etc/passwd')",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT * FROM enable_logging(storage='file', storage_path='{lake}/log')",
        "FROM json_execute_serialized_sql(json_serialize_sql('FROM read_text(''/etc/passwd'')'))",
        "WITH x AS (DELETE FROM snapshot RETURNING *) SELECT * FROM x",
        "COPY (SELECT 1) TO '/dev/stdout'",
        "COPY snapshot FROM '/etc/passwd'",
        "IMPORT DATABASE '{lake}'",
        "UPDATE EXTENSIONS",
        "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
        "PREPARE p AS SELECT 1",
        "BEGIN",
    ],
)
def test_a_statement_can_only_read_and_only_this_store(store: FolderStore, query: str) -> None:
    """S6. A Python variable is not a table either."""
    local_frame = pd.DataFrame({"a": [1]})
    (store.root.parent / "outside.txt").write_text("secret")
    planted = store.root / "planted.txt"
    planted.unlink(missing_ok=True)
    planted.symlink_to(store.root.parent / "outside.txt")
    before = sorted(store.root.rglob("*"))
    with pytest.raises(UsageError) as caught:
        store.sql(query.format(lake=store.root))
    assert "\n" not in caught.value.message
    assert caught.value.exit_status == 64
    assert sorted(store.root.rglob("*")) == before
    assert len(local_frame) == 1


@pytest.mark.parametrize("name", ["a [b] *c?", "it's", "ünï", "{x}", "a%20b", "p=1"])
def test_a_store_works_under_any_folder_name(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    lake = make(folder)
    rows = {"coverage": [cover(ACME, "DE")], "inventory": [stock(ACME, "1", "restricted", at(1))]}
    publish(lake, "s1", at(1), rows)
    assert len(lake.table("latest_inventory")) == 1
    assert answers(lake, "SELECT count(*) AS n FROM latest_inventory") == [{"n": 1}]


def test_a_relative_folder_is_found_after_a_change_of_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path)
    monkeypatch.chdir(tmp_path)
    lake = open_store("./lake")
    monkeypatch.chdir("/")
    assert lake.table("snapshot").empty
    assert open_store(f"file://{tmp_path}/lake").table("snapshot").empty


def test_an_unknown_kind_of_store_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="no store for gs") as caught:
        open_store("gs://key:hunter2@bucket/lake")
    assert "hunter2" not in caught.value.message
    assert caught.value.exit_status == 78


def test_a_reader_keeps_seeing_the_snapshots_it_opened(fresh: FolderStore) -> None:
    """P10: it sees no part of a snapshot that is published meanwhile."""
    with fresh.connect() as con:
        rows = {"coverage": [cover(ACME, "DE")]}
        publish(fresh, "20261103T020000Z-00000d", at(3), rows)
        assert con.sql("SELECT count(*) FROM snapshot").fetchall() == [(3,)]
        assert con.sql("SELECT count(*) FROM latest_inventory").fetchall() == [(4,)]
    assert len(fresh.table("snapshot")) == 4
    assert len(fresh.table("latest_inventory")) == 3


def test_reading_writes_nothing(store: FolderStore) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.root.rglob("*")}
    again = open_store(str(store.root))
    again.table("latest_inventory")
    again.sql("SELECT 1")
    assert {path: path.stat().st_mtime_ns for path in store.root.rglob("*")} == before


def test_a_damaged_file_is_an_error_of_the_store(fresh: FolderStore) -> None:
    for path in fresh.root.glob("snapshot=*/inventory/*.parquet"):
        path.write_bytes(b"nothing")
    with pytest.raises(StoreCorrupt):
        fresh.table("latest_inventory")
    with pytest.raises(StoreCorrupt):
        fresh.known("inventory", bucket_of(ACME, fresh.buckets), P)


def test_any_tool_reads_the_inventory_with_ids_intact(store: FolderStore) -> None:
    """P28, S10."""
    pattern = f"{store.root}/snapshot=*/inventory/*.parquet"
    with duckdb.connect() as con:
        found = con.execute(f"SELECT DISTINCT sku_id FROM '{pattern}' ORDER BY 1").fetchall()
    assert found == [("0011",), ("00E1",)]
    paths = sorted(str(path) for path in store.root.glob("snapshot=*/inventory/*.parquet"))
    frames = pd.concat([pd.read_parquet(path) for path in paths])
    assert sorted(set(frames["sku_id"].astype(str))) == ["0011", "00E1"]
    arrow = ds.dataset(paths).to_table()
    assert set(arrow.column("sku_id").to_pylist()) == {"0011", "00E1"}
    whole = ds.dataset(store.root, exclude_invalid_files=True, partitioning="hive")
    assert "snapshot_id" in whole.schema.names


def test_files_are_sorted_dictionary_coded_and_checksummed(store: FolderStore) -> None:
    for path in store.root.glob("snapshot=*/inventory/*.parquet"):
        file = pq.ParquetFile(path)
        assert file.schema_arrow.equals(SCHEMAS["inventory"])
        rows = file.read().select(KEYS["inventory"]).to_pylist()
        assert rows == sorted(rows, key=lambda row: tuple(row.values()))
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize(
    "message",
    [
        'IO Error: No files found that match the pattern "snapshot=s1/inventory/00.parquet"',
        'IO Error: Cannot open file "snapshot=s1/inventory/00.parquet": No such file or directory',
    ],
)
@pytest.mark.parametrize("is_users_sql", [True, False])
def test_a_file_removed_by_a_prune_is_no_query_error(message: str, *, is_users_sql: bool) -> None:
    """P10: removed before the statement lists the files, or between listing and opening."""
    assert isinstance(
        reading.translated(duckdb.IOException(message), is_users_sql=is_users_sql), reading.FileGone
    )
    other = duckdb.IOException("IO Error: Could not read from file: Input/output error")
    assert not isinstance(reading.translated(other, is_users_sql=is_users_sql), reading.FileGone)
