"""Random histories: both stores publish the rows that a simple model computes."""

from collections import Counter
from pathlib import Path

import pytest

from auditor.store import sql
from auditor.store.folder.store import FolderStore
from auditor.store.postgres import transaction
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.nightly import IS_SOAK, seeds
from tests.builders.nights import Nights
from tests.postgres.test_both_stores import rows

NIGHTS = 16


@pytest.mark.timeout(600)
@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("seed", "many", "holds"),
    seeds(
        [(15, 1, {"suspect", "crossing runs", "failed runs", "customers left"})],
        [
            (
                13,
                transaction.MANY,
                {"suspect", "crossing runs", "failed runs", "nights with lies", "mass changes"},
            )
        ],
    ),
)
async def test_a_random_history_is_the_same_in_both_stores_and_in_the_model(
    seed: int,
    many: int,
    holds: set[str],
    *,
    tmp_path: Path,
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P2 to P9: failures, gaps, departures, false replies, and one-customer runs that cross others.

    If `many` rows are moved together, the planner may read whole tables; if `many` rows are staged,
    they are moved before the commit.
    """
    monkeypatch.setattr(transaction, "MANY", many)
    monkeypatch.setattr(transaction, "AT_ONCE", many)
    world = Nights(tmp_path, seed)
    with as_superuser(store_url) as con:  # answers are staged by the buckets of the folder
        con.execute("UPDATE store SET buckets = %s", [world.partner.store.buckets])
    postgres_store = PostgresStore.open(store_url)
    world.partner.others.append(postgres_store)
    for number in range(1, NIGHTS + 1):
        await world.night(number)
        if IS_SOAK and number % 8 == 0:
            world.compare()
            assert_same(world.partner.store, postgres_store)
    await world.settle(NIGHTS)
    assert_same(world.partner.store, postgres_store)
    assert [postgres_store.verify(one) for one in postgres_store.published()[-5:]] == [[]] * 5
    assert (world.counts["lost"], world.counts["false"]) == (0, 0)
    assert holds <= set(+Counter(world.counts)), "a seed without these proves little"


def assert_same(lake: FolderStore, store: PostgresStore) -> None:
    with lake.connect() as con:  # opened once, because making all views takes a while
        for name in (*sql.BASE, *sql.VIEWS):
            query = f"SELECT * FROM {name}"
            found = con.sql(query).to_arrow_table()
            assert rows(store.sql(query)) == rows(found), name
