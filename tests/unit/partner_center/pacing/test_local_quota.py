"""One quota for several processes: a common time line in a file."""

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
    """Be one process that starts all it may."""
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
def test_several_processes_together_keep_to_the_quota_and_share_it_evenly(
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


def test_a_process_that_starts_again_goes_on_where_the_dead_one_was(tmp_path: Path) -> None:
    """P17: across a crash and a restart, and not by one call more."""
    starts: list[float] = []

    async def main(clock: Callable[[], float]) -> None:
        for seconds in (0.1, 3.0, 0.5, 20.0, 7.3, 0.2, 100.0):
            await keep_starting(clock, tmp_path, 60, starts, seconds=seconds)

    run_virtually(main)

    assert most_in_any_minute(starts) <= 60


def test_of_two_limits_each_process_keeps_its_own_and_both_together_the_larger(
    tmp_path: Path,
) -> None:
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


class Hand:
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
async def test_a_file_that_makes_no_sense_stops_nobody(tmp_path: Path, written: bytes) -> None:
    """P32: the machine's clock begins again when it starts."""
    hand = Hand()
    await hand.quota(tmp_path).take()
    file = only_file(tmp_path)
    file.write_bytes(written)

    await hand.quota(tmp_path).take()
    await hand.quota(tmp_path).take()

    assert 100.8 < hand.now < 103


@pytest.mark.asyncio
async def test_quotas_of_different_names_are_apart(tmp_path: Path) -> None:
    hand = Hand()
    for name in ("tenant inventory", "tenant catalog", "other inventory"):
        await hand.quota(tmp_path, name).take()

    assert hand.now == 100.0


@pytest.mark.asyncio
async def test_a_permit_that_is_not_used_in_time_is_not_used(tmp_path: Path) -> None:
    """Or a process that was stopped for a while would start a whole slice too late."""
    hand = Hand()
    quota = hand.quota(tmp_path, per_minute=6000)
    await quota.take()
    hand.now += 5

    for _ in range(21):  # a slice holds ten
        await quota.take()

    assert hand.now == pytest.approx(105.1, abs=0.01)


@pytest.mark.asyncio
async def test_a_process_that_was_stopped_with_the_lock_stops_nobody(tmp_path: Path) -> None:
    hand = Hand()
    await hand.quota(tmp_path).take()
    path = only_file(tmp_path)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await hand.quota(tmp_path).take()

    assert hand.now < 105


@pytest.mark.asyncio
async def test_a_process_that_holds_the_lock_is_waited_for_half_a_second(tmp_path: Path) -> None:
    hand = Hand()
    await hand.quota(tmp_path, per_minute=6000).take()
    path = only_file(tmp_path)
    assert path.stat().st_mode & 0o777 == 0o600
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        await hand.quota(tmp_path, per_minute=6000).take()

    assert hand.now == pytest.approx(100.5)


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


def test_real_processes_share_it_too(tmp_path: Path) -> None:
    """P17."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0].split() for process in processes]

    starts = sorted(float(at) for each in said for at in each)
    assert len(starts) == 30
    # twenty-two calls are at least twenty-one places of 0.05 s apart, less what may be late
    assert all(b - a >= 21 * 0.05 - 0.3 for a, b in zip(starts, starts[21:], strict=False))


def test_the_folder_is_made_for_this_user_alone(tmp_path: Path) -> None:
    """S12."""
    folder = own_folder(tmp_path / "a" / "quota")

    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_to_is_closed(tmp_path: Path) -> None:
    """S12."""
    tmp_path.chmod(0o777)

    assert own_folder(tmp_path).stat().st_mode & 0o777 == 0o700


def test_a_link_in_its_place_is_refused(tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "quota").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(Unshareable):
        own_folder(tmp_path / "quota")


@pytest.mark.asyncio
async def test_a_link_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    """S12."""
    hand = Hand()
    await hand.quota(tmp_path).take()
    file = only_file(tmp_path)
    file.unlink()
    file.symlink_to(tmp_path / "victim")

    with pytest.raises(OSError, match="symbolic"):
        await hand.quota(tmp_path).take()
    assert not (tmp_path / "victim").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's folder")
def test_anothers_folder_is_refused(tmp_path: Path) -> None:
    """S12."""
    os.chown(tmp_path, 12345, 12345)

    with pytest.raises(Unshareable, match="another user"):
        own_folder(tmp_path)
