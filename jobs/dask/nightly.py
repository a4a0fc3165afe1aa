"""Divides one run over the workers of a Dask cluster, and publishes it.

    python jobs/dask/nightly.py tcp://SCHEDULER:8786 --parts 8 --run night-2026-12-01 [-- OPTION...]

Each part is a task that starts `auditor run --part` on a worker and waits for it; the options after
`--` are those of `auditor run`. Dask keeps no state: what a part has done lies in the store, so a
task that Dask runs once more, because a worker died, does only what is left.

The workers need the `auditor` command and its configuration, in the places that these variables
name where this script is started:
    AUDITOR_COMMAND    the command, default /srv/audit/.venv/bin/auditor
    AUDITOR_CONFIG     its configuration, default /srv/audit/auditor.toml

The exit status is that of `auditor publish`, or of a part, if that is why nothing was published.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

from dask.distributed import Client, as_completed

COMMAND = os.environ.get("AUDITOR_COMMAND", "/srv/audit/.venv/bin/auditor")
CONFIG = os.environ.get("AUDITOR_CONFIG", "/srv/audit/auditor.toml")
RETRIED = frozenset({69, 75, 130, 137, 143})
"""The exit statuses after which another try can succeed (docs/jobs.md)."""
TRIES = 3
PARTS_MISSING = 75


class Ended(NamedTuple):
    """How a command ended on a worker."""

    status: int
    stdout: str
    errors: str


class TryAgain(Exception):
    """The command may succeed when Dask runs the task once more."""


def call(argv: Sequence[str], *, may_retry: bool) -> Ended:
    """Run a command on a worker; raise TryAgain if its exit status says so and `may_retry`."""
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)  # noqa: S603 - ours
    status = ran.returncode if ran.returncode >= 0 else 128 - ran.returncode
    if may_retry and status in RETRIED:
        raise TryAgain(f"{' '.join(argv)} ended with {status}: {ran.stderr[-2000:]}")
    return Ended(status, ran.stdout, ran.stderr)


def main() -> int:
    """Submit the parts, wait for them, and publish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scheduler")
    parser.add_argument("--parts", type=int, required=True)
    parser.add_argument("--run", required=True)
    parser.add_argument("options", nargs="*")
    given = parser.parse_args()
    with Client(given.scheduler) as client:
        shared = ["--run", given.run, "--config", CONFIG, *given.options]
        parts = [
            client.submit(
                call,
                [COMMAND, "run", "--part", f"{number}/{given.parts}", *shared],
                may_retry=True,
                key=f"auditor-{given.run}-{number}",
                retries=TRIES - 1,
                pure=False,
            )
            for number in range(1, given.parts + 1)
        ]
        statuses = []
        for part in as_completed(parts):
            if part.status == "error":
                sys.stderr.write(f"{part.key}: {part.exception()}\n")
                statuses.append(PARTS_MISSING)
                continue
            ended = part.result()
            if ended.status:
                sys.stderr.write(ended.errors)
            statuses.append(ended.status)
        publish = [COMMAND, "publish", given.run, "--config", CONFIG, "--format", "json"]
        published = client.submit(call, publish, may_retry=False, pure=False).result()
    sys.stdout.write(published.stdout)
    sys.stderr.write(published.errors)
    return max(statuses) if published.status == PARTS_MISSING else published.status


if __name__ == "__main__":
    sys.exit(main())
