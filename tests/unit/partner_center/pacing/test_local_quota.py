"""Several processes share one quota through a file that holds the time of the next call."""

import asyncio
import fcntl
import os
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.partner_center.pacing.local_quota import LocalQuota, Unshareable, own_folder
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from tests.builders.virtual_time import run_virtually


def most_in_any_minute(starts: list[float]) -> int:
    inside: deque[float] = deque()
    most = 0
    for at in sorted(starts):
        inside.append(at)
        while inside[0] <= at - 60 + 1e-9:
            inside.popleft()
        most = max(most, len(inside))
    return most


async def keep_starting(
    clock: Callable[[], float],
    folder: Path,
    per_minute: float,
    starts: list[float],
    *,
    seconds: float,
    quota_per_minute: float = 0,
) -> None:
    """Act as one process that starts as many calls as it may."""
    limits = PaceLimits(per_minute={"inventory": per_minute}, per_customer=1e6, concurrency=64)
    quota = LocalQuota(folder, "tenant", quota_per_minute or per_minute, clock=clock)

    async def one(pacer: Pacer, name: str) -> None:
        while True:
            async with pacer.slot("inventory", name):
                starts.append(clock())
                await asyncio.sleep(0.05)

    async with Pacer(limits, quotas={"inventory": quota}, clock=clock) as pacer:
        tasks = [asyncio.create_task(one(pacer, f"c{n}")) for n in range(300)]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@pytest.mark.parametrize("per_minute", [1, 7, 250, 600, 3333, 12_000])
def test_one_process_alone_has_the_whole_quota(tmp_path: Path, per_minute: int) -> None:
    starts: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        await keep_starting(clock, tmp_path, per_minute, starts, seconds=181)

    run_virtually(main)

    assert most_in_any_minute(starts) <= per_minute
    assert len(starts) >= 0.985 * 3 * per_minute


@pytest.mark.parametrize("per_minute", [6, 250, 600, 6000])
def test_several_processes_keep_the_quota_and_share_it_evenly(
    tmp_path: Path, per_minute: int
) -> None:
    """P17: all processes together."""
    each: list[list[float]] = [[], [], []]

    async def main(clock: Callable[[], float]) -> None:
        async with asyncio.TaskGroup() as processes:
            for starts in each:
                processes.create_task(
                    keep_starting(clock, tmp_path, per_minute, starts, seconds=241)
                )

    run_virtually(main)

    together = [at for starts in each for at in starts]
    assert most_in_any_minute(together) <= per_minute
    assert len(together) >= 0.97 * 4 * per_minute
    assert min(map(len, each)) >= 0.9 * max(map(len, each)) - 1


def test_a_restarted_process_continues_the_quota_of_the_dead_one(tmp_path: Path) -> None:
    """P17: after a crash and a restart, not even one call more is made."""
    starts: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        for seconds in (0.1, 3.0, 0.5, 20.0, 7.3, 0.2, 100.0):
            await keep_starting(clock, tmp_path, 60, starts, seconds=seconds)

    run_virtually(main)

    assert most_in_any_minute(starts) <= 60


def test_processes_with_two_limits_keep_their_own_and_together_the_larger(tmp_path: Path) -> None:
    fast: list[float] = []
    slow: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        async with asyncio.TaskGroup() as processes:
            processes.create_task(keep_starting(clock, tmp_path, 600, fast, seconds=300))
            processes.create_task(keep_starting(clock, tmp_path, 120, slow, seconds=300))

    run_virtually(main)

    assert most_in_any_minute(slow) <= 120
    assert most_in_any_minute(fast + slow) <= 600


def only_file(folder: Path) -> Path:
    [file] = folder.iterdir()
    return file


class ManualClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds

    def quota(self, folder: Path, name: str = "tenant", per_minute: float = 60) -> LocalQuota:
        return LocalQuota(folder, name, per_minute, clock=self.clock, sleep=self.sleep)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "written", [b"", b"x", b"\x00" * 3, struct.pack("<d", 1e9), struct.pack("<d", float("nan"))]
)
async def test_an_invalid_file_stops_no_process(tmp_path: Path, written: bytes) -> None:
    """P32: the monotonic clock begins again when the machine restarts."""
    manual = ManualClock()
    await manual.quota(tmp_path).take()
    file = only_file(tmp_path)
    file.write_bytes(written)

    await manual.quota(tmp_path).take()
    await manual.quota(tmp_path).take()

    assert 100.8 < manual.now < 103


@pytest.mark.asyncio
async def test_quotas_of_different_names_are_separate(tmp_path: Path) -> None:
    manual = ManualClock()
    for name in ("tenant inventory", "tenant catalog", "other inventory"):
        await manual.quota(tmp_path, name).take()

    assert manual.now == 100.0


@pytest.mark.asyncio
async def test_a_permit_that_is_not_used_in_time_is_dropped(tmp_path: Path) -> None:
    """Otherwise a process that was paused would start a whole slice of calls too late."""
    manual = ManualClock()
    quota = manual.quota(tmp_path, per_minute=6000)
    await quota.take()
    manual.now += 5

    for _ in range(21):  # a slice holds ten
        await quota.take()

    assert manual.now == pytest.approx(105.1, abs=0.01)


@pytest.mark.asyncio
async def test_a_process_paused_with_the_lock_stops_no_other(tmp_path: Path) -> None:
    manual = ManualClock()
    await manual.quota(tmp_path).take()
    path = only_file(tmp_path)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await manual.quota(tmp_path).take()

    assert manual.now < 105


@pytest.mark.asyncio
async def test_the_lock_of_another_process_is_waited_for_half_a_second(tmp_path: Path) -> None:
    manual = ManualClock()
    await manual.quota(tmp_path, per_minute=6000).take()
    path = only_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await manual.quota(tmp_path, per_minute=6000).take()

    assert manual.now == pytest.approx(100.5)


PROCESS = """
import asyncio, sys, time
from pathlib import Path
from auditor.partner_center.pacing.local_quota import LocalQuota

async def main() -> None:
    quota = LocalQuota(Path(sys.argv[1]), "tenant", 1200)
    for _ in range(10):
        await quota.take()
        print(time.monotonic())

asyncio.run(main())
"""


def test_real_processes_share_the_quota_too(tmp_path: Path) -> None:
    """P17."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    printed = [process.communicate(timeout=60)[0].split() for process in processes]

    starts = sorted(float(at) for each in printed for at in each)
    assert len(starts) == 30
    # 22 calls take at least 21 steps of 0.05 s; 0.3 s is allowed for a late start
    assert all(b - a >= 21 * 0.05 - 0.3 for a, b in zip(starts, starts[21:], strict=False))


def test_the_folder_is_created_for_this_user_only(tmp_path: Path) -> None:
    """S12."""
    folder = own_folder(tmp_path / "a" / "quota")

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_to_is_made_private(tmp_path: Path) -> None:
    """S12."""
    tmp_path.chmod(0o777)

    assert own_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "quota").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Unshareable):
        own_folder(tmp_path / "quota")


@pytest.mark.asyncio
async def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """S12."""
    manual = ManualClock()
    await manual.quota(tmp_path).take()
    file = only_file(tmp_path)
    file.unlink()
    file.symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic"):
        await manual.quota(tmp_path).take()
    assert not (tmp_path / "victim").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    """S12."""
    os.chown(tmp_path, 12345, 12345)

    with pytest.raises(Unshareable, match="another user"):
        own_folder(tmp_path)
