"""Erases a customer from what runs left in a `state_dir`.

A reply in a journal does not say which customer it is about, and a page of the customer list names
many. So no reply of a partner is kept that has the customer. See docs/decisions/0022.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from auditor import atomic_file, disk
from auditor.journal import quarantine
from auditor.journal.attempts import Attempt, Attempts, read
from auditor.journal.journal import replies
from auditor.journal.runs import RunFolder, RunHeader, Runs
from auditor.store.erasure import Traces

Row = dict[str, object]
"""A row of `store.erasure.ERASED`."""


def forget(state_dir: Path, traces: Traces, *, apply: bool) -> Iterator[Row]:
    """Yield what holds the customer; with `apply`, erase it. The caller holds all locks of runs."""
    for run in Runs(state_dir).folders():
        yield from _run(run, traces, apply=apply)
    for path in Attempts(state_dir).paths():
        yield from _waiting(path, state_dir, traces, apply=apply)


def _run(run: RunFolder, traces: Traces, *, apply: bool) -> Iterator[Row]:
    """Erase the customer from a run; the whole run if its header names the customer.

    Such a run was asked about the customer by name, so there is nothing to go on with.
    """
    if run.header is not None and _names(run.header, traces):
        files = [path for path in run.path.rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files)
        yield {"what": "run", "files": len(files), "rows": None, "bytes": size}
        if apply:
            with disk.guarded(run.path):
                shutil.rmtree(run.path)
        return
    if apply:
        atomic_file.remove_leftovers_in(run.path)
    for path in sorted(run.path.glob("*.journal")):
        yield from _journal(path, traces, apply=apply)
    for path in sorted(run.path.glob("*.quarantine")):
        yield from _quarantine(path, traces, apply=apply)
    for folder in sorted(run.path.glob("*.staged")):
        yield from _staged(folder, apply=apply)


def _names(header: RunHeader, traces: Traces) -> bool:
    """Return whether a run was asked about the customer, or its report mentions it."""
    asked = msgspec.convert(header.identity.get("--customer", []), list[str])
    report = msgspec.json.encode(header.report).decode()
    text = msgspec.json.encode(header.identity).decode()
    return (
        any(traces.is_named(each) for each in asked)
        or traces.is_mentioned(report)
        or any(each in text for each in (traces.customer_id, *traces.subscriptions))
    )


def _journal(path: Path, traces: Traces, *, apply: bool) -> Iterator[Row]:
    size = path.stat().st_size
    if not size or not (path.stem in traces.partners or _holds(path, traces)):
        return
    count = sum(1 for _ in replies(path))
    yield {"what": "raw_replies", "files": 1, "rows": count, "bytes": size}
    if apply:
        with disk.guarded(path), atomic_file.replacing(path) as file:
            file.commit()


def _holds(path: Path, traces: Traces) -> bool:
    return any(
        traces.is_mentioned(reply.body.decode("utf-8", "replace")) for reply in replies(path)
    )


def _quarantine(path: Path, traces: Traces, *, apply: bool) -> Iterator[Row]:
    before = quarantine.records(path)
    kept = [
        each
        for each in before
        if each.customer_id != traces.customer_id and not traces.is_mentioned(each.items)
    ]
    if len(kept) == len(before):
        return
    size = path.stat().st_size
    yield {"what": "quarantine", "files": 1, "rows": len(before) - len(kept), "bytes": size}
    if apply:
        quarantine.write(path, kept)


def _staged(folder: Path, *, apply: bool) -> Iterator[Row]:
    """Empty a folder of staged answers. The folder stays: it says that a run has work to finish."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    if not files:
        return
    size = sum(path.stat().st_size for path in files)
    yield {"what": "staged_answers", "files": len(files), "rows": None, "bytes": size}
    if apply:
        with disk.guarded(folder):
            shutil.rmtree(folder)
            folder.mkdir()


def _waiting(path: Path, state_dir: Path, traces: Traces, *, apply: bool) -> Iterator[Row]:
    """Erase the customer from attempts that wait for the store."""
    try:
        before = read(path)
    except msgspec.DecodeError:  # nobody can read it: its run wrote it in part
        return
    after = [
        msgspec.convert(traces.attempt(msgspec.structs.asdict(each)), Attempt) for each in before
    ]
    altered = sum(one != other for one, other in zip(before, after, strict=True))
    if altered:
        size = path.stat().st_size
        yield {"what": "waiting_attempt", "files": 1, "rows": altered, "bytes": size}
        if apply:
            with disk.guarded(path):
                Attempts(state_dir).save(after)
