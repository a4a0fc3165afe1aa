"""Readers see a snapshot whole or not at all while others publish and prune."""

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from auditor.errors import Locked
from auditor.store import open_store
from tests.builders.reading import CUSTOMERS, look, publish_one, publishes_and_reads
from tests.builders.store_lake import make


def test_readers_see_whole_snapshots_only(tmp_path: Path) -> None:
    """P10, fault 33."""
    looks, problems = publishes_and_reads(tmp_path, publishes=10, readers=2)
    assert problems == []
    assert looks >= 4


def test_a_partial_snapshot_is_found(tmp_path: Path) -> None:
    """The readers' check finds a missing file."""
    store = make(tmp_path)
    publish_one(store, 1)
    publish_one(store, 2)
    assert look(store) == []
    next((store.root / "snapshot=s0002/inventory").iterdir()).unlink()
    with pytest.raises(Exception, match="inventory"):
        look(open_store(str(store.root)))


def publish_slowly(root: str, staged: Event, go_on: Event) -> None:
    """Stage a snapshot, wait for `go_on`, drop it, and publish the second snapshot."""
    store = open_store(root)
    with store.publishing(0.0) as publication:
        publication.stage("s0009")
        staged.set()
        go_on.wait(60)
    publish_one(store, 2)


def test_a_stopped_publisher_keeps_its_lock_and_publishes_correctly_later(
    tmp_path: Path,
) -> None:
    """P14, fault 11, docs/decisions/0012: no other process gets the lock of a stopped publisher."""
    store = make(tmp_path)
    publish_one(store, 1)
    spawn = multiprocessing.get_context("spawn")
    staged, go_on = spawn.Event(), spawn.Event()
    writer = spawn.Process(target=publish_slowly, args=(str(store.root), staged, go_on))
    writer.start()
    assert staged.wait(60)
    assert writer.pid is not None
    os.kill(writer.pid, signal.SIGSTOP)
    now = [0.0]
    with (
        pytest.raises(Locked, match="another publisher holds") as refusal,
        store.publishing(600.0, lambda: now[0], lambda s: now.__setitem__(0, now[0] + 60 * s)),
    ):
        pytest.fail("a stopped publisher lost its lock")
    assert refusal.value.exit_status == 75
    assert [one.name for one in (store.root / ".staging").iterdir()] == ["s0009"]
    os.kill(writer.pid, signal.SIGCONT)
    go_on.set()
    writer.join(60)
    assert writer.exitcode == 0
    publish_one(store, 3)
    assert [entry.sequence for entry in store.index().entries] == [1, 2, 3]
    assert look(open_store(str(store.root))) == []
    assert store.arrow("latest_inventory").num_rows == len(CUSTOMERS)
