"""Removes what runs left in a `state_dir`: raw replies, quarantine, run folders, attempts.

A new run removes finished runs by itself, after 14 days (`Runs.prune`). This is what `snapshots
prune --keep` adds: the user says how long, and unfinished runs go too.
"""

import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from auditor import disk
from auditor.errors import Locked
from auditor.journal.attempts import Attempts, read
from auditor.journal.runs import RunFolder, Runs, is_at_work

_KINDS = {".journal": "raw_replies", ".quarantine": "quarantine"}
"""By the end of a file's name; all other files of a run's folder are counted as `run`."""
Row = dict[str, object]
"""A row of `store.removal.PRUNED`."""


def prune(
    state_dir: Path, keep: timedelta, now: datetime, *, resume_max_age_hours: float, apply: bool
) -> Iterator[Row]:
    """Yield what the runs that began longer than `keep` ago left; with `apply`, remove it.

    A run that a process works on stays, and so does an unfinished run that `--resume` may choose.
    """
    resumable = timedelta(hours=resume_max_age_hours)
    runs = Runs(state_dir)
    for run in runs.folders():
        age = now - run.began_at
        if age > keep and not (run.is_unfinished and age <= resumable):
            yield from _run(runs, run, apply=apply)
    for path in Attempts(state_dir).paths():
        yield from _waiting(path, state_dir / "runs" / path.stem, now - keep, apply=apply)


def _run(runs: Runs, run: RunFolder, *, apply: bool) -> Iterator[Row]:
    if is_at_work(run.path):
        return
    rows = list(_rows_of(run))
    if apply:
        with suppress(Locked), runs.holding(run.path), disk.guarded(run.path):
            shutil.rmtree(run.path)
            yield from rows
    else:
        yield from rows


def _rows_of(run: RunFolder) -> Iterator[Row]:
    """Yield one row for each kind of file in a run's folder."""
    of_kind: dict[str, list[int]] = {"run": []}
    for path in sorted(run.path.rglob("*")):
        if path.is_file() and not path.is_symlink():
            of_kind.setdefault(_KINDS.get(path.suffix, "run"), []).append(path.stat().st_size)
    for what, sizes in of_kind.items():
        yield {
            "what": what,
            "id": run.path.name,
            "at": run.began_at,
            "files": len(sizes),
            "bytes": sum(sizes),
        }


def _waiting(path: Path, run: Path, older_than: datetime, *, apply: bool) -> Iterator[Row]:
    """Yield the attempts in a file that waits for the store, if their run began long ago."""
    try:
        attempts = read(path)
    except (OSError, msgspec.DecodeError):  # the run that can record them removes the file
        return
    began_at = min((attempt.started_at for attempt in attempts), default=older_than)
    if began_at >= older_than or is_at_work(run):
        return
    yield {
        "what": "waiting_attempt",
        "id": path.stem,
        "at": began_at,
        "files": 1,
        "rows": len(attempts),
        "bytes": path.stat().st_size,
    }
    if apply:
        with disk.guarded(path):
            path.unlink()
