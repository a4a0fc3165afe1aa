"""A throwaway Airflow in a temporary folder, with the DAG of `jobs/airflow` and SQLite."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from tests.builders.throwaway import free_port

REPOSITORY = Path(__file__).parents[2]
BIN = REPOSITORY / ".venv-airflow" / "bin"
DAG = "inventory_audit"
_PATIENCE_S = 300.0
_PAUSE_S = 0.5


class Run(NamedTuple):
    """What Airflow's database says of one DAG run."""

    run_id: str
    state: str
    tasks: dict[str, list[str]]
    """The states of each task, in the order of its map indexes."""
    tries: dict[str, list[int]]
    summaries: list[dict[str, Any]]
    """The XComs of the mapped task `audit`, or of `publish`."""
    events: list[dict[str, Any]]
    """The extra fields of the asset events."""


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Wait until something is true.

    Raises:
        SystemExit: it is not true after some minutes.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"airflow: {what} did not happen within {_PATIENCE_S:.0f} s")
        time.sleep(_PAUSE_S)


class Airflow:
    """One Airflow, which keeps everything in one folder."""

    def __init__(self, home: Path, environment: Mapping[str, str]) -> None:
        home.mkdir()
        self.home = home
        port = free_port()
        self._environment = {
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "HOME": str(home),
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "jobs" / "airflow"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(48),
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
            "PYTHONDONTWRITEBYTECODE": "1",
            **environment,
        }
        self.run("db", "migrate")

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run one command of Airflow and return its output."""
        ended = subprocess.run(
            [BIN / "airflow", *arguments],
            env=self._environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and ended.returncode:
            raise SystemExit(f"airflow {arguments}: {ended.stdout[-4000:]}{ended.stderr[-2000:]}")
        return ended

    def test(self, dag: str = DAG, **params: str) -> Run:
        """Run a DAG with `airflow dags test`, and return what came of it."""
        before = self.run_ids()
        self.run("dags", "test", dag, "--conf", json.dumps(params), check=False)
        (run_id,) = self.run_ids() - before
        return self.read(run_id)

    def run_ids(self) -> set[str]:
        """Return the ids of all DAG runs."""
        return {row[0] for row in self._rows("SELECT run_id FROM dag_run")}

    def read(self, run_id: str) -> Run:
        """Return a DAG run as Airflow's database has it."""
        tasks: dict[str, list[str]] = {}
        tries: dict[str, list[int]] = {}
        for task_id, state, number in self._rows(
            "SELECT task_id, state, try_number FROM task_instance WHERE run_id = ?"
            " ORDER BY task_id, map_index",
            run_id,
        ):
            tasks.setdefault(task_id, []).append(state)
            tries.setdefault(task_id, []).append(number)
        summaries = self._rows(
            "SELECT value FROM xcom WHERE run_id = ? AND task_id IN ('audit', 'publish')"
            " AND key = 'return_value' ORDER BY map_index",
            run_id,
        )
        events = self._rows(
            "SELECT extra FROM asset_event WHERE source_run_id = ? ORDER BY source_map_index",
            run_id,
        )
        ((state,),) = self._rows("SELECT state FROM dag_run WHERE run_id = ?", run_id)
        return Run(
            run_id,
            state,
            tasks,
            tries,
            [json.loads(value) for (value,) in summaries],
            [json.loads(extra) for (extra,) in events],
        )

    @contextmanager
    def scheduling(self) -> Iterator[None]:
        """Keep a scheduler, a DAG processor and an API server running."""
        log = (self.home / "standalone.log").open("w")
        with (
            log,
            subprocess.Popen(
                [BIN / "airflow", "standalone"],
                env=self._environment,
                cwd=self.home,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                wait_for(lambda: bool(self._rows("SELECT 1 FROM serialized_dag")), "its start")
                yield
            finally:
                os.killpg(process.pid, signal.SIGKILL)  # its children outlive a SIGTERM

    def trigger(self, run_id: str, **params: str) -> None:
        """Trigger a DAG run."""
        self.run("dags", "trigger", DAG, "--run-id", run_id, "--conf", json.dumps(params))

    def _rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.home / "airflow.db", timeout=60)) as con:
            return con.execute(query, values).fetchall()
