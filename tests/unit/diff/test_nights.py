"""A long series of nights reports every true change and no false one."""

from pathlib import Path

import pytest

from tests.builders import nights

SEED = 13
NIGHTS = 16


@pytest.mark.asyncio
async def test_a_series_of_nights_reports_each_change_and_no_other(tmp_path: Path) -> None:
    """P2 to P9: checks fail or answer wrongly, runs overlap. `make soak-nights` runs for years."""
    counts = await nights.live(tmp_path, SEED, NIGHTS)
    assert (counts["lost"], counts["false"]) == (0, 0)
    assert counts["suspect"], (
        "with this seed the guard has nothing to do, so the test proves little"
    )
