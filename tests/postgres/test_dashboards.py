"""The dashboard queries give the same rows on both stores, and their numbers are right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.store import sql
from auditor.store.folder.store import FolderStore
from auditor.store.postgres.store import PostgresStore
from tests.builders import report_lake
from tests.builders.database_logins import reader
from tests.builders.nightly import nights
from tests.postgres.test_both_stores import copy_snapshots
from tests.postgres.test_sandbox_nights import TINY
from tests.unit.store import test_views_latest

QUERIES = (
    "customers_hit_most",
    "newly_restricted_this_week",
    "not_known",
    "renewals_at_risk",
    "resellers_hit_most",
    "restricted_now",
    "restriction_length",
)


def test_there_is_a_query_for_each_question() -> None:
    assert sql.names("dashboards") == QUERIES


@pytest.mark.parametrize("make", [report_lake.two_nights, test_views_latest.two_nights])
def test_each_query_has_the_same_rows_on_both_stores(
    make: Callable[[Path], FolderStore], tmp_path: Path, postgres_store: PostgresStore
) -> None:
    lake = make(tmp_path)
    copy_snapshots(lake, postgres_store)

    for name in QUERIES:
        query = sql.statement(f"dashboards/{name}")
        expected = lake.sql(query)
        found = postgres_store.sql(query)
        assert found.column_names == expected.column_names, name
        assert found.to_pylist() == expected.to_pylist(), name


def rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with rounded means, because a mean depends on the order of addition."""
    return [
        {name: float(f"{v:.9g}") if isinstance(v, float) else v for name, v in row.items()}
        for row in rows
    ]


@pytest.mark.asyncio
async def test_a_reader_gets_the_same_rows_of_three_nights(tmp_path: Path, store_url: str) -> None:
    """The reader sees everything; in the last night some customers could not be asked."""
    async with nights(tmp_path, 5, size=TINY) as night:
        for when in (1, 2, 3):
            await night.run(when)
        lake = night.store
    assert isinstance(lake, FolderStore)
    copy_snapshots(lake, PostgresStore.open(store_url))
    seen = PostgresStore.open(reader(store_url, ("everything", "")))

    found = {}
    for name in QUERIES:
        query = sql.statement(f"dashboards/{name}")
        found[name] = lake.sql(query).to_pylist()
        assert rounded(seen.sql(query).to_pylist()) == rounded(found[name]), name

    inventory = lake.arrow("latest_inventory").to_pylist()
    restricted = sum(r["verdict"] == "restricted" and not r["is_stale"] for r in inventory)
    for name in ("restricted_now", "customers_hit_most", "resellers_hit_most"):
        assert sum(row["restricted"] for row in found[name]) == restricted > 0, name
    lasting = sum(row["lasting"] for row in found["restriction_length"])
    assert lasting == sum(r["verdict"] == "restricted" for r in inventory)
    news = lake.sql("SELECT event_id FROM change WHERE kind = 'newly_restricted' AND NOT suspect")
    listed = [row["event_id"] for row in found["newly_restricted_this_week"]]
    assert sorted(listed) == sorted(news.column("event_id").to_pylist())
    assert len(found["renewals_at_risk"]) == lake.arrow("renewal_at_risk").num_rows
