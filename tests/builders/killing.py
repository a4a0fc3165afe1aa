"""Kills runs at seeded moments, resumes them, and compares with an uninterrupted run."""

import json
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.sandbox import WorldSize, config_text, environment_token
from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.run_processes import Ended, Launcher, Started, until
from tests.builders.serving import Serving

SMALL = WorldSize(
    partners=2, customers=10, products=3, regions=2, sizes_per_product=2, licence_products=4
)
CONNECTIONS = 4
"""The most calls in flight for each partner."""
REPLY_S = 0.004
STOPS_WITHIN_S = 20.0
"""15 s is promised; the tests allow more because other tests load the machine."""


class Prepared:
    """A published first night, and the result of an uninterrupted second night (golden)."""

    def __init__(self, serving: Serving, launcher: Launcher, folder: Path) -> None:
        self.serving = serving
        self.launcher = launcher
        self._base = folder / "base"
        self._base.mkdir(parents=True)
        sandbox = serving.sandbox
        text = config_text(sandbox.world, sandbox.base_url, environment_token)
        text = text.replace("concurrency = 64", f"concurrency = {CONNECTIONS}")
        (self._base / "auditor.toml").write_text(text)
        self._whole(self._base, night=1)
        self.published = self._snapshots(self._base)
        golden = self.fresh(folder / "golden")
        began = time.monotonic()
        self._whole(golden, night=2)
        self.seconds = time.monotonic() - began
        self.questions = serving.questions()
        self.rows = comparing.comparable_rows(golden / "lake")
        self.raw_replies = comparing.raw_replies(golden)

    def _whole(self, folder: Path, night: int) -> None:
        self.serving.begin(night)
        ended = self.launcher.run(folder, "run", "--format", "json")
        assert ended.status == 0, ended.err

    def _snapshots(self, folder: Path) -> dict[Path, str]:
        sums = comparing.checksums((folder / "lake").glob("snapshot=*"))
        return {path.relative_to(folder): value for path, value in sums.items()}

    def fresh(self, folder: Path, *, is_mounted: bool = False) -> Path:
        """Return a folder with the first night published and the server on the second night."""
        if not is_mounted:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, folder, dirs_exist_ok=is_mounted)
        self.serving.begin(2)
        return folder

    def harmed(self, folder: Path) -> list[str]:
        """P16: return the files of the first night that have changed."""
        now = self._snapshots(folder)
        return [f"harmed: {path}" for path, sha in self.published.items() if now.get(path) != sha]

    def problems(self, folder: Path, kills: int, *, unshared: int = 0) -> list[str]:
        """Return all problems of a folder in which the second night was resumed.

        `unshared` is how many replies of a partner a killed process may have kept to itself.
        """
        lake = folder / "lake"
        self.serving.settle()
        wrong = comparing.partials(FolderStore.open(str(lake)))
        if not wrong:  # a partial snapshot cannot be compared
            rows = comparing.differences(comparing.comparable_rows(lake), self.rows)
            wrong = [*rows, *comparing.duplicates(lake)]
        return [
            *wrong,
            *self.harmed(folder),
            *comparing.left_over(folder),
            *self._kept(folder),
            *comparing.canaries(folder, self.serving.tokens),
            *self._repeated(kills, unshared),
        ]

    def _kept(self, folder: Path) -> list[str]:
        kept = comparing.raw_replies(folder)
        return [f"left over: raw replies: {kept}"] if kept != self.raw_replies else []

    def _repeated(self, kills: int, unshared: int) -> list[str]:
        """P11: a killed process loses the calls in flight, and nothing that it has written."""
        repeated = (self.serving.questions() - self.questions).total()
        partners = len(self.serving.sandbox.world.partners())
        allowed = kills * (CONNECTIONS + unshared) * partners
        lost = (self.questions - self.serving.questions()).total()
        return [
            *([f"repeated {repeated} calls, not {allowed}"] if repeated > allowed else []),
            *([f"lost: {lost} questions were never sent"] if lost else []),
        ]

    def newest_run(self, folder: Path) -> tuple[str, bool] | None:
        """Return the run of the second night and whether it is finished; None if none began."""
        before = {path.name for path in (self._base / "state/runs").iterdir()}
        for path in (folder / "state/runs").iterdir():
            if path.name not in before and (path / "run.json").exists():
                header = json.loads((path / "run.json").read_bytes())
                return path.name, header["is_finished"]
        return None


@contextmanager
def prepared(seed: int, folder: Path, size: WorldSize = SMALL) -> Iterator[Prepared]:
    """Open a sandbox and run its first two nights."""
    with Serving(seed, size, delay_s=REPLY_S) as serving, Launcher(serving.environ) as launcher:
        yield Prepared(serving, launcher, folder)


def words(case: Prepared, folder: Path, rng: random.Random) -> list[str]:
    """Return the command that goes on: with or without the run's id, or from the start."""
    newest = case.newest_run(folder)
    if newest is None:
        return ["run", *rng.choice([[], ["--resume"]])]
    run_id, is_finished = newest
    return ["run", "--resume", *([run_id] if is_finished or rng.random() < 0.5 else [])]


def at_a_moment(case: Prepared, started: Started, rng: random.Random) -> str:
    """Wait for a random moment to kill at; return its description."""
    match rng.choice(["time", "calls", "publishing", "publishing"]):
        case "time":
            wait = rng.uniform(0, case.seconds)
            until(lambda: False, started, for_s=wait)
            return f"after {wait:.3f} s"
        case "calls":
            seen, count = case.serving.calls, rng.randrange(case.questions.total())
            until(lambda: case.serving.calls - seen >= count, started)
            return f"after {count} calls"
        case _:
            wait = rng.uniform(0, case.seconds / 3)
            staging = started.folder / "lake/.staging"
            until(lambda: any(staging.iterdir()), started)
            until(lambda: False, started, for_s=wait)
            return f"{wait:.3f} s after staging began"


def kill_and_resume(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Kill the second night once or more, resume it, and return the problems."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    store = FolderStore.open(str(folder / "lake"))
    kills = rng.choices([1, 2, 3, 4], [12, 4, 2, 1])[0]
    problems = []
    moments = []
    for _ in range(kills):
        started = case.launcher.start(folder, *words(case, folder, rng), "--format", "json")
        moments.append(at_a_moment(case, started, rng))
        started.kill(signal.SIGKILL)
        problems += exit_problems(started.wait(), {0, -signal.SIGKILL})
        problems += comparing.partials(store)
    problems += exit_problems(
        case.launcher.run(folder, *words(case, folder, rng), "--format", "json"), {0}
    )
    problems += case.problems(folder, kills)
    return [f"seed {seed}, killed {', '.join(moments)}: {problem}" for problem in problems]


ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


def signal_and_resume(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Stop the second night with one or two signals, resume it, and return the problems."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    started = case.launcher.start(folder, *words(case, folder, rng), "--format", "json")
    moment = at_a_moment(case, started, rng)
    signals = [rng.choice([*ENDS])]
    began = time.monotonic()
    started.kill(signals[0])
    if rng.random() < 1 / 3:
        until(lambda: False, started, for_s=rng.uniform(0, 0.05))
        signals.append(rng.choice([*ENDS]))
        started.kill(signals[1])
    # a signal before the handlers are set ends the process itself: a shell shows the same status
    statuses = {0} | {status for one in signals for status in (ENDS[one], -one)}
    ended = started.wait()
    seconds = time.monotonic() - began
    problems = exit_problems(ended, statuses)
    problems += [f"crash: stopping took {seconds:.1f} s"] if seconds > STOPS_WITHIN_S else []
    problems += comparing.partials(FolderStore.open(str(folder / "lake")))
    problems += exit_problems(
        case.launcher.run(folder, *words(case, folder, rng), "--format", "json"), {0}
    )
    problems += case.problems(folder, kills=1)
    names = " and ".join(one.name for one in signals)
    return [f"seed {seed}, {names} {moment}: {problem}" for problem in problems]


def exit_problems(ended: Ended, statuses: set[int]) -> list[str]:
    """P33: return a problem for an unexpected exit status, a traceback or a lost task error."""
    problems = []
    if ended.status not in statuses:
        problems.append(f"crash: exit status {ended.status}: {ended.err[-500:]}")
    if "Traceback" in ended.err or "never retrieved" in ended.err:
        problems.append(f"crash: {ended.err[-2000:]}")
    return problems


KINDS = (
    "lost",
    "duplicated",
    "partial",
    "crash",
    "canary",
    "harmed",
    "left over",
    "over quota",
    "false",
    "silent",
)
"""The first word of each problem."""


def tally(problems: list[str]) -> Counter[str]:
    """Count problems by kind."""
    found: Counter[str] = Counter()
    for problem in problems:
        for kind in KINDS:
            found[kind] += kind in problem
        found["all"] += 1
    return found
