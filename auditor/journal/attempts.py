"""The attempts of runs that wait in `state_dir` until a store has them (promise P38).

An attempt here is one run's try of one partner. A run writes its attempts before it asks anything,
without `ended_at`, and once more when it ends. So a killed run leaves a file, and the next run
records it.
"""

import errno
import os
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa

from auditor import atomic_file
from auditor.errors import AuditorError
from auditor.journal.runs import is_at_work
from auditor.tables import ATTEMPT

if TYPE_CHECKING:
    from auditor.store.interface import Store

KILLED = 137


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One run's try of one partner: a row of the relation `attempt`."""

    run_id: str
    partner_tenant_id: str
    partner_name: str
    kind: str
    trigger: str
    customers: str
    started_at: datetime
    ended_at: datetime | None = None
    """None while the run works; a killed run never writes it."""
    exit: int = KILLED
    error_code: str = "E_KILLED"
    reason: str = "the process was killed; its replies are journaled"
    snapshot_id: str = ""
    calls: int = 0


_attempts = msgspec.json.Decoder(tuple[Attempt, ...])
"""Made by one thread: two partners' threads that prepare the same type at once can crash."""


def table(attempts: Iterable[Attempt]) -> pa.Table:
    """Return attempts as rows of the relation."""
    return pa.Table.from_pylist([msgspec.structs.asdict(each) for each in attempts], schema=ATTEMPT)


def read(path: Path) -> tuple[Attempt, ...]:
    """Return the attempts of one run. Raise OSError or DecodeError if they cannot be read."""
    return _attempts.decode(path.read_bytes())


class Attempts:
    """The attempts that wait in one `state_dir`."""

    def __init__(self, state_dir: Path) -> None:
        self._folder = state_dir / "attempts"
        self._runs = state_dir / "runs"

    def save(self, attempts: Iterable[Attempt]) -> None:
        """Write the attempts of one run, in place of those it wrote before.

        Raises:
            OSError: the disk refuses.
        """
        rows = tuple(attempts)
        if not rows:
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._folder.is_symlink():  # somebody made a link here: never write to its target
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(self._folder))
        with atomic_file.replacing(self._path(rows[0].run_id)) as file:
            file.write(msgspec.json.encode(rows))
            file.commit()

    def paths(self) -> list[Path]:
        """Return the files with the attempts of each run, in the order of the run ids."""
        return [] if self._folder.is_symlink() else sorted(self._folder.glob("*.json"))

    def record(self, store: "Store", now: datetime, *, mine: str = "") -> None:
        """Give a store the attempts of this run (`mine`) and of runs that no process works on.

        An attempt that the store cannot take, or that cannot be read, waits for the next run.
        """
        with suppress(OSError):
            for path in self.paths():
                if path.stem != mine and is_at_work(self._runs / path.stem):
                    continue
                with suppress(AuditorError, OSError, msgspec.DecodeError):
                    rows = read(path)
                    ended = [
                        each
                        if each.ended_at is not None
                        else msgspec.structs.replace(each, ended_at=now)
                        for each in rows
                    ]
                    store.record_attempts(table(ended))
                    path.unlink()

    def _path(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"
