"""The same truth through both inventory APIs, and with a catalog that is incomplete."""

import dataclasses
from pathlib import Path

import pytest

from auditor.sandbox import Fault, Faults
from auditor.settings.values import InventoryApi
from tests.builders.nightly import SMALL, Night, nights, seeds
from tests.end_to_end.test_truth import four_nights_of_truth

OLD, NEW = "check_inventory", "by_resource_type"
REFUSED = 400


def calls(night: Night, endpoint: str, when: int) -> int:
    return len(night.sandbox.log.of(endpoint, night=when))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], [4]))
async def test_by_resource_type_gives_the_same_truth(seed: int, tmp_path: Path) -> None:
    async with nights(tmp_path, seed) as night:
        await four_nights_of_truth(night, night.scoped(inventory_api=InventoryApi.BY_RESOURCE_TYPE))
        assert not any(calls(night, OLD, when) for when in (1, 2, 3, 4))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([5], [2]))
async def test_retiring_the_first_api_between_two_nights_makes_no_difference(
    seed: int, tmp_path: Path
) -> None:
    """The documents announce its retirement: each partner moves to the new API once, and stays."""
    retired = Fault(endpoint=OLD, status=410, night=(2, 3, 4))
    async with nights(tmp_path, seed, faults=Faults([retired])) as night:
        await four_nights_of_truth(night)
        assert calls(night, NEW, 1) == 0
        assert calls(night, OLD, 2) <= 2 * night.settings.partner[0].limits.concurrency + 2
        assert [calls(night, OLD, when) for when in (3, 4)] == [0, 0]
        assert all(calls(night, NEW, when) for when in (2, 3, 4))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([3], [6]))
async def test_variables_that_the_catalog_leaves_out_are_learned_in_the_first_night(
    seed: int, tmp_path: Path
) -> None:
    size = dataclasses.replace(SMALL, unnamed_variables=True)
    async with nights(tmp_path, seed, size=size) as night:
        await four_nights_of_truth(night)
        refused = [
            len([r for r in night.sandbox.log.of(OLD, night=when) if r.status == REFUSED])
            for when in (1, 2, 3, 4)
        ]
        assert refused[0] > 0
        assert refused[1:] == [0, 0, 0]
