"""The same truth through both inventory APIs, and with a catalog that is incomplete."""

import dataclasses
from pathlib import Path

import pytest

from auditor.doctor import machine
from auditor.run.result import INCOMPLETE
from auditor.sandbox import Fault, Faults
from auditor.settings.values import InventoryApi
from tests.builders.nightly import INVENTORY_KEY, SMALL, Night, nights, seeds
from tests.end_to_end.test_truth import FEWER, assert_found_is_true, nights_of_truth

OLD, NEW = "check_inventory", "by_resource_type"
REFUSED = 400


def calls(night: Night, endpoint: str, when: int) -> int:
    return len(night.sandbox.log.of(endpoint, night=when))


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([1], [4]))
async def test_by_resource_type_gives_the_same_truth(seed: int, tmp_path: Path) -> None:
    async with nights(tmp_path, seed) as night:
        await nights_of_truth(
            night, night.scoped(inventory_api=InventoryApi.BY_RESOURCE_TYPE), FEWER
        )
        assert not any(calls(night, OLD, when) for when in FEWER)
        assert all(calls(night, NEW, when) for when in FEWER)


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([5], [2]))
async def test_retiring_the_first_api_between_two_nights_makes_no_difference(
    seed: int, tmp_path: Path
) -> None:
    """One copy of its page announces its retirement: each tenant moves, and tries it once a run."""
    retired = Fault(endpoint=OLD, status=410, night=(2, 3))
    async with nights(tmp_path, seed, faults=Faults([retired])) as night:
        await nights_of_truth(night, whens=(1, 2, 3))
        assert calls(night, NEW, 1) == 0
        assert calls(night, OLD, 2) <= 2 * night.settings.partner[0].limits.concurrency + 2
        assert calls(night, OLD, 3) == len(night.settings.partner)
        assert all(calls(night, NEW, when) for when in (2, 3))


@pytest.mark.asyncio
async def test_a_night_in_which_no_inventory_api_is_there_harms_no_later_night(
    tmp_path: Path,
) -> None:
    gateway = {"status": 404, "body": "<html>no such route</html>", "night": 2}
    faults = Faults([Fault(endpoint=(OLD, NEW), **gateway)])  # type: ignore[arg-type] # as named
    async with nights(tmp_path, 5, faults=faults) as night:
        assert (await night.run(1)).exit == 0
        lost = await night.run(2)
        assert lost.exit == INCOMPLETE
        assert all(one.checks.failed for one in lost.snapshots)
        assert not night.rows("SELECT * FROM change WHERE subject = 'inventory'")
        found = await night.run(3)
        assert found.exit == 0
        assert_found_is_true(night.inventory(), night.inventory_truth(3))
        assert calls(night, NEW, 3) == 0
        assert_changes_are_true(night, 1, 3)


@pytest.mark.asyncio
async def test_who_has_moved_goes_back_when_the_first_api_does(tmp_path: Path) -> None:
    retired = Fault(endpoint=OLD, status=410, night=(2, 3))
    async with nights(tmp_path, 5, faults=Faults([retired])) as night:
        for when in (1, 2, 3, 4, 5):
            assert (await night.run(when)).exit == 0
            assert night.inventory() == night.inventory_truth(when)
            said = {f.message for f in machine.moved(night.settings)}
            assert any("by resource type" in text for text in said) == (when in {2, 3})
        assert [bool(calls(night, NEW, when)) for when in (1, 2, 3, 4, 5)] == [
            False,
            True,
            True,
            False,
            False,
        ]


def assert_changes_are_true(night: Night, before: int, after: int) -> None:
    """Hold the changes of inventory verdicts against the truth of the first and last night.

    What leaves the catalog between them, or returns, is told in the listings of the night between.
    """
    earlier, later = night.inventory_truth(before), night.inventory_truth(after)
    told = {
        tuple(row[name] for name in INVENTORY_KEY): (row["verdict_before"], row["verdict_after"])
        for row in night.rows("SELECT * FROM change WHERE subject = 'inventory'")
    }
    asked = {"restricted", "unrestricted"}
    true = {
        key: (earlier[key][0], later[key][0])
        for key in earlier.keys() & later.keys()
        if earlier[key][0] != later[key][0] and {earlier[key][0], later[key][0]} == asked
    }
    assert true
    assert true.keys() <= told.keys()
    flips = {key: pair for key, pair in told.items() if set(pair) == asked}
    assert flips.items() <= true.items()


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([3], [6]))
async def test_variables_that_the_catalog_leaves_out_are_learned_in_the_first_night(
    seed: int, tmp_path: Path
) -> None:
    size = dataclasses.replace(SMALL, unnamed_variables=True)
    async with nights(tmp_path, seed, size=size) as night:
        await nights_of_truth(night, whens=FEWER)
        refused = [
            len([r for r in night.sandbox.log.of(OLD, night=when) if r.status == REFUSED])
            for when in FEWER
        ]
        assert refused[0] > 0
        assert not any(refused[1:])
