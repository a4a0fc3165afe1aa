"""The attempts of runs that wait in `state_dir` until a store has them (promise P38).

An attempt here is one run's try of one partner. A run writes its attempts before it asks anything,
without `ended_at`, and once more when it ends. So a killed run leaves a file, and the next run
records it.
"""

import errno
import fcntl
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
from auditor.tables import ATTEMPT

if TYPE_CHECKING:
    from auditor.store.interface import Store

KILLED = 137
_LOCK = "lock"


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


def table(attempts: Iterable[Attempt]) -> pa.Table:
    """Return attempts as rows of the relation."""
    return pa.Table.from_pylist([msgspec.structs.asdict(each) for each in attempts], schema=ATTEMPT)


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

    def record(self, store: "Store", now: datetime, *, mine: str = "") -> None:
        """Give a store the attempts of this run (`mine`) and of runs that no process works on.

        An attempt that the store cannot take, or that cannot be read, waits for the next run.
        """
        with suppress(OSError):
            for path in sorted(self._folder.glob("*.json")):
                if path.stem != mine and self._is_at_work(path.stem):
                    continue
                with suppress(AuditorError, OSError, msgspec.DecodeError):
                    rows = msgspec.json.decode(path.read_bytes(), type=tuple[Attempt, ...])
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

    def _is_at_work(self, run_id: str) -> bool:
        """Return whether a process holds the lock of a run."""
        try:
            with (self._runs / run_id / _LOCK).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False
