"""`--wait`: a run waits for the locks of another run, without sleeping in these tests."""

import asyncio
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.errors import Locked
from auditor.journal.runs import RunHeader, Runs
from auditor.progress import Silent
from auditor.run.holding import LOOK_EVERY_S, hold
from auditor.run.runtime import Runtime

TENANT = "aaaaaaaa-0000-0000-0000-000000000001"


def header(run_id: str) -> RunHeader:
    return RunHeader(
        run_id=run_id,
        started_at=datetime(2026, 11, 21, 2, tzinfo=UTC),
        config_hash="",
        identity={},
        snapshots={},
    )


class Waiting(Silent):
    """A clock that only `sleep` moves, and a lock that is free after `free_after_s`."""

    def __init__(self, folder: Path, free_after_s: float) -> None:
        self.runs = Runs(folder / "state")
        self.now = 0.0
        self.naps: list[float] = []
        self.told: list[tuple[str, dict[str, object]]] = []
        self._free_after_s = free_after_s
        self.other = ExitStack()
        self.selected = 0

    async def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        if self.now >= self._free_after_s:
            self.other.close()

    def event(self, name: str, **fields: object) -> None:
        self.told.append((name, fields))

    def select(self) -> RunHeader:
        self.selected += 1
        return header("mine")

    async def hold(
        self, wait_s: float, held: ExitStack, *tenants: str, until: float | None = None
    ) -> RunHeader:
        runtime = Runtime(environ={}, clock=lambda: self.now, sleep=self.sleep)
        return await hold(
            held,
            self.runs,
            tenants,
            self.select,
            wait_s=wait_s,
            until=until,
            runtime=runtime,
            progress=self,
        )


@pytest.mark.asyncio
async def test_a_waiting_run_goes_on_when_the_lock_is_free_and_says_once_that_it_waits(
    tmp_path: Path,
) -> None:
    waiting = Waiting(tmp_path, free_after_s=3.0)
    waiting.other.enter_context(waiting.runs.locked([TENANT], lambda: header("theirs")))
    with ExitStack() as held:
        assert (await waiting.hold(60.0, held, TENANT)).run_id == "mine"
        assert waiting.now == 3.0
        assert waiting.naps == [LOOK_EVERY_S] * 3
        assert waiting.selected == 1, "the run is chosen after the wait"
        [(name, fields)] = waiting.told
        assert name == "run.waiting"
        assert fields["seconds"] == 60
        assert "run theirs, host" in str(fields["reason"])
        with pytest.raises(Locked, match="run mine, host"), ExitStack() as third:
            third.enter_context(waiting.runs.locked([TENANT], lambda: header("third")))


@pytest.mark.asyncio
@pytest.mark.parametrize(("wait_s", "naps"), [(0.0, []), (0.5, [0.5]), (2.5, [1.0, 1.0, 0.5])])
async def test_when_the_time_is_over_the_run_is_refused_as_without_the_flag(
    tmp_path: Path, wait_s: float, naps: list[float]
) -> None:
    waiting = Waiting(tmp_path, free_after_s=9.0)
    waiting.other.enter_context(waiting.runs.locked([TENANT], lambda: header("theirs")))
    with ExitStack() as held, pytest.raises(Locked, match="run theirs") as refusal:
        await waiting.hold(wait_s, held, TENANT)
    assert refusal.value.exit_status == 75
    assert waiting.naps == naps
    assert len(waiting.told) == bool(naps)
    waiting.other.close()


@pytest.mark.asyncio
async def test_a_run_does_not_wait_past_its_own_end(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path, free_after_s=9.0)
    waiting.other.enter_context(waiting.runs.locked([TENANT], lambda: header("theirs")))
    with ExitStack() as held, pytest.raises(Locked):
        await waiting.hold(60.0, held, TENANT, until=2.5)
    assert waiting.now == 2.5
    waiting.other.close()


@pytest.mark.asyncio
async def test_a_run_waits_for_its_own_lock_and_holds_no_other_meanwhile(tmp_path: Path) -> None:
    """Two waiting runs that each held a lock of the other would wait for ever."""
    waiting = Waiting(tmp_path, free_after_s=2.0)
    waiting.other.enter_context(waiting.runs.locked([], lambda: header("mine")))

    async def sleep(seconds: float) -> None:
        with waiting.runs.locked([TENANT], lambda: header("third")):
            pass
        await Waiting.sleep(waiting, seconds)

    waiting.sleep = sleep  # type: ignore[method-assign] # looks at the locks during the wait
    with ExitStack() as held:
        assert (await waiting.hold(60.0, held, TENANT)).run_id == "mine"
    assert waiting.now == 2.0


@pytest.mark.asyncio
async def test_a_cancelled_wait_ends_at_once_and_holds_nothing(tmp_path: Path) -> None:
    """P29."""
    waiting = Waiting(tmp_path, free_after_s=9.0)
    waiting.other.enter_context(waiting.runs.locked([TENANT], lambda: header("theirs")))
    asleep = asyncio.Event()

    async def sleep(_: float) -> None:
        asleep.set()
        await asyncio.get_running_loop().create_future()

    waiting.sleep = sleep  # type: ignore[method-assign,assignment] # never ends by itself
    with ExitStack() as held:
        task = asyncio.create_task(waiting.hold(60.0, held, TENANT))
        await asleep.wait()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()
        waiting.other.close()
        with waiting.runs.locked([TENANT], lambda: header("third")):
            pass
