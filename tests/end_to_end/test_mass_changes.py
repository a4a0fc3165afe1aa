"""Mass changes are asked again and held back, against a sandbox with false replies (P6)."""

import asyncio
import json
import shutil
import signal
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from auditor.sandbox import Fault, Faults, World, WorldSize
from auditor.store import open_store
from tests.builders.another_partner_center import Ran, auditor, started
from tests.builders.nightly import INVENTORY_KEY, Key, Night, nights, seeds
from tests.end_to_end.test_killed import RELATIONS, content

SEED = 4
SIZE = WorldSize(customers=6, products=6, regions=4, sizes_per_product=3, licence_products=4)
CHECKS = ("check_inventory", "by_resource_type")


def crowded() -> tuple[str, ...]:
    """Return the customers with enough keys on the first night for the guard to act."""
    rows = World(SEED, SIZE).inventory_truth(1, since=1)
    count = Counter(row["customer_id"] for row in rows if row["verdict"] != "not_in_catalog")
    return tuple(sorted(name for name, keys in count.items() if name and keys > 60))


CROWDED = crowded()


def empty_on(*on_nights: int) -> Faults:
    """Return faults that answer all inventory checks of some customers with an empty list."""
    return Faults([Fault(endpoint=CHECKS, customer=CROWDED, night=on_nights, body="[]")])


def inventory_changes(night: Night, snapshots: list[str]) -> Counter[tuple[str, bool]]:
    """Count the inventory changes of these customers, by kind and whether they are suspect."""
    rows = night.rows("SELECT * FROM change WHERE subject = 'inventory'")
    return Counter(
        (row["kind"], row["suspect"])
        for row in rows
        if row["customer_id"] in CROWDED and row["snapshot_id"] in snapshots
    )


async def run_night(night: Night, number: int) -> list[str]:
    """Run a night; return its snapshots."""
    report = await night.run(number)
    assert report.exit == 0
    return [snapshot.snapshot_id for snapshot in report.snapshots]


def verdicts(night: Night) -> dict[Key, str]:
    return {
        key: state[0]
        for key, state in night.inventory().items()
        if key[INVENTORY_KEY.index("customer_id")] in CROWDED
    }


def departed(night: Night) -> set[str]:
    """Return the products that have left the catalog, wholly or in part."""
    rows = night.rows("SELECT product_id FROM change WHERE subject = 'catalog'")
    return {row["product_id"] for row in rows}


def pending(night: Night) -> Counter[str]:
    rows = night.rows("SELECT pending_verdict FROM current_inventory")
    return Counter(row["pending_verdict"] for row in rows)


@pytest.mark.asyncio
async def test_empty_replies_lift_no_restriction_and_are_discarded_later(tmp_path: Path) -> None:
    """P6: all customers of a country; each is a cell of its own."""
    assert len(CROWDED) > 1
    async with nights(tmp_path, SEED, size=SIZE, faults=empty_on(2)) as night:
        await run_night(night, 1)
        before = verdicts(night)
        second = await run_night(night, 2)
        counts = inventory_changes(night, second)
        assert [kind for kind, suspect in counts if not suspect] == []
        assert counts["left_catalog", True] == pending(night)["not_in_catalog"] > 60
        after = verdicts(night)
        left = departed(night)
        same = [key for key in before.keys() & after.keys() if left.isdisjoint(key)]
        assert len(same) > 60
        assert {key: after[key] for key in same} == {key: before[key] for key in same}
        third = await run_night(night, 3)
        assert night.inventory() == night.inventory_truth(3)
        assert not any(suspect for _, suspect in inventory_changes(night, third))
        assert inventory_changes(night, third)["entered_catalog", False] < 10
        assert pending(night).keys() == {""}


@pytest.mark.asyncio
async def test_a_mass_change_that_persists_is_published_once(tmp_path: Path) -> None:
    async with nights(tmp_path, SEED, size=SIZE, faults=empty_on(2, 3, 4)) as night:
        await run_night(night, 1)
        held = inventory_changes(night, await run_night(night, 2))["left_catalog", True]
        asked = len(night.sandbox.log.of("check_inventory", night=2))
        confirmed = inventory_changes(night, await run_night(night, 3))
        assert confirmed["left_catalog", False] > 60
        assert confirmed["left_catalog", False] <= held
        assert len(night.sandbox.log.of("check_inventory", night=3)) < asked
        assert pending(night)["not_in_catalog"] == 0
        assert inventory_changes(night, await run_night(night, 4))["left_catalog", False] < 10
        ids = [row["event_id"] for row in night.rows("SELECT event_id FROM change")]
        assert len(set(ids)) == len(ids)


def main_partner() -> str:
    """Return the partner that has most of these customers."""
    rows = World(SEED, SIZE).inventory_truth(1, since=1)
    of = {row["customer_id"]: row["partner_tenant_id"] for row in rows}
    (tenant, _), *_ = Counter(of[name] for name in CROWDED).most_common()
    return str(tenant)


def asked_again(ran: Ran) -> int:
    """Return the number of questions asked again, from the run's log."""
    events = [json.loads(line) for line in ran.stderr.splitlines() if line.startswith("{")]
    began = [event for event in events if event["event"] == "phase.started"]
    (total,) = (event["total"] for event in began if event["phase"] == "asking again")
    return int(total)


@pytest.mark.asyncio
@pytest.mark.parametrize("reached", seeds(["first", "publishing"], ["last"]))
async def test_a_run_killed_in_the_second_round_of_questions_is_resumed(
    tmp_path: Path, reached: str
) -> None:
    """P11: the same rows as an uninterrupted run; only calls in flight are repeated."""
    held, released = asyncio.Event(), asyncio.Event()

    async def hold(_: float) -> None:
        held.set()
        await released.wait()

    async with nights(tmp_path, SEED, size=SIZE, sleep=hold) as night:
        partner = night.world.partner(main_partner())
        words = ("run", "--partner", partner.name, "--format", "json", "--log-format", "json")
        path = tmp_path / "auditor.toml"
        path.write_text(path.read_text().replace("concurrency = 64", "concurrency = 1"))
        night.world.night = 1
        assert (await auditor(tmp_path, *words, **night.environ)).status == 0
        whole = tmp_path / "whole"
        shutil.copytree(tmp_path / "lake", whole / "lake")
        shutil.copy(path, whole)

        night.world.night = 2
        night.sandbox.log.clear()
        night.sandbox.faults = empty_on(2)
        uninterrupted = await auditor(whole, *words, **night.environ)
        assert uninterrupted.status == 0, uninterrupted.stderr
        second = asked_again(uninterrupted)
        assert second > 3
        checks = calls(night)

        passed = checks - second if reached == "first" else checks - 1
        night.sandbox.faults = Faults(
            [Fault(endpoint=CHECKS, after=passed, count=1, delay_s=1.0), *empty_on(2)]
        )
        process = await started(tmp_path, *words, **night.environ)
        await held.wait()
        with ExitStack() as locked:
            if reached == "publishing":
                locked.enter_context(open_store(str(tmp_path / "lake")).publishing(1.0))
                released.set()
                await until_publishing(tmp_path)
            process.kill()
            assert await process.wait() == -signal.SIGKILL
            await process.communicate()
        night.sandbox.log.clear()
        night.sandbox.faults = empty_on(2)

        resumed = await auditor(tmp_path, *words, "--resume", **night.environ)
        released.set()
        assert resumed.status == 0, resumed.stderr
        assert asked_again(resumed) == second
        assert calls(night) == {"first": second, "last": 1, "publishing": 0}[reached]
        for relation in RELATIONS:
            assert content(tmp_path, relation) == content(whole, relation), relation
        suspects = open_store(str(whole / "lake")).sql("SELECT 1 FROM change WHERE suspect")
        assert suspects.num_rows > 60


async def until_publishing(folder: Path) -> None:
    """Wait for the quarantine of the second run, its last file before it publishes."""
    while len([*folder.glob("state/runs/*/*.quarantine")]) < 2:  # noqa: ASYNC110, ASYNC240 - a process
        await asyncio.sleep(0)


def calls(night: Night) -> int:
    return sum(len(night.sandbox.log.of(endpoint)) for endpoint in CHECKS)
