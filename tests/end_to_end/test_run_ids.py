"""`auditor run --run ID`: however often a scheduler starts it, one run is done, and reported."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from auditor.errors import Locked, ScopeError, UsageError
from auditor.progress import Silent
from auditor.run.result import NothingPublished, RunReport
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults
from auditor.settings import Narrow
from tests.builders.nightly import Night, Remaining, nights

AIRFLOW = "scheduled__2026-12-01T02:15:00+00:00"


def calls(night: Night) -> int:
    return len(night.sandbox.log.records)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "status"),
    [(None, 0), (Fault(endpoint="customer_availabilities", status=500), 3)],
)
async def test_started_again_it_asks_nothing_and_reports_the_same(
    tmp_path: Path, fault: Fault | None, status: int
) -> None:
    """P12: the exit status too, which a scheduler would otherwise lose with its worker."""
    async with nights(tmp_path, 1) as night:
        night.sandbox.faults = Faults((fault,) if fault else ())
        first = await night.run(run=AIRFLOW)
        assert (first.run_id, first.exit) == (AIRFLOW, status)
        before = calls(night)
        assert await night.run(run=AIRFLOW) == first
        assert await night.run(run=AIRFLOW, wait_s=60.0, trigger="another") == first
        assert calls(night) == before
        assert sorted(night.store.published()) == sorted(s.snapshot_id for s in first.snapshots)
        [*rows] = night.store.arrow("attempt").to_pylist()
        assert {row["run_id"] for row in rows} == {AIRFLOW}
        assert len(rows) == len(first.snapshots)

        resumed = await night.run(resume=AIRFLOW)
        assert (resumed.run_id, resumed.exit) == (AIRFLOW, 0)
        other = await night.run(run="tomorrow")
        assert other.run_id == "tomorrow"
        assert len(night.store.published()) == 2 * len(first.snapshots)


@pytest.mark.asyncio
async def test_a_run_that_was_cut_off_goes_on(tmp_path: Path) -> None:
    """P11: what was answered is not asked again."""
    async with nights(tmp_path, 2) as night:
        remaining = Remaining(len(night.settings.partner))
        run = asyncio.create_task(night.run(run=AIRFLOW, progress=remaining))
        await remaining.only(10)
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled()
        before = calls(night)
        report = await night.run(run=AIRFLOW)
        assert (report.run_id, report.exit) == (AIRFLOW, 0)
        assert calls(night) - before < before / 2
        assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
async def test_a_run_that_published_nothing_is_tried_again(tmp_path: Path) -> None:
    async with nights(tmp_path, 1) as night:
        night.sandbox.faults = Faults((Fault(status=503),))
        with pytest.raises(NothingPublished) as caught:
            await night.run(run=AIRFLOW)
        assert caught.value.exit_status == 69
        night.sandbox.faults = Faults()
        report = await night.run(run=AIRFLOW)
        assert (report.run_id, report.exit) == (AIRFLOW, 0)


@pytest.mark.asyncio
async def test_with_another_configuration_or_other_flags_it_is_refused(tmp_path: Path) -> None:
    async with nights(tmp_path, 1) as night:
        await night.run(run=AIRFLOW)
        before = calls(night)
        for settings, narrow in (
            (night.scoped(segments=("education",)), Narrow(run=AIRFLOW)),
            (night.settings, Narrow(run=AIRFLOW, customers=("someone.example",))),
        ):
            with pytest.raises(ScopeError) as refusal:
                await audit(settings, narrow, runtime=Runtime(environ=night.environ))
            assert (refusal.value.exit_status, refusal.value.error_code) == (65, "E_RUN_CONFIG")
        assert calls(night) == before


class Begun(Silent):
    """Says when the first run has its locks."""

    def __init__(self) -> None:
        self.has_begun = asyncio.Event()

    def event(self, name: str, **fields: object) -> None:
        del fields
        if name == "run.started":
            self.has_begun.set()


@pytest.mark.asyncio
@pytest.mark.parametrize("is_full", [True, False])
async def test_started_twice_at_once_one_works_and_the_other_waits_for_its_report(
    tmp_path: Path, is_full: bool
) -> None:
    """P14: without `--wait` the second one ends with 75."""
    async with nights(tmp_path, 1) as night:
        domain = night.world.customers(night.world.partners()[0])[0].domain
        narrow = Narrow(run=AIRFLOW, customers=() if is_full else (domain,))

        progress = Begun()

        async def until_the_first_ends(_: float) -> None:
            await asyncio.wait([first])

        def start(wait_s: float) -> "asyncio.Task[RunReport]":
            runtime = Runtime(environ=night.environ, sleep=until_the_first_ends)
            again = msgspec.structs.replace(narrow, wait_s=wait_s)
            return asyncio.create_task(audit(night.settings, again, progress, runtime=runtime))

        first = start(0.0)
        await progress.has_begun.wait()
        with pytest.raises(Locked) as refusal:
            await start(0.0)
        assert refusal.value.exit_status == 75
        assert AIRFLOW in refusal.value.message
        assert await start(600.0) == await first
        assert len(night.store.published()) == len((await first).snapshots)


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "x" * 201, ".x", "a b", "é", "\0"])
async def test_an_id_that_is_no_safe_name_of_a_folder_is_refused(tmp_path: Path, name: str) -> None:
    """S9: in the library too."""
    async with nights(tmp_path, 1) as night:
        with pytest.raises(UsageError):
            await night.run(run=name)
        assert not list((tmp_path / "state").glob("runs/*"))
