"""`auditor run --max-seconds N`: the run ends in time, and what it could not ask is not lost.

The clock of these runs is moved by their progress, so no test waits.
"""

from pathlib import Path

import pytest

from auditor.progress import Silent
from auditor.run.result import NothingPublished, RunReport
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.settings import Narrow
from tests.builders.nightly import Night, nights

LIMIT = 100
LATE_S = 90.1


class Clock(Silent):
    """A clock that stands still until a phase has made some steps, and is then late."""

    def __init__(self, phase: str, steps: int) -> None:
        self.now = 0.0
        self.answered: int | None = None
        """Number of calls when it became late."""
        self.night: Night | None = None
        self._phase = phase
        self._left = steps
        self._is_counting = False

    def __call__(self) -> float:
        return self.now

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        del partner, total
        self._is_counting = name == self._phase
        self._count(0)

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        del partner, failed
        self._count(done)

    def _count(self, done: int) -> None:
        if self._is_counting:
            self._left -= done
            if self._left <= 0 and self.answered is None:
                self.now = LATE_S
                self.answered = 0 if self.night is None else len(self.night.sandbox.log.records)


async def limited(night: Night, clock: Clock) -> RunReport:
    clock.night = night
    runtime = Runtime(environ=night.environ, clock=clock)
    narrow = Narrow(run="tonight", max_seconds=LIMIT)
    return await audit(night.settings, narrow, clock, runtime=runtime)


@pytest.mark.asyncio
async def test_what_was_answered_in_time_is_published_and_the_rest_is_skipped(
    tmp_path: Path,
) -> None:
    """P21, P2: nothing is sent after the time, and a check that was not asked makes no change."""
    async with nights(tmp_path, 1) as night:
        clock = Clock("checking", 20)
        report = await limited(night, clock)
        assert report.exit == 3
        assert {one.published for one in report.snapshots} == {True}
        answered = sum(one.checks.answered for one in report.snapshots)
        skipped = sum(one.checks.skipped for one in report.snapshots)
        assert answered > 0
        assert skipped > 0
        in_flight = sum(partner.limits.concurrency for partner in night.settings.partner)
        assert clock.answered is not None
        assert len(night.sandbox.log.records) <= clock.answered + in_flight
        reasons = night.rows("SELECT DISTINCT reason FROM unanswered WHERE outcome = 'skipped'")
        assert reasons == [{"reason": "deadline"}]
        truth = night.inventory_truth(1)
        found = night.inventory()
        assert found
        assert found.items() <= truth.items()

        assert (await night.run()).exit == 0
        assert night.inventory() == truth
        assert night.availability() == night.availability_truth(1)


@pytest.mark.asyncio
async def test_a_run_whose_time_is_over_before_it_knows_what_to_ask_is_tried_again(
    tmp_path: Path,
) -> None:
    """P11: what it has not asked in time is not taken for asked when the run is resumed."""
    async with nights(tmp_path, 1) as night:
        with pytest.raises(NothingPublished) as caught:
            await limited(night, Clock("discovering", 0))
        assert (caught.value.exit_status, caught.value.error_code) == (75, "E_DEADLINE")
        assert not night.sandbox.log.records
        assert not night.store.published()
        report = await night.run(run="tonight")
        assert (report.run_id, report.exit) == ("tonight", 0)
        assert night.inventory() == night.inventory_truth(1)


@pytest.mark.asyncio
@pytest.mark.parametrize("steps", [1, 8])
async def test_a_run_whose_time_is_over_while_it_lists_publishes_what_it_knows(
    tmp_path: Path, steps: int
) -> None:
    """P35: the listings that it could not ask are unanswered questions."""
    async with nights(tmp_path, 1) as night:
        report = await limited(night, Clock("customers", steps))
        assert report.exit == 3
        assert any(one.published for one in report.snapshots)
        assert night.rows("SELECT 1 FROM unanswered WHERE reason = 'deadline' LIMIT 1")
        assert (await night.run()).exit == 0
        assert night.inventory() == night.inventory_truth(1)
