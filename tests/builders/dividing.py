"""Runs the second night of a prepared case in parts, and kills, stops and crowds the parts."""

import random
import signal
from collections.abc import Sequence
from pathlib import Path

from auditor.journal.journal import SYNC_RECORDS
from tests.builders.killing import Prepared, exit_problems
from tests.builders.run_processes import Ended, Started, until

RUN = "night-2"
LEASE_S = 2
ENVIRON = {"AUDITOR_RUN__LEASE_SECONDS": str(LEASE_S)}


def start_part(case: Prepared, folder: Path, number: int, of: int) -> Started:
    """Start one part of the second night."""
    words = ("run", "--part", f"{number}/{of}", "--run", RUN, "--format", "json")
    return case.launcher.start(folder, *words, environ=ENVIRON)


def publish(case: Prepared, folder: Path) -> Started:
    """Start publishing the second night."""
    return case.launcher.start(folder, "publish", RUN, "--format", "json")


def ended_well(ended: Sequence[Ended]) -> list[str]:
    """Return the problems of processes that should have ended with 0."""
    return [problem for each in ended for problem in exit_problems(each, {0})]


def published(case: Prepared, folder: Path, kills: int) -> list[str]:
    """Publish, and return the problems of the folder."""
    return [
        *ended_well([publish(case, folder).wait()]),
        *case.problems(folder, kills, unshared=SYNC_RECORDS),
    ]


def kill_a_part(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Kill one of three parts at a random moment, start it again, and return all problems."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    victim = rng.randrange(3)
    parts = [start_part(case, folder, number, 3) for number in (1, 2, 3)]
    calls = rng.randrange(case.questions.total())
    until(lambda: case.serving.calls >= calls, parts[victim])
    parts[victim].kill(signal.SIGKILL)
    problems = exit_problems(parts[victim].wait(), {0, -signal.SIGKILL})
    parts[victim] = start_part(case, folder, victim + 1, 3)
    problems += ended_well([part.wait() for part in parts])
    problems += published(case, folder, kills=1)
    return [f"seed {seed}, part {victim + 1} killed after {calls} calls: {p}" for p in problems]


def stop_a_part(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Stop one of two parts until the other has taken its work over, then wake it up."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    stopped = start_part(case, folder, 1, 2)
    calls = rng.randrange(1, case.questions.total() // 2)
    until(lambda: case.serving.calls >= calls, stopped)
    stopped.kill(signal.SIGSTOP)
    other = start_part(case, folder, 2, 2).wait()
    again = start_part(case, folder, 1, 2).wait()
    stopped.kill(signal.SIGCONT)
    problems = ended_well([other, again, stopped.wait()])
    problems += published(case, folder, kills=1)
    return [f"seed {seed}, stopped after {calls} calls: {p}" for p in problems]
