"""A snapshot published into both stores reads the same in every relation and view."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from auditor.errors import UsageError
from auditor.metrics import figures
from auditor.model import bucket_of
from auditor.report import summary
from auditor.store import open_store, sql
from auditor.store.folder.index import read_file
from auditor.store.folder.store import FolderStore
from auditor.store.postgres.store import PostgresStore
from auditor.tables import KEYS
from tests.builders import report_lake
from tests.builders.store_lake import ACME
from tests.unit.metrics import test_figures
from tests.unit.store import test_views_for_bi, test_views_latest

LAKES = [
    report_lake.two_nights,
    test_views_latest.two_nights,
    test_views_for_bi.three_nights,
]


def copy_snapshots(lake: FolderStore, store: PostgresStore) -> None:
    """Publish every snapshot of a folder into a database."""
    for entry in lake.index().entries:
        with store.publishing(0.0) as publication:
            publication.stage(entry.snapshot_id)
            for relation in [name for name in KEYS if name != "snapshot"]:
                tables = [read_file(Path(p)) for p in entry.paths(lake.root, relation)]
                if tables:
                    for bucket, part in split(pa.concat_tables(tables), store.buckets):
                        publication.write(relation, bucket, part)
            publication.commit(lake.snapshot(entry.snapshot_id), "c")
    if (attempts := lake.arrow("attempt")).num_rows:
        store.record_attempts(attempts)


def split(table: pa.Table, buckets: int) -> list[tuple[int, pa.Table]]:
    """Return the rows of each bucket."""
    named = "customer_id" in table.column_names
    customers = table.column("customer_id").to_pylist() if named else [""] * table.num_rows
    of = [bucket_of(customer_id, buckets) for customer_id in customers]
    return [
        (bucket, table.filter(pa.array([one == bucket for one in of], pa.bool_())))
        for bucket in sorted(set(of))
    ]


def rows(found: pa.Table) -> list[Any]:  # of any columns
    """Return rows in a form that two stores share; `hours_since_complete` counts to the present."""
    names = [name for name in found.column_names if name != "hours_since_complete"]
    return sorted((sorted(row.items()) for row in found.select(names).to_pylist()), key=repr)


@pytest.mark.parametrize("make", [*LAKES, test_views_for_bi.run_days])
def test_every_relation_and_view_has_the_same_rows(
    make: Callable[[Path], FolderStore], tmp_path: Path, postgres_store: PostgresStore
) -> None:
    lake = make(tmp_path)
    copy_snapshots(lake, postgres_store)

    for name in (*sql.BASE, *sql.VIEWS):
        expected = lake.arrow(name)
        assert rows(postgres_store.arrow(name)) == rows(expected), name
        in_sql = postgres_store.sql(f"SELECT * FROM {name}")
        assert in_sql.column_names == expected.column_names, name
        assert rows(in_sql) == rows(expected), name


@pytest.mark.parametrize("make", LAKES)
def test_every_query_has_the_same_result(
    make: Callable[[Path], FolderStore], tmp_path: Path, postgres_store: PostgresStore
) -> None:
    lake = make(tmp_path)
    copy_snapshots(lake, postgres_store)

    ids = lake.published()
    for store in (lake, postgres_store):
        assert store.published() == ids
        assert store.last_published_at() == lake.last_published_at()
        assert store.snapshot("latest") == lake.snapshot("latest")
        assert store.find_customer("acme.example") == ACME
    assert postgres_store.arrow("latest_inventory", customer="Acme") == lake.arrow(
        "latest_inventory", customer="Acme"
    )
    week = {"since": date(2026, 11, 1), "region": "japanwest", "partner": "contoso-eu"}
    pair = {"between": (ids[0], ids[-1])}
    for asked in ({}, pair, {"snapshot": ids[1], "customer": "Acme"}, week):
        assert rows(postgres_store.changes(**asked)) == rows(lake.changes(**asked))
        assert rows(postgres_store.causes(**asked)) == rows(lake.causes(**asked))
    for name in ids:
        after_a_run = summary.read(postgres_store, [name], brief=True)
        assert after_a_run == summary.read(lake, [name], brief=True)
    cells = lake.arrow("coverage").select(["partner_tenant_id", "customer_id", "country"])
    for before in (ids[0], "unknown"):
        asking = cells.append_column("before_snapshot_id", pa.repeat(before, cells.num_rows))
        assert rows(postgres_store.gaps(asking)) == rows(lake.gaps(asking))
    for partner in lake.arrow("dim_partner").column("partner_tenant_id").to_pylist():
        assert rows(postgres_store.latest_cells(partner)) == rows(lake.latest_cells(partner))


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM change",
        "WITH gone AS (DELETE FROM change RETURNING 1) SELECT * FROM gone",
        "SELECT 1; DELETE FROM change",
        "-- SELECT\nDROP TABLE change CASCADE",
        "SELECT nonsense",
        "SELECT nextval('x')",
        "",
    ],
)
def test_a_statement_can_only_read(query: str, postgres_store: PostgresStore) -> None:
    with pytest.raises(UsageError):
        postgres_store.sql(query)
    assert postgres_store.sql("SELECT count(*) AS n FROM change").to_pylist() == [{"n": 0}]


def test_a_url_opens_a_database(store_url: str) -> None:
    assert isinstance(open_store(store_url), PostgresStore)


def test_a_setting_of_a_statement_does_not_reach_the_next(postgres_store: PostgresStore) -> None:
    shown = "SELECT current_setting('statement_timeout') AS now"
    before = postgres_store.sql(shown).to_pylist()

    postgres_store.sql("SELECT set_config('statement_timeout', '12345', false)")
    assert postgres_store.sql(shown).to_pylist() == before


def test_the_metrics_have_the_same_values(tmp_path: Path, postgres_store: PostgresStore) -> None:
    lake = test_figures.lake(tmp_path)
    copy_snapshots(lake, postgres_store)
    assert figures.of_store(postgres_store) == figures.of_store(lake)
