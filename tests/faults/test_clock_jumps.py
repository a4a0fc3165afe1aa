"""The wall clock is set between two nights or during one: the store still equals the server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.store.folder.store import FolderStore
from tests.builders.killing import Prepared, exit_problems, prepared
from tests.builders.nightly import nights
from tests.builders.run_processes import Ended, Started, until
from tests.builders.syscalls import ONE_PARTNER

NIGHT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


@pytest.mark.asyncio
@pytest.mark.parametrize("days", [2, -2])
async def test_a_night_after_the_clock_was_set_finds_the_truth(days: int, tmp_path: Path) -> None:
    """P32, fault 29."""
    async with nights(tmp_path, 4) as night:
        await night.run(1, began=NIGHT)
        report = await night.run(2, began=NIGHT + timedelta(days=days))
        assert sum(sum(one.changes.values()) for one in report.snapshots)
        assert night.inventory() == night.inventory_truth(2)
        assert night.availability() == night.availability_truth(2)


# With two partners, one waits for the other's lock, and libfaketime breaks that `time.sleep`.
LIBRARY = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Two nights of one partner."""
    with prepared(5, tmp_path_factory.mktemp("alone"), ONE_PARTNER) as made:
        yield made


@pytest.mark.skipif(LIBRARY is None, reason="no libfaketime")
@pytest.mark.parametrize(
    ("zone", "jump"),
    [
        ("Europe/Berlin", timedelta(days=2)),
        ("America/Sao_Paulo", timedelta(days=-2)),
        ("Australia/Lord_Howe", timedelta(hours=1)),
    ],
)
def test_a_night_in_which_the_clock_is_set_finds_the_same(
    alone: Prepared, zone: str, jump: timedelta, tmp_path: Path
) -> None:
    """P32, fault 29: the clock is set after half of the calls, in a zone with summer time."""
    folder = alone.fresh(tmp_path / "night")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    environ = {
        **os.environ,
        **alone.serving.environ,
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": zone,
    }
    with subprocess.Popen(
        [sys.executable, "-m", "auditor", "run", "--format", "json"],
        cwd=folder,
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        half = alone.questions.total() // 2
        started = Started(alone.launcher, running.pid, folder, folder)
        until(lambda: alone.serving.calls >= half, started)
        clock.write_text(f"{jump.total_seconds():+.0f}")
        _, stderr = running.communicate(timeout=60)
    assert exit_problems(Ended(running.returncode, "", stderr), {0}) == []
    assert alone.problems(folder, kills=0) == []
    newest = FolderStore.open(str(folder / "lake")).snapshot("latest")
    took = newest["published_at"] - newest["started_at"]
    set_by = max(jump, timedelta())  # `published_at` is never before `started_at`
    assert abs(took - set_by) < timedelta(minutes=5), "the clock was not set"
