"""A run stopped while it publishes, and resumed, reports every change in the store."""

import dataclasses
import re
import signal
from collections.abc import Iterator

import msgspec
import pytest

from auditor.run.result import RunReport
from auditor.store.folder.store import FolderStore
from tests.builders import syscalls
from tests.builders.killing import SMALL, exit_problems, prepared
from tests.builders.nightly import IS_SOAK
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
"""System calls of the first partner that publishes; the last one is of the run itself.

Each call is made once on its path, because a second signal would end the run at once.
"""
FEWER = (MOMENTS[1], MOMENTS[6], MOMENTS[-1])
usable = pytest.mark.skipif(
    not syscalls.is_usable(), reason="no strace that can inject faults here"
)


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    folder = tmp_path_factory.mktemp("stopped")
    with prepared(5, folder, FEW) as case:
        yield Publishing(case, folder)


@usable
@pytest.mark.timeout(300)
def test_a_run_stopped_while_it_publishes_reports_every_change(publishing: Publishing) -> None:
    """P11, P29: its own report and that of the resumed run agree with the store and `--fail-on`."""
    ends = set()
    for place, (call, path) in enumerate(MOMENTS if IS_SOAK else FEWER):
        point = found(publishing, call, path)
        ended = publishing.signalled(point, (signal.SIGTERM, signal.SIGINT)[place % 2], *FAIL_ON)
        first = report(ended.out)
        store = FolderStore.open(str(publishing.folder / "lake"))
        assert exit_problems(ended, {(143, 130)[place % 2], 10}) == [], point
        assert first.exit == ended.status
        assert_whole(first, store)
        ends.add((sum(one.published for one in first.snapshots), ended.status == 10))

        again = publishing.resumed(*FAIL_ON, f"--resume={first.run_id}")
        whole = report(again.out)
        assert exit_problems(again, {0 if ended.status == 10 else 10}) == [], point
        assert_whole(whole, store)
        assert all(one.published for one in whole.snapshots)
        assert whole.exit == again.status
    assert ends >= {(0, False), (2, False), (2, True)}, "stopped before, after, and too late"


@usable
def test_a_run_killed_before_its_report_is_reported_by_the_next(publishing: Publishing) -> None:
    """P11: killed after everything was published, and before the first byte of its report."""
    out = Point("write", str(publishing.folder / "out"), 1)
    killed = publishing.signalled(out, signal.SIGKILL, *FAIL_ON)
    assert (killed.status, killed.out) == (-signal.SIGKILL, "")
    store = FolderStore.open(str(publishing.folder / "lake"))
    assert len(store.published()) == 4
    again = publishing.resumed(*FAIL_ON)
    assert exit_problems(again, {10}) == []
    first = report(again.out)
    assert_whole(first, store)
    assert {one.reason for one in first.snapshots} == {"published before"}
    finished = publishing.resumed(*FAIL_ON, f"--resume={first.run_id}")
    assert exit_problems(finished, {0}) == []
    assert report(finished.out).snapshots == first.snapshots


def found(publishing: Publishing, call: str, path: str) -> Point:
    """Return the last such call on the first path that matches."""
    points = [one for one in publishing.points if one.call == call and re.search(path, one.path)]
    return [one for one in points if one.path == points[0].path][-1]


def report(out: str) -> RunReport:
    """Return the one object that a run has printed."""
    assert out.count("\n") == 1
    return msgspec.json.decode(out, type=RunReport)


def assert_whole(reported: RunReport, store: FolderStore) -> None:
    """Check that report and store have the same snapshots with the same changes."""
    assert len(reported.snapshots) == 2
    assert reported.run_id
    published = set(store.published())
    changes = store.arrow("change").to_pylist()
    for one in reported.snapshots:
        assert one.published == (one.snapshot_id in published)
        assert one.published or one.reason == "E_STOPPED"
        kinds = [c["kind"] for c in changes if c["snapshot_id"] == one.snapshot_id]
        assert one.changes == {kind: kinds.count(kind) for kind in kinds}
