"""A long series of nights reports every true change and no false one."""

from pathlib import Path

import pytest

from tests.builders import nights


@pytest.mark.timeout(600)
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 13])
async def test_forty_nights_report_each_change_and_no_other(tmp_path: Path, seed: int) -> None:
    """P2 to P9: checks fail or answer wrongly, runs overlap. `make soak-nights` runs for years."""
    counts = await nights.live(tmp_path, seed, 40)
    assert (counts["lost"], counts["false"]) == (0, 0)
    assert counts["suspect"], (
        "with this seed the guard has nothing to do, so the test proves little"
    )
