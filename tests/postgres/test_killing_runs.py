"""A run killed at any instant and resumed publishes the rows of an uninterrupted one."""

import dataclasses
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

from auditor.sandbox import config_text, environment_token
from auditor.store.postgres.store import PostgresStore
from auditor.tables import SCHEMAS
from tests.builders import comparing
from tests.builders.database_logins import as_superuser
from tests.builders.killing import CONNECTIONS, REPLY_S, SMALL, exit_problems
from tests.builders.nightly import IS_SOAK
from tests.builders.run_processes import Ended, Launcher, Started, until
from tests.builders.serving import Serving

POINTS = 5 if IS_SOAK else 2
FEW = dataclasses.replace(SMALL, customers=6)


class Prepared:
    """A published first night, and the result of an uninterrupted second one."""

    def __init__(self, serving: Serving, launcher: Launcher, folder: Path, url: str) -> None:
        self.serving = serving
        self.launcher = launcher
        self._base = folder / "base"
        self._base.mkdir()
        self._base_url = url
        sandbox = serving.sandbox
        text = config_text(sandbox.world, sandbox.base_url, environment_token)
        text = text.replace("concurrency = 64", f"concurrency = {CONNECTIONS}")
        (self._base / "auditor.toml").write_text(text)
        serving.begin(1)
        assert self.run(self._base, url, "run").status == 0
        golden = folder / "golden"
        golden_url = self.fresh(golden, 0)
        began = time.monotonic()
        assert self.run(golden, golden_url, "run").status == 0
        self.seconds = time.monotonic() - began
        self.questions = serving.questions()
        self.rows = comparable_rows(golden_url)

    def start(self, folder: Path, url: str, *words: str) -> Started:
        environ = {"AUDITOR_STORE": url}
        return self.launcher.start(folder, *words, "--format", "json", environ=environ)

    def run(self, folder: Path, url: str, *words: str) -> Ended:
        return self.start(folder, url, *words).wait()

    def fresh(self, folder: Path, number: int) -> str:
        """Return a database with only the first night published."""
        base = make_url(self._base_url)
        copy = base.set(database=f"{base.database}_{number}")
        with as_superuser(base.set(database="postgres").render_as_string()) as con:
            con.autocommit = True
            con.execute(f"CREATE DATABASE {copy.database} TEMPLATE {base.database}".encode())
        shutil.copytree(self._base, folder)
        self.serving.begin(2)
        return copy.render_as_string()

    def words(self, folder: Path) -> list[str]:
        """Return the arguments to go on: resume the run by name, or start one if none began."""
        before = {path.name for path in (self._base / "state/runs").iterdir()}
        begun = [
            path.name
            for path in (folder / "state/runs").iterdir()
            if path.name not in before and (path / "run.json").exists()
        ]
        return ["run", *(f"--resume={name}" for name in begun)]

    def problems(self, folder: Path, url: str, kills: int) -> list[str]:
        """Return every difference between a resumed second night and an uninterrupted one."""
        self.serving.settle()
        repeated = (self.serving.questions() - self.questions).total()
        allowed = kills * CONNECTIONS * len(self.serving.sandbox.world.partners())
        with as_superuser(url) as con:
            staged = con.execute(
                "SELECT relname FROM pg_stat_user_tables WHERE relname LIKE 'staged%%' AND"
                " (xpath('/row/c/text()', query_to_xml('SELECT count(*) AS c FROM '"
                " || relid::regclass, false, true, '')))[1]::text <> '0'"
            ).fetchall()
        return [
            *partials(url),
            *comparing.differences(comparable_rows(url), self.rows),
            *comparing.canaries(folder, self.serving.tokens),
            *([f"repeated {repeated} calls, not {allowed}"] if repeated > allowed else []),
            *(f"left over: {name}" for (name,) in staged),
        ]


def comparable_rows(url: str) -> comparing.Rows:
    """Return the rows of every relation in a form in which two runs can be compared."""
    store = PostgresStore.open(url)
    snapshots = store.sql("SELECT snapshot_id, partner_tenant_id FROM snapshot ORDER BY sequence")
    rows = {
        relation: store.sql(
            f"SELECT * FROM {'current_remembered' if relation == 'remembered' else relation}"
        ).to_pylist()
        for relation in SCHEMAS
    }
    return comparing.comparable([tuple(row.values()) for row in snapshots.to_pylist()], rows)


def partials(url: str) -> list[str]:
    store = PostgresStore.open(url)
    return [f"partial: {e.message}" for one in store.published() for e in store.verify(one)]


def at_a_moment(case: Prepared, url: str, started: Started, rng: random.Random) -> str:
    """Wait for a moment to kill at, and return its description."""
    if rng.random() < 1 / 3:
        seen, count = case.serving.calls, rng.randrange(1, case.questions.total())
        until(lambda: case.serving.calls - seen >= count, started)
        return f"after {count} calls"
    with as_superuser(url) as con:
        con.autocommit = True

        def is_publishing() -> bool:
            row = con.execute("SELECT epoch FROM store").fetchone()
            return row is not None and row != before

        before = con.execute("SELECT epoch FROM store").fetchone()
        until(is_publishing, started)
    wait = rng.uniform(0, case.seconds / 2)
    until(lambda: False, started, for_s=wait)
    return f"{wait:.3f} s after publishing began"


@contextmanager
def prepared(folder: Path, url: str) -> Iterator[Prepared]:
    serving = Serving(5, FEW, delay_s=REPLY_S)
    with serving, Launcher(serving.environ) as launcher:
        yield Prepared(serving, launcher, folder, url)


@pytest.mark.timeout(600)
def test_a_killed_run_is_resumed_row_for_row(store_url: str, tmp_path: Path) -> None:
    """P10, P11, S1, fault 1: a failure names the seed that repeats it."""
    with prepared(tmp_path, store_url) as case:
        for seed in range(1, POINTS + 1):
            rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
            folder = tmp_path / f"killed-{seed}"
            url = case.fresh(folder, seed)
            moments = []
            kills = rng.choice([1, 1, 2])
            for _ in range(kills):
                started = case.start(folder, url, *case.words(folder))
                moments.append(at_a_moment(case, url, started, rng))
                started.kill(signal.SIGKILL)
                wrong = [*exit_problems(started.wait(), {0, -signal.SIGKILL}), *partials(url)]
                assert wrong == [], (seed, moments)
            wrong = exit_problems(case.run(folder, url, *case.words(folder)), {0})
            wrong += case.problems(folder, url, kills)
            assert wrong == [], (seed, moments)
