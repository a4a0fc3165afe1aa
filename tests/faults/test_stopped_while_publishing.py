"""Stopped while it publishes and resumed, a run tells every change that stands in the store."""

import dataclasses
import re
import signal
from collections.abc import Iterator

import msgspec
import pytest

from auditor.run.result import RunReport
from auditor.store.folder.store import FolderStore
from tests.builders import syscalls
from tests.builders.killing import SMALL, odd, prepared
from tests.builders.syscalls import Point, Publishing

FEW = dataclasses.replace(SMALL, customers=3, products=2, licence_products=3)
FAIL_ON = ("--fail-on", "newly_restricted")
MOMENTS = (
    ("flock", r"/runs/[^/]+/lock"),
    ("openat", r"\.journal"),
    ("rename", r"\.quarantine"),
    ("mkdir", r"/\.staging/[^/]+"),
    ("mkdir", r"/\.staging/[^/]+/inventory"),
    ("mkdir", r"/\.staging/[^/]+/snapshot"),
    ("openat", r"/\.staging/[^/]+/manifest\.json"),
    ("renameat2", r"/\.staging/[^/]+"),
    ("rename", r"\.journal"),
    ("rmdir", r"\.staged"),
    ("rename", r"/\.?run\."),
)
"""System calls of the first partner that publishes, and at last of the run itself.

Each is made once, on a path of its own: a second signal would end the run at once.
"""
usable = pytest.mark.skipif(not syscalls.is_usable(), reason="no strace here that may inject")


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    folder = tmp_path_factory.mktemp("stopped")
    with prepared(5, folder, FEW) as case:
        yield Publishing(case, folder)


@usable
@pytest.mark.timeout(300)
def test_a_run_stopped_while_it_publishes_is_told_whole(publishing: Publishing) -> None:
    """P11, P29: by itself, and by the run that goes on with it, `--fail-on` included."""
    ends = set()
    for place, (call, path) in enumerate(MOMENTS):
        point = found(publishing, call, path)
        ended = publishing.signalled(point, (signal.SIGTERM, signal.SIGINT)[place % 2], *FAIL_ON)
        told = report(ended.out)
        store = FolderStore.open(str(publishing.folder / "lake"))
        assert odd(ended, {(143, 130)[place % 2], 10}) == [], point
        assert told.exit == ended.status
        assert_whole(told, store)
        ends.add((sum(one.published for one in told.snapshots), ended.status == 10))

        again = publishing.resumed(*FAIL_ON, f"--resume={told.run_id}")
        whole = report(again.out)
        assert odd(again, {0 if ended.status == 10 else 10}) == [], point
        assert_whole(whole, store)
        assert all(one.published for one in whole.snapshots)
        assert whole.exit == again.status
    assert ends >= {(0, False), (2, False), (2, True)}, "stopped before, after, and too late"


@usable
def test_a_run_killed_before_it_told_is_told_by_the_next(publishing: Publishing) -> None:
    """P11: everything is published by then, and nothing of it was told."""
    out = Point("write", str(publishing.folder / "out"), 1)
    killed = publishing.signalled(out, signal.SIGKILL, *FAIL_ON)
    assert (killed.status, killed.out) == (-signal.SIGKILL, "")
    store = FolderStore.open(str(publishing.folder / "lake"))
    assert len(store.published()) == 4
    again = publishing.resumed(*FAIL_ON)
    assert odd(again, {10}) == []
    told = report(again.out)
    assert_whole(told, store)
    assert {one.reason for one in told.snapshots} == {"published before"}
    finished = publishing.resumed(*FAIL_ON, f"--resume={told.run_id}")
    assert odd(finished, {0}) == []
    assert report(finished.out).snapshots == told.snapshots


def found(publishing: Publishing, call: str, path: str) -> Point:
    """Return the last time that a call is made on the first such path."""
    points = [one for one in publishing.points if one.call == call and re.search(path, one.path)]
    return [one for one in points if one.path == points[0].path][-1]


def report(out: str) -> RunReport:
    """Return the one object that a run has written."""
    assert out.count("\n") == 1
    return msgspec.json.decode(out, type=RunReport)


def assert_whole(told: RunReport, store: FolderStore) -> None:
    """Hold a report against the store: the same snapshots, with the same changes."""
    assert len(told.snapshots) == 2
    assert told.run_id
    published = set(store.published())
    changes = store.arrow("change").to_pylist()
    for one in told.snapshots:
        assert one.published == (one.snapshot_id in published)
        assert one.published or one.reason == "E_STOPPED"
        kinds = [c["kind"] for c in changes if c["snapshot_id"] == one.snapshot_id]
        assert one.changes == {kind: kinds.count(kind) for kind in kinds}
