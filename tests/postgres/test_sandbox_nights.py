"""Whole nights at the sandbox, published into PostgreSQL."""

from pathlib import Path

import msgspec
import pytest

from auditor.sandbox import WorldSize
from auditor.store import open_store, sql
from auditor.store.folder.store import FolderStore
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.nightly import kinds_of, nights
from tests.postgres.test_both_stores import copy_snapshots, rows

_REPEATED = """
    SELECT a.sku_id, a.valid_from, b.valid_from
    FROM inventory_interval AS a
    INNER JOIN inventory_interval AS b
        ON b.valid_from = a.valid_to
        AND to_jsonb(b) - '{valid_from,valid_to}'::text[]
            = to_jsonb(a) - '{valid_from,valid_to}'::text[]
"""
TINY = WorldSize(customers=10, products=3, regions=2, sizes_per_product=2, licence_products=3)


@pytest.mark.asyncio
async def test_nights_give_the_same_result_in_a_database_and_in_a_folder(
    tmp_path: Path, store_url: str
) -> None:
    async with nights(tmp_path, 3, size=TINY) as night:
        database = msgspec.structs.replace(
            night.settings, store=store_url, state_dir=tmp_path / "other"
        )
        store = open_store(store_url)
        for when in (1, 2):
            in_folder = await night.run(when)
            in_database = await night.run(when, settings=database)

            assert in_database.exit == in_folder.exit == 0
            for one, other in zip(in_folder.snapshots, in_database.snapshots, strict=True):
                assert (one.partner, one.checks, one.rows) == (
                    other.partner,
                    other.checks,
                    other.rows,
                )
                assert one.changes == other.changes
            names = ("inventory", "availability", "restriction", "remembered")
            for name in (f"current_{name}" for name in names):
                assert comparable(store, name) == comparable(night.store, name)
        events = "SELECT subject, kind FROM change"
        found = kinds_of(store.sql(events).to_pylist())
        assert found == kinds_of(night.rows(events))
        assert found.total() > 10

        again = await night.run(2, settings=database, customers=(a_customer(store),))
        assert again.exit == 0
    with as_superuser(store_url) as con:
        same = con.execute(_REPEATED).fetchall()
    assert same == []


def comparable(store: object, name: str) -> list[object]:
    """Return the rows without the columns that differ between runs."""
    assert isinstance(store, FolderStore | PostgresStore)
    found = store.arrow(name)
    apart = [c for c in found.column_names if c.endswith(("_at", "snapshot_id")) or c == "detail"]
    return rows(found.drop_columns(apart))


def a_customer(store: object) -> str:
    assert isinstance(store, PostgresStore)
    first: str = store.arrow("current_inventory").column("customer_id").to_pylist()[0]
    return first


@pytest.mark.asyncio
async def test_nights_that_are_copied_read_the_same(
    tmp_path: Path, postgres_store: PostgresStore
) -> None:
    """P39: keys that the catalog confirms, too."""
    async with nights(tmp_path, 5, size=TINY) as night:
        for when in (1, 2, 3):
            await night.run(when)
        lake = night.store
    assert isinstance(lake, FolderStore)
    copy_snapshots(lake, postgres_store)

    for name in (*sql.BASE, *sql.VIEWS):
        expected = rows(lake.arrow(name))
        assert rows(postgres_store.arrow(name)) == expected, name
        assert rows(postgres_store.sql(f"SELECT * FROM {name}")) == expected, name
