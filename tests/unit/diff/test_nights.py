"""Many nights in a row lose no change and make none up."""

from pathlib import Path

import pytest

from tests.builders import nights


@pytest.mark.timeout(600)
@pytest.mark.asyncio
@pytest.mark.parametrize("seed", [1, 13])
async def test_forty_nights_lose_nothing_and_make_nothing_up(tmp_path: Path, seed: int) -> None:
    """P2 to P9: runs and checks fail, lie and cross; `make soak-nights` lives through years."""
    counts = await nights.live(tmp_path, seed, 40)
    assert (counts["lost"], counts["false"]) == (0, 0)
    assert counts["suspect"], "a seed on which the guard has nothing to do proves little"
