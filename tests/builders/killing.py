"""Kills runs at seeded moments, resumes them, and holds the result against an uninterrupted run."""

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
from tests.builders.driving import Ended, Started, Warm, until
from tests.builders.serving import Serving

SMALL = WorldSize(
    partners=2, customers=10, products=3, regions=2, sizes_per_product=2, licence_products=4
)
CONNECTIONS = 4
"""Of each partner: no more of its calls are in flight at once."""
REPLY_S = 0.004
STOPS_WITHIN_S = 20.0
"""15 s is the promise; other tests are at work on the same machine."""


class Prepared:
    """A first night that was published, and what an uninterrupted second one comes to."""

    def __init__(self, serving: Serving, warm: Warm, folder: Path) -> None:
        self.serving = serving
        self.warm = warm
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
        self.asked = serving.asked()
        self.rows = comparing.told(golden / "lake")
        self.raw_replies = comparing.raw_replies(golden)

    def _whole(self, folder: Path, night: int) -> None:
        self.serving.begin(night)
        ended = self.warm.run(folder, "run", "--format", "json")
        assert ended.status == 0, ended.err

    def _snapshots(self, folder: Path) -> dict[Path, str]:
        sums = comparing.checksums((folder / "lake").glob("snapshot=*"))
        return {path.relative_to(folder): value for path, value in sums.items()}

    def fresh(self, folder: Path, *, is_mounted: bool = False) -> Path:
        """Return a folder in which only the first night was run; the second is to come."""
        if not is_mounted:
            shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._base, folder, dirs_exist_ok=is_mounted)
        self.serving.begin(2)
        return folder

    def harmed(self, folder: Path) -> list[str]:
        """P16: return the files of the first night that are not what they were."""
        now = self._snapshots(folder)
        return [f"harmed: {path}" for path, sha in self.published.items() if now.get(path) != sha]

    def problems(self, folder: Path, kills: int) -> list[str]:
        """Return everything that a folder in which the second night was resumed must not be."""
        lake = folder / "lake"
        self.serving.settle()
        wrong = comparing.partials(FolderStore.open(str(lake)))
        if not wrong:  # else there is nothing to be compared
            rows = comparing.differences(comparing.told(lake), self.rows)
            wrong = [*rows, *comparing.duplicates(lake)]
        return [
            *wrong,
            *self.harmed(folder),
            *comparing.left_over(folder),
            *self._kept(folder),
            *comparing.canaries(folder, self.serving.tokens),
            *self._repeated(kills),
        ]

    def _kept(self, folder: Path) -> list[str]:
        kept = comparing.raw_replies(folder)
        return [f"left over: raw replies: {kept}"] if kept != self.raw_replies else []

    def _repeated(self, kills: int) -> list[str]:
        """P11: a killed process loses what was in flight; what it wrote, the kernel has."""
        repeated = (self.serving.asked() - self.asked).total()
        partners = len(self.serving.sandbox.world.partners())
        allowed = kills * CONNECTIONS * partners
        lost = (self.asked - self.serving.asked()).total()
        return [
            *([f"repeated {repeated} calls, not {allowed}"] if repeated > allowed else []),
            *([f"lost: {lost} questions were never put"] if lost else []),
        ]

    def newest_run(self, folder: Path) -> tuple[str, bool] | None:
        """Return the run of the second night and whether it is finished; None where none began."""
        before = {path.name for path in (self._base / "state/runs").iterdir()}
        for path in (folder / "state/runs").iterdir():
            if path.name not in before and (path / "run.json").exists():
                header = json.loads((path / "run.json").read_bytes())
                return path.name, header["is_finished"]
        return None


@contextmanager
def prepared(seed: int, folder: Path, size: WorldSize = SMALL) -> Iterator[Prepared]:
    """Open a sandbox of a seed, and run its first night."""
    with Serving(seed, size, delay_s=REPLY_S) as serving, Warm(serving.environ) as warm:
        yield Prepared(serving, warm, folder)


def words(case: Prepared, folder: Path, rng: random.Random) -> list[str]:
    """Return how to go on: by the run's name or without it, and from the start if none began."""
    newest = case.newest_run(folder)
    if newest is None:
        return ["run", *rng.choice([[], ["--resume"]])]
    run_id, is_finished = newest
    return ["run", "--resume", *([run_id] if is_finished or rng.random() < 0.5 else [])]


def at_a_moment(case: Prepared, started: Started, rng: random.Random) -> str:
    """Wait for a moment to kill at, and return what it was."""
    match rng.choice(["time", "calls", "publishing", "publishing"]):
        case "time":
            wait = rng.uniform(0, case.seconds)
            until(lambda: False, started, for_s=wait)
            return f"after {wait:.3f} s"
        case "calls":
            seen, count = case.serving.calls, rng.randrange(case.asked.total())
            until(lambda: case.serving.calls - seen >= count, started)
            return f"after {count} calls"
        case _:
            wait = rng.uniform(0, case.seconds / 3)
            staging = started.folder / "lake/.staging"
            until(lambda: any(staging.iterdir()), started)
            until(lambda: False, started, for_s=wait)
            return f"{wait:.3f} s after staging began"


def kill_and_resume(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Kill the second night once or more, resume it, and return what is wrong with the outcome."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    store = FolderStore.open(str(folder / "lake"))
    kills = rng.choices([1, 2, 3, 4], [12, 4, 2, 1])[0]
    problems = []
    moments = []
    for _ in range(kills):
        started = case.warm.start(folder, *words(case, folder, rng), "--format", "json")
        moments.append(at_a_moment(case, started, rng))
        started.kill(signal.SIGKILL)
        problems += odd(started.wait(), {0, -signal.SIGKILL})
        problems += comparing.partials(store)
    problems += odd(case.warm.run(folder, *words(case, folder, rng), "--format", "json"), {0})
    problems += case.problems(folder, kills)
    return [f"seed {seed}, killed {', '.join(moments)}: {problem}" for problem in problems]


ENDS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


def signal_and_resume(case: Prepared, seed: int, folder: Path) -> list[str]:
    """Stop the second night with a signal or two, resume it, and return what is wrong."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    started = case.warm.start(folder, *words(case, folder, rng), "--format", "json")
    moment = at_a_moment(case, started, rng)
    signals = [rng.choice([*ENDS])]
    began = time.monotonic()
    started.kill(signals[0])
    if rng.random() < 1 / 3:
        until(lambda: False, started, for_s=rng.uniform(0, 0.05))
        signals.append(rng.choice([*ENDS]))
        started.kill(signals[1])
    # before it can catch any, and after that, the signal itself ends it: the same to a shell
    statuses = {0} | {status for one in signals for status in (ENDS[one], -one)}
    ended = started.wait()
    seconds = time.monotonic() - began
    problems = odd(ended, statuses)
    problems += [f"crash: stopping took {seconds:.1f} s"] if seconds > STOPS_WITHIN_S else []
    problems += comparing.partials(FolderStore.open(str(folder / "lake")))
    problems += odd(case.warm.run(folder, *words(case, folder, rng), "--format", "json"), {0})
    problems += case.problems(folder, kills=1)
    names = " and ".join(one.name for one in signals)
    return [f"seed {seed}, {names} {moment}: {problem}" for problem in problems]


def odd(ended: Ended, statuses: set[int]) -> list[str]:
    """P33: return what a run said or ended with that it should not."""
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
)
"""What a problem begins with."""


def tally(problems: list[str]) -> Counter[str]:
    """Count problems by what they begin with."""
    found: Counter[str] = Counter()
    for problem in problems:
        for kind in KINDS:
            found[kind] += kind in problem
        found["all"] += 1
    return found
