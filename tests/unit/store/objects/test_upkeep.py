"""Pruning a store on object storage, killed at any request, and what killed publishers left."""

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from auditor.store.objects.client import Listed, Objects
from auditor.store.objects.store import ObjectStore
from auditor.tables import BULKY
from tests.builders.objects import (
    Ending,
    Interrupting,
    Killed,
    copied,
    faults,
    in_memory,
    machine,
    publish,
    record_attempt,
    state,
    two_nights,
)
from tests.builders.store_lake import at

KEEP = timedelta(days=1)
LATER = at(30)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Return a store in which the bulk of one snapshot, and one attempt, can be pruned."""
    objects = in_memory()
    store = two_nights(objects, tmp_path_factory.mktemp("base"))
    publish(store, "second", 2, "unrestricted")
    record_attempt(store, "run-1", 1)
    record_attempt(store, "run-2", 2)
    return objects


def bulk(objects: Objects, snapshot_id: str) -> set[str]:
    keys = (one.key for one in objects.list(f"snapshot={snapshot_id}"))
    return {key for key in keys if key.split("/")[2] in BULKY}


def prune(store: ObjectStore, *, apply: bool = True) -> list[tuple[str, str]]:
    return [(row["what"], row["id"]) for row in store.prune(KEEP, LATER, apply=apply).to_pylist()]


def test_pruning_removes_the_bulk_of_old_snapshots_and_old_attempts(
    base: Objects, tmp_path: Path
) -> None:
    """P38: what is known stays, and readers that are open go on."""
    objects = copied(base)
    store, reader = machine(objects, tmp_path / "pruner"), machine(objects, tmp_path / "reader")
    expected = [("snapshot", "first"), ("attempt", "run-1")]
    assert reader.arrow("inventory").num_rows == 6
    before = {one.key for one in objects.list("")}
    assert prune(store, apply=False) == expected
    assert {one.key for one in objects.list("")} == before
    (row, _) = store.prune(KEEP, LATER, apply=False).to_pylist()
    assert (row["files"], row["rows"]) == (len(bulk(objects, "first")), 5)
    known = state(reader)
    assert prune(store) == expected
    assert prune(store) == []
    assert bulk(objects, "first") == set()
    for one in (store, reader, machine(objects, tmp_path / "new")):
        assert one.arrow("inventory").num_rows == 4
        assert one.arrow("attempt").column("run_id").to_pylist() == ["run-2"]
        assert state(one) == known
        assert faults(one) == []


@pytest.mark.parametrize("after", [False, True])
def test_a_prune_killed_at_any_request_is_completed_by_the_next(
    base: Objects, tmp_path: Path, after: bool
) -> None:
    """P38, P43: at each moment what is known is whole."""
    counting = Ending(copied(base))
    store = machine(counting, tmp_path / "whole")
    known = state(store)
    del counting.requests[:]
    prune(store)
    for number, name in enumerate(counting.requests):
        objects = copied(base)
        ending = Ending(objects)
        pruner = machine(ending, tmp_path / f"{number}")
        state(pruner)
        ending.end_at(number, after=after)
        with suppress(Killed):  # other requests come first if several are sent at once
            prune(pruner)
        reader = machine(objects, tmp_path / f"{number}-reader")
        assert state(reader) == known, name
        prune(machine(objects, tmp_path / f"{number}-again"))
        assert bulk(objects, "first") == set(), name
        assert state(reader) == known, name
        assert faults(reader) == [], name


class Aged(Objects):
    """Objects that were all written at one time."""

    def __init__(self, objects: Objects, at: datetime) -> None:
        super().__init__(objects.url, objects._service, identity=objects.identity)  # noqa: SLF001 - the same place
        self._at = at

    def list(self, prefix: str) -> list[Listed]:
        return [
            Listed(key=one.key, etag=one.etag, modified_at=self._at) for one in super().list(prefix)
        ]


def end() -> None:
    raise Killed


def test_what_a_killed_publisher_left_is_removed_after_a_day(base: Objects, tmp_path: Path) -> None:
    objects = copied(base)
    for name in ("third", "fourth"):
        killed = machine(Interrupting(objects, end), tmp_path / "killed")
        with pytest.raises(Killed):
            publish(killed, name, 3, "restricted")
    publish(machine(objects, tmp_path / "again"), "fourth", 3, "restricted")
    left = objects.list("snapshot=third")
    assert left
    young, old = Aged(objects, LATER - KEEP), Aged(objects, LATER - 2 * KEEP)
    prune(machine(young, tmp_path / "young"))
    assert objects.list("snapshot=third") == left
    prune(machine(old, tmp_path / "old"))
    assert objects.list("snapshot=third") == []
    assert len({one.key.split("/")[1] for one in objects.list("snapshot=fourth")}) == 1
    reader = machine(objects, tmp_path / "reader")
    assert reader.published()[-1] == "fourth"
    assert faults(reader) == []
