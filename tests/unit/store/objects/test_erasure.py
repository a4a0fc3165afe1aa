"""P42: a customer is erased from object storage, whoever is killed or publishes meanwhile."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from auditor.errors import Superseded, UsageError
from auditor.store.objects.client import Objects
from auditor.store.objects.store import ObjectStore
from auditor.tables import ATTEMPT
from tests.builders import store_lake
from tests.builders.forgetting import needles, rows_of_others
from tests.builders.objects import (
    Ending,
    Interrupting,
    Killed,
    copied,
    faults,
    in_memory,
    machine,
    made,
    night,
    publish,
    record_attempt,
    state,
    two_nights,
)
from tests.builders.store_lake import ACME, BOND, P, Q, at, client, cover
from tests.builders.traces import found_in_files, found_in_objects


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    """Return a small store: one night, an attempt, and what a killed publisher left."""
    objects, folder = in_memory(), tmp_path_factory.mktemp("base")
    store = made(objects, folder / "writer")
    rows = {
        "coverage": [cover(), cover(ACME), cover(BOND)],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
    }
    store_lake.publish(store, "first", at(1), rows, scope=f'{{"only_customers": ["{ACME}"]}}')
    record_attempt_about(store, "run-1", "acme.example;bond.example")
    killed = machine(Interrupting(objects, end), folder / "killed")
    with pytest.raises(Killed):
        store_lake.publish(killed, "second", at(2), rows)
    return objects


def end() -> None:
    raise Killed


def record_attempt_about(store: ObjectStore, run_id: str, customers: str) -> None:
    row = {
        "run_id": run_id,
        "partner_tenant_id": P,
        "kind": "partial",
        "customers": customers,
        "started_at": at(1),
        "exit": 0,
    }
    store.record_attempts(pa.Table.from_pylist([row], schema=ATTEMPT))


def forget(store: ObjectStore, customer: str = "acme.example") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.forget(store.traces(customer), apply=True).to_pylist()
    return found


def test_no_byte_of_a_customer_is_left(tmp_path: Path) -> None:
    """Neither in the bucket nor in the copies; a dry run changes nothing."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    store, reader = machine(objects, tmp_path / "own"), machine(objects, tmp_path / "reader")
    publish(store, "second", 2, "unrestricted", scope=f'{{"only_customers": ["{ACME}", "x"]}}')
    record_attempt(store, "run-1", 1)
    record_attempt_about(store, "run-2", f"{ACME};bond.example")
    killed = machine(Interrupting(objects, end), tmp_path / "killed")
    with pytest.raises(Killed):
        publish(killed, "third", 3, "restricted")
    store.prune(timedelta(days=1), at(30), apply=True)
    before, traces = rows_of_others(reader, ACME), store.traces("acme.example")
    texts = (*needles(traces), "sub-1")
    assert {ACME, "Acme", "acme.example"} <= set(texts)

    def traced() -> list[str]:
        return found_in_objects(texts, objects, tmp_path / "all")

    found, keys = traced(), {one.key: one.etag for one in objects.list("")}
    assert {name.partition(" in ")[0] for name in found} == set(texts)
    dry = store.forget(traces, apply=False).to_pylist()
    assert {one.key: one.etag for one in objects.list("")} == keys

    assert forget(store) == dry
    assert traced() == []
    assert found_in_files(texts, tmp_path / "own") == []
    assert {(row["what"], row["files"]) for row in dry} == {
        ("coverage", 3),
        ("customer", 2),
        ("inventory", 2),
        ("snapshot", 2),
        ("attempt", 1),
    }
    after = rows_of_others(reader, ACME)
    after["attempt"], before["attempt"] = [], []
    assert after == before
    assert found_in_files(texts, tmp_path / "reader") == []
    for one in (store, reader, machine(objects, tmp_path / "new")):
        assert faults(one) == []
        assert one.arrow("coverage", customer_id=ACME).num_rows == 0
        assert one.arrow("attempt", run_id="run-2").column("customers").to_pylist() == [
            "bond.example"
        ]

    assert forget(store, ACME) == []
    with pytest.raises(UsageError):
        store.traces("acme.example")
    assert publish(reader, "third", 3, "restricted")
    assert store.snapshots().column("sequence").to_pylist() == [1, 2, 3, 6]
    assert faults(store) == []


def is_like_others(requests: list[str], number: int) -> bool:
    """Return True for a request of the same kind as those before and after it."""
    kinds = [name.partition("/")[0] for name in requests[max(0, number - 1) : number + 2]]
    return 0 < number < len(requests) - 1 and len(set(kinds)) == 1


@pytest.mark.parametrize("after", [False, True])
def test_an_erasure_killed_at_any_request_is_completed_by_the_next(
    base: Objects, tmp_path: Path, after: bool
) -> None:
    """Each snapshot is old or new; a second call, on this machine or another, erases the rest.

    The process is killed at requests that change an object. Between these nothing changes.
    """
    counting = Ending(copied(base))
    store = machine(counting, tmp_path / "whole")
    traces = store.traces(ACME)
    del counting.requests[:]
    store.forget(traces, apply=True)
    expected, requests = state(store), list(counting.requests)
    for number, name in enumerate(requests):
        if not name.startswith(("put", "delete")) or is_like_others(requests, number):
            continue
        objects, scratch = copied(base), tmp_path / f"{number}"
        ending = Ending(objects)
        killed = machine(ending, scratch)
        killed.published()
        ending.end_at(number, after=after)
        with suppress(Killed):  # other requests come first if several are sent at once
            killed.forget(traces, apply=True)
        reader = machine(objects, tmp_path / f"{number}-reader")
        assert faults(reader) == [], name
        of_others = [row for row in state(reader)["coverage"] if row["customer_id"] != ACME]
        assert of_others == expected["coverage"], name

        again = machine(objects, scratch if number % 2 else tmp_path / f"{number}-again")
        is_known = objects.list("forgetting") or ACME in str(state(reader))
        again.forget(again.traces("acme.example") if is_known else traces, apply=True)
        assert found_in_objects(needles(traces), objects, tmp_path / "all") == [], name
        final = state(again)
        assert state(reader) == final, name
        assert {**final, "snapshot": []} == {**expected, "snapshot": []}, name
        assert faults(again) == [], name
        for folder in (reader.root, again.root):
            assert found_in_files(needles(traces), folder) == [], name


def test_a_publisher_in_flight_does_not_bring_the_customer_back(tmp_path: Path) -> None:
    """It compared with rows of the customer, so it must compare again."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    traces = other.traces(ACME)
    passed = Interrupting(objects, lambda: forget(other))
    mine = machine(passed, tmp_path / "mine")
    with pytest.raises(Superseded, match="a customer was erased"):
        publish(mine, "second", 2, "restricted")
    assert found_in_objects(needles(traces), objects, tmp_path / "all") == []
    rows = night("unrestricted")
    of_bond = {name: [r for r in rows[name] if r.get("customer_id") != ACME] for name in rows}
    assert store_lake.publish(mine, "second", at(2), of_bond)
    assert other.published() == ("first", "other", "second")
    assert found_in_objects(needles(traces), objects, tmp_path / "all") == []
    assert found_in_files(needles(traces), tmp_path / "mine", tmp_path / "other") == []
    assert faults(mine) == faults(other) == []


def test_a_publisher_of_another_partner_is_refused_too(tmp_path: Path) -> None:
    """Also if a snapshot was published after the erasure."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")

    def pass_by() -> None:
        forget(other)
        store_lake.publish(other, "third", at(3), {"coverage": [cover()]}, partner_tenant_id=Q)

    with pytest.raises(Superseded, match="a customer was erased"):
        publish(machine(Interrupting(objects, pass_by), tmp_path / "mine"), "second", 2, "no")


@pytest.mark.parametrize("customer", [ACME, BOND])
def test_machines_at_work_at_once_leave_a_whole_store(tmp_path: Path, customer: str) -> None:
    """A snapshot comes just before the erasure takes its place, and then another erasure."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    texts = {one: needles(other.traces(one)) for one in (ACME, customer)}
    passed = Interrupting(
        objects,
        lambda: publish(other, "second", 2, "unrestricted"),
        lambda: forget(other, customer),
    )
    mine = machine(passed, tmp_path / "mine")
    forget(mine)
    for one in texts.values():
        assert found_in_objects(one, objects, tmp_path / "all") == []
    assert other.published() == mine.published() == ("first", "other", "second")
    assert state(mine) == state(other)
    assert faults(mine) == faults(other) == []


class BeforeSharing(Objects):
    """Objects that let something happen just before `latest.parquet` is replaced."""

    def __init__(self, objects: Objects, action: Callable[[], object]) -> None:
        super().__init__(objects.url, objects._service, identity=objects.identity)  # noqa: SLF001 - the same place
        self._action = action

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        if key == "latest.parquet":
            self._action()
        return super().replace(key, data, etag)


def test_an_index_made_before_an_erasure_is_not_shared_after_it(tmp_path: Path) -> None:
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    traces = other.traces(ACME)
    publish(
        machine(BeforeSharing(objects, lambda: forget(other)), tmp_path / "mine"),
        "second",
        2,
        "unrestricted",
    )
    assert found_in_objects(needles(traces), objects, tmp_path / "all") == []


class EndingAtPut(Objects):
    """Objects of a process that ends before its first conditional put of a manifest."""

    def __init__(self, objects: Objects) -> None:
        super().__init__(objects.url, objects._service, identity=objects.identity)  # noqa: SLF001 - the same place

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        raise Killed(key, data, etag)


def test_an_erasure_that_was_killed_is_completed_by_one_of_another_customer(
    tmp_path: Path,
) -> None:
    """It had sent files that hold the other customer."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    killed = machine(EndingAtPut(objects), tmp_path / "killed")
    texts = {one: needles(killed.traces(one)) for one in (ACME, BOND)}
    with pytest.raises(Killed):
        forget(killed)
    assert objects.list("forgetting")
    store = machine(objects, tmp_path / "store")
    forget(store, "bond.example")
    for one in texts.values():
        assert found_in_objects(one, objects, tmp_path / "all") == []
    assert objects.list("forgetting") == []
    assert faults(store) == []
