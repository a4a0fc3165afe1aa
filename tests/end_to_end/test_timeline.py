"""Runs against the sandbox: the timeline is what a reader of every snapshot would have noted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.builders.nightly import nights
from tests.builders.timelines import noted, told

NIGHTS = 7


@pytest.mark.asyncio
async def test_no_key_of_any_night_loses_its_past(tmp_path: Path) -> None:
    """Customers and subscriptions leave and come back, SKUs leave the catalog, sizes change."""
    async with nights(tmp_path, 5) as night:
        for number in range(1, NIGHTS + 1):
            await night.run(number)
        expected = noted(night.store)
        rows = night.store.arrow("restriction_timeline").to_pylist()
        assert told(rows) == expected
        assert {row["ended_by"] for row in rows} == {
            "",
            "changed",
            "left",
            "left_catalog",
            "not_eligible",
        }
        later = datetime.now(UTC) + timedelta(days=400)
        assert night.store.prune(timedelta(days=90), later, apply=True).num_rows
        assert told(night.store.arrow("restriction_timeline").to_pylist()) == expected
