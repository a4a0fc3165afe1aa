"""The wall clock is set between two nights: what is known follows the server, not the clock."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nightly import nights

NIGHT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [2, -2])
async def test_a_night_after_the_clock_was_set_tells_the_truth(days: int, tmp_path: Path) -> None:
    """P32, fault 29."""
    async with nights(tmp_path, 4) as night:
        await night.run(1, began=NIGHT)
        report = await night.run(2, began=NIGHT + timedelta(days=days))
        assert sum(sum(one.changes.values()) for one in report.snapshots)
        assert night.inventory() == night.inventory_truth(2)
        assert night.availability() == night.availability_truth(2)
