"""Runs the loops of these tests many more times, and prints one table of figures.

    python -m tests.faults.soak kill|listings|publish [--share S]

Two processes share the seeds of each loop. A failure is printed at once, with the seed that
repeats it; the exit status is then 1.
"""

import argparse
import asyncio
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from tests.builders import event_loop_delay, syscalls
from tests.builders.broken_listings import problems_of_nights
from tests.builders.concurrent_runs import run_concurrently
from tests.builders.erasing import Erasing
from tests.builders.hammering import hammered
from tests.builders.killing import KINDS, kill_and_resume, prepared, signal_and_resume, tally
from tests.builders.reading import publishes_and_reads

SHARDS = 2
COLUMNS = (*KINDS, "all")
Done = Iterator[list[str]]
"""The problems of each point, one list per point."""


def kills(shard: int, share: float, folder: Path) -> Done:
    """P11: 1,000 kills at seeded moments."""
    with prepared(5 + shard, folder) as case:
        for seed in range(shard, round(1000 * share), SHARDS):
            yield kill_and_resume(case, seed, folder / "killed")


def signals(shard: int, share: float, folder: Path) -> Done:
    """P29: 200 signals at seeded moments."""
    with prepared(5 + shard, folder) as case:
        for seed in range(shard, round(200 * share), SHARDS):
            yield signal_and_resume(case, seed, folder / "signalled")


def crowds(shard: int, share: float, folder: Path) -> Done:
    """P14: 200 rounds of 8 runs at once."""
    with prepared(5 + shard, folder) as case:
        for seed in range(shard, round(200 * share), SHARDS):
            yield run_concurrently(case, seed, folder / "crowd", runs=8)


def quotas(shard: int, share: float, folder: Path) -> Done:
    """P17: 10 times 100 seconds of four runs on one quota, killed and restarted."""
    with hammered(5 + shard) as case:
        for seed in range(shard, round(10 * share), SHARDS):
            yield case.hammer(seed, folder / f"hammered{seed}", for_s=100.0)


def calls(shard: int, share: float, folder: Path) -> Done:
    """P10, P30: every changing system call of staging and publishing, failed and killed in turn."""
    if not syscalls.is_usable():
        sys.stderr.write("skipped: no strace that can inject faults here\n")
        return
    with prepared(5 + shard, folder, syscalls.ONE_PARTNER) as case:
        publishing = syscalls.Publishing(case, folder)
        tries = [(point, how) for point in publishing.points for how in syscalls.HOW]
        for place in range(shard, round(len(tries) * share), SHARDS):
            yield publishing.tried(*tries[place])


def erasures(shard: int, share: float, folder: Path) -> Done:
    """P42: every changing system call of forgetting a customer, failed and killed in turn."""
    if not syscalls.is_usable():
        sys.stderr.write("skipped: no strace that can inject faults here\n")
        return
    with prepared(5 + shard, folder, syscalls.ONE_PARTNER) as case:
        erasing = Erasing(case, folder)
        tries = [(point, how) for point in erasing.points for how in syscalls.HOW]
        for place in range(shard, round(len(tries) * share), SHARDS):
            yield erasing.tried(*tries[place])


def readers(shard: int, share: float, folder: Path) -> Done:
    """P10: 500 publishes while four readers poll."""
    publishes = round(500 * share) // SHARDS
    looks, problems = publishes_and_reads(folder, publishes, readers=4 // SHARDS)
    sys.stderr.write(f"readers {shard}: {looks} looks\n")
    yield problems
    yield from ([] for _ in range(publishes - 1))


def lags(shard: int, share: float, folder: Path) -> Done:
    """Fault 35: the event loop delay while large replies arrive; printed, without a limit."""
    if shard == 0:
        sys.stderr.write(
            f"lag: {event_loop_delay.measure(folder, customers=max(10, round(300 * share)))}\n"
        )
        yield []


def broken_listings(shard: int, share: float, folder: Path) -> Done:
    """P35: 39 times five nights whose listings fail, and one that does not."""
    for seed in range(1 + shard, round(39 * share) + 1, SHARDS):
        night = folder / f"nights{seed}"
        night.mkdir()
        yield asyncio.run(problems_of_nights(seed, night))


LOOPS: dict[str, tuple[Callable[[int, float, Path], Done], ...]] = {
    "kill": (kills, signals, crowds, quotas),
    "listings": (broken_listings,),
    "publish": (calls, erasures, readers, lags),
}


def shard_of(name: str, loop: str, shard: int, share: float) -> tuple[str, int, Counter[str]]:
    """Run one shard of a loop; return its points and problems."""
    run = next(one for one in LOOPS[name] if one.__name__ == loop)
    points, found = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for problems in run(shard, share, Path(folder)):
            points += 1
            found += tally(problems)
            for problem in problems:
                sys.stderr.write(f"{loop} {shard}: {problem}\n")
    return loop, points, found


def main() -> int:
    """Run the loops of one kind, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(LOOPS))
    parser.add_argument("--share", type=float, default=1.0, help="share of the points to try")
    flags = parser.parse_args()
    sys.stdout.write(f"| loop | points | {' | '.join(COLUMNS)} | seconds |\n")
    sys.stdout.write(f"|{'---|' * (len(COLUMNS) + 3)}\n")
    failed = 0
    for run in LOOPS[flags.name]:
        began = time.monotonic()
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(SHARDS, mp_context=spawn) as pool:
            shards = [
                pool.submit(shard_of, flags.name, run.__name__, shard, flags.share)
                for shard in range(SHARDS)
            ]
            results = [shard.result() for shard in shards]
        points = sum(done for _, done, _ in results)
        found = sum((problems for _, _, problems in results), Counter[str]())
        figures = " | ".join(str(found[column]) for column in COLUMNS)
        seconds = round(time.monotonic() - began)
        sys.stdout.write(f"| {run.__name__} | {points} | {figures} | {seconds} |\n")
        sys.stdout.flush()
        failed += found["all"]
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
