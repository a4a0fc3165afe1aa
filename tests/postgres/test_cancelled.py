"""A run cancelled by a library's caller is complete on disk and reported in full later."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from auditor.model import ChangeKind
from auditor.progress import Silent
from auditor.run.result import RunReport
from auditor.sandbox import Fault, Faults, WorldSize
from tests.builders.nightly import Night, nights, seeds

SIZE = WorldSize(
    partners=2, customers=6, products=3, regions=2, sizes_per_product=2, licence_products=4
)
MOMENTS = {
    "before": (0, "run.started"),
    "between": (1, "snapshot.published"),
    "during": (2, "publishing"),
    "after": (2, "snapshot.published"),
}
"""The event that cancels the run, and how many of the two partners are published then."""


STORES = ("folder", "database", "database", "folder")
"""The store for each moment. Under `make soak-truth`, each moment is tried with the other too."""


class Cancelling(Silent):
    """Cancels the task that it was made in when an event happens the nth time."""

    def __init__(self, what: str, times: int) -> None:
        self._what = what
        self._times = times
        task = asyncio.current_task()
        assert task is not None
        self._task = task

    def event(self, name: str, **fields: object) -> None:
        del fields
        self._count(name)

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        del partner, total
        self._count(name)

    def _count(self, name: str) -> None:
        self._times -= name == self._what
        if name == self._what and not self._times:
            asyncio.get_running_loop().call_soon(self._task.cancel)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "moment"),
    seeds(zip(STORES, MOMENTS, strict=True), zip(reversed(STORES), MOMENTS, strict=True)),
)
async def test_the_next_run_reports_a_cancelled_run_in_full(
    kind: str, moment: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """P11, P29: the report counts what the cancelled run published; nothing is published twice."""
    released = asyncio.Event()
    url = request.getfixturevalue("store_url") if kind == "database" else ""

    async def hold(_: float) -> None:
        await released.wait()

    async with nights(tmp_path, 5, size=SIZE, store=url, sleep=hold) as night:
        await night.run(1)
        before = night.store.published()
        count, what = MOMENTS[moment]
        slow, other = night.settings.partner
        if moment == "between":
            night.sandbox.faults = Faults((Fault(partner=(slow.name,), delay_s=1.0),))
        narrow: dict[str, Any] = {"partners": (slow.name, other.name)}

        async def cancelled() -> None:
            await night.run(2, progress=Cancelling(what, max(count, 1)), **narrow)

        task = asyncio.create_task(cancelled())
        await asyncio.wait([task])
        assert task.cancelled()
        released.set()
        night.sandbox.faults = Faults()
        assert len(night.store.published()) - len(before) == count

        report = await night.run(resume="", fail_on=(ChangeKind.NEWLY_RESTRICTED,), **narrow)
        assert report.exit == 10
        assert [one.reason for one in report.snapshots].count("published before") == count
        assert sorted(night.store.published()) == sorted(
            [*before, *(one.snapshot_id for one in report.snapshots)]
        )
        assert_counted(night, report)
        again = await night.run(resume=report.run_id, **narrow)
        assert (again.exit, again.run_id) == (0, report.run_id)
        assert_counted(night, again)


def assert_counted(night: Night, report: RunReport) -> None:
    """Compare the changes in a report with those of its snapshots in the store."""
    for one in report.snapshots:
        assert one.published
        kinds = night.store.arrow("change", snapshot_id=one.snapshot_id).column("kind").to_pylist()
        assert one.changes == {kind: kinds.count(kind) for kind in kinds}
