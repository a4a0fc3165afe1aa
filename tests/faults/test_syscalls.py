"""A run that fails or is killed at any system call of staging and publishing harms nothing."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.builders import syscalls
from tests.builders.killing import prepared
from tests.builders.nightly import IS_SOAK
from tests.builders.syscalls import HOW, ONE_PARTNER, Publishing

POINTS = 9 if IS_SOAK else 5
usable = pytest.mark.skipif(
    not syscalls.is_usable(), reason="no strace that can inject faults here"
)


@pytest.fixture(scope="module")
def publishing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishing]:
    folder = tmp_path_factory.mktemp("syscalls")
    with prepared(5, folder, ONE_PARTNER) as case:
        yield Publishing(case, folder)


@usable
@pytest.mark.timeout(300)
def test_a_system_call_that_fails_or_kills_harms_nothing(publishing: Publishing) -> None:
    """P10, P16, P30, P33, faults 2 and 3: a sample; `make soak-publish` tries every call.

    The kinds of harm alternate; the rename that publishes is tried with each kind.
    """
    points = publishing.points
    tried = [(points[place * len(points) // POINTS], HOW[place % 3]) for place in range(POINTS)]
    tried += [(point, how) for point in points if point.call == "renameat2" for how in HOW]
    assert [found for point, how in tried for found in publishing.tried(point, how)] == []


@usable
@pytest.mark.timeout(300)
def test_a_kill_before_any_rename_leaves_no_file_behind(publishing: Publishing) -> None:
    """P11: tried for each file with a temporary name; resuming removes the temporary file."""
    points = {
        re.sub("[0-9a-f-]{36}|[0-9]+", "", point.path): point
        for point in publishing.points
        if point.call in ("rename", "linkat") and ".staged/" not in point.path
    }
    files = (
        "a run's record, its attempts here and in the store, quarantine and journal, the latest map"
    )
    assert len(points) == 6, files
    for point in points.values():
        assert publishing.tried(point, "signal=KILL") == []


@usable
def test_everything_is_synced_before_the_rename_that_publishes(publishing: Publishing) -> None:
    """Fault 5: each file, then its folder, then the rename, then the target's folder."""
    made = [(p.call, p.path.removeprefix(str(publishing.folder))) for p in publishing.points]
    commit = next(place for place, (call, _) in enumerate(made) if call == "renameat2")
    staged = [path for call, path in made[:commit] if call == "openat" and "/.staging/" in path]
    assert any(path.endswith("manifest.json") for path in staged)
    for path in staged:
        assert made.index(("write", path)) < made.index(("fsync", path)) < commit
        folder = ("fsync", str(Path(path).parent))
        assert made.index(("fsync", path)) < made.index(folder) < commit
    assert ("fsync", "/lake") in made[commit:]
