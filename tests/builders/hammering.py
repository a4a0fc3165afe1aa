"""Kills and restarts runs that share one quota, and counts the server's calls in any minute."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.sandbox import ServerLimits, config_text, environment_token
from tests.builders.killing import SMALL, exit_problems
from tests.builders.pacing import most_in_any
from tests.builders.run_processes import Launcher, Started
from tests.builders.serving import Serving

LIMIT = 60
"""Calls per minute of a partner in each API class; a run needs more than half a minute of them."""
CLASSES = ("customers", "catalog", "inventory")
RUNS = 4
BUSY = 0.6
"""Least share of the limit that is used: a killed run wastes the calls it had reserved."""
MINUTE_S = 60.0


class Hammered:
    """A server that refuses every call above the limit, and the runs against it."""

    def __init__(self, serving: Serving, launcher: Launcher) -> None:
        self._serving = serving
        self._launcher = launcher
        text = config_text(serving.sandbox.world, serving.sandbox.base_url, environment_token)
        for generous in ("= 60000", "= 6000"):
            text = text.replace(f"{generous}\n", f"= {LIMIT}\n")
        self._config = text.replace('shared = "none"', 'shared = "local"')

    def hammer(self, seed: int, folder: Path, *, for_s: float) -> list[str]:
        """Kill and restart runs for this time; return the problems that the server's log shows."""
        rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._serving.begin(1)
        runs = []
        for number in range(RUNS):
            own = folder / f"run{number}"
            own.mkdir(parents=True)
            (own / "auditor.toml").write_text(self._config)
            runs.append(self._begun(own, folder, rng))
        problems = []
        give_up_at = time.monotonic() + for_s
        while time.monotonic() < give_up_at:
            time.sleep(rng.uniform(0.5, 8))
            which = rng.randrange(RUNS)
            problems += self._ended(runs[which])
            runs[which] = self._begun(runs[which].folder, folder, rng)
        for one in runs:
            problems += self._ended(one)
        return [f"seed {seed}: {problem}" for problem in [*problems, *self._counted()]]

    def _begun(self, own: Path, folder: Path, rng: random.Random) -> Started:
        words = ["run", *rng.choice([[], ["--resume"], ["--resume"], ["--resume"]])]
        return self._launcher.start(own, *words, environ={"XDG_STATE_HOME": str(folder / "home")})

    def _ended(self, run: Started) -> list[str]:
        if not run.has_ended:
            run.kill()
        return exit_problems(run.wait(), {0, 3, -9})

    def _counted(self) -> list[str]:
        """P17: return a problem if a minute was over the limit, or if hardly any quota was used."""
        self._serving.settle()
        records = [r for r in self._serving.sandbox.log.records if r.api_class in CLASSES]
        refused = sum(record.status == 429 for record in records)
        most = 0
        for partner in self._serving.sandbox.world.partners():
            for api_class in CLASSES:
                where = (partner.partner_tenant_id, api_class)
                starts = [(r.time, "") for r in records if (r.partner, r.api_class) == where]
                most = max(most, most_in_any(MINUTE_S, starts))
        wrong = [f"over quota: {refused} calls too many"] if refused else []
        return wrong if most >= BUSY * LIMIT else [*wrong, f"idle: {most} calls in a minute"]


@contextmanager
def hammered(seed: int) -> Iterator[Hammered]:
    """Open a sandbox with limits of `LIMIT` calls a minute."""
    limits = ServerLimits(per_partner=dict.fromkeys(CLASSES, LIMIT))
    with Serving(seed, SMALL, limits=limits) as serving, Launcher(serving.environ) as launcher:
        yield Hammered(serving, launcher)
