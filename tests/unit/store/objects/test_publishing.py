"""A store on object storage: a snapshot is there as a whole or not at all, whoever is killed."""

from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from auditor.errors import StoreError, StoreFailed, Superseded
from auditor.store.objects.client import Objects
from tests.builders.nightly import IS_SOAK
from tests.builders.objects import (
    OF_PARTNER,
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
    state,
    two_nights,
    verdicts,
)
from tests.builders.store_lake import Q, at
from tests.builders.store_lake import publish as publish_rows


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Objects:
    objects = in_memory()
    two_nights(objects, tmp_path_factory.mktemp("base"))
    return objects


@pytest.fixture(scope="module")
def whole(base: Objects, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str], object]:
    """Return the requests of a publisher that nothing disturbs, and the rows after it."""
    ending = Ending(copied(base))
    store = machine(ending, tmp_path_factory.mktemp("whole"))
    assert publish(store, "second", 2, "unrestricted")
    requests = list(ending.requests)
    assert faults(store) == []
    return requests, state(store)


def is_like_the_one_before(requests: list[str], number: int) -> bool:
    """Return True for all but the first of the requests for the columns of the relations."""
    return number > 0 and all("_schema/" in name for name in requests[number - 1 : number + 1])


@pytest.mark.parametrize("first", [0, 1] if IS_SOAK else [0])
def test_a_publisher_killed_at_any_request_leaves_the_old_state_or_the_new(
    base: Objects, whole: tuple[list[str], object], tmp_path: Path, first: int
) -> None:
    """P43: whoever publishes next, on this machine or another, ends with the same store.

    The publisher is killed before and after a request in turn, beginning with `first`.
    """
    requests, expected = whole
    before = state(machine(base, tmp_path / "before"))
    seen = set()
    for number, name in enumerate(requests):
        if is_like_the_one_before(requests, number):
            continue
        objects, scratch = copied(base), tmp_path / str(number)
        with pytest.raises(Killed):
            publish(
                machine(Ending(objects, at=number, after=bool((first + number) % 2)), scratch),
                "second",
                2,
                "unrestricted",
            )
        reader = machine(objects, tmp_path / f"{number}-reader")
        is_new = "second" in reader.published()
        assert state(reader) == (expected if is_new else before), name
        seen.add(is_new)

        again = machine(objects, scratch if number % 2 else tmp_path / f"{number}-again")
        assert publish(again, "second", 2, "unrestricted") is not is_new, name
        assert state(reader) == expected, name
        assert faults(reader) == [], name
    assert seen == {False, True}


@pytest.mark.parametrize("after", [False, True])
def test_a_maker_killed_at_any_request_leaves_a_store_or_none(tmp_path: Path, after: bool) -> None:
    ending = Ending(in_memory())
    made(ending, tmp_path / "whole")
    for number in range(len(ending.requests)):
        if is_like_the_one_before(ending.requests, number):
            continue
        objects = in_memory()
        with pytest.raises(Killed):
            made(Ending(objects, at=number, after=after), tmp_path / f"{number}")
        store = made(objects, tmp_path / f"{number}")
        assert publish(store, "first", 1, "restricted")
        assert len(verdicts(store)) == 2


def test_a_publisher_passed_by_another_partners_takes_the_next_place(tmp_path: Path) -> None:
    """P43: its rows do not depend on the other partner's, so it compares nothing again."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")

    def pass_by(name: str) -> Callable[[], object]:
        return lambda: publish(other, name, 2, "unrestricted", partner_tenant_id=Q)

    passed = Interrupting(objects, pass_by("second-of-q"), pass_by("third-of-q"))
    assert publish(machine(passed, tmp_path / "mine"), "second", 2, "unrestricted")

    reader = machine(objects, tmp_path / "reader")
    assert reader.published() == ("first", "other", "second-of-q", "third-of-q", "second")
    assert reader.snapshots().column("sequence").to_pylist() == [1, 2, 3, 4, 5]
    assert set(verdicts(reader).values()) == {"unrestricted"}
    assert faults(reader) == []


def test_a_publisher_passed_by_its_own_partner_publishes_nothing(tmp_path: Path) -> None:
    """P43, P5: it compared with a state that is no longer the newest."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    passed = Interrupting(objects, lambda: publish(other, "faster", 2, "unrestricted"))
    mine = machine(passed, tmp_path / "mine")
    with pytest.raises(Superseded) as caught:
        publish(mine, "slower", 2, "restricted")
    assert "snapshot faster of this partner" in caught.value.message
    assert mine.published() == ("first", "other", "faster")
    assert publish(mine, "slower", 2, "restricted")
    assert {verdicts(other)[key] for key in OF_PARTNER} == {"restricted"}


def test_the_same_run_published_from_two_machines_is_published_once(tmp_path: Path) -> None:
    """P12, P43."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    passed = Interrupting(objects, lambda: publish(other, "second", 2, "unrestricted"))
    mine = machine(passed, tmp_path / "mine")
    assert not publish(mine, "second", 2, "unrestricted")
    assert not publish(mine, "second", 2, "unrestricted")
    assert other.published() == mine.published() == ("first", "other", "second")
    assert faults(mine) == []
    with pytest.raises(StoreError, match="with another configuration"):
        publish(mine, "second", 2, "unrestricted", config_hash="another")


def test_a_reader_always_sees_one_whole_state(tmp_path: Path) -> None:
    """P43: while snapshots are published, all verdicts that it reads are of one snapshot."""
    objects = in_memory()
    writer = two_nights(objects, tmp_path / "writer")
    reader = machine(objects, tmp_path / "reader")
    seen: list[set[str]] = []
    ended = False

    def read() -> None:
        while not ended:
            found = verdicts(reader)
            seen.append({found[key] for key in OF_PARTNER})

    thread = Thread(target=read)
    thread.start()
    try:
        for day in range(2, 8):
            verdict = "restricted" if day % 2 else "unrestricted"
            publish(writer, f"night-{day}", day, verdict)
            assert {verdicts(reader)[key] for key in OF_PARTNER} == {verdict}
    finally:
        ended = True
        thread.join()
    assert seen
    assert all(len(one) == 1 for one in seen)


def test_a_service_without_conditional_writes_is_refused(tmp_path: Path) -> None:
    class Unconditional(Ending):
        def put_if_absent(self, key: str, data: bytes) -> str | None:
            self.put(key, data)
            return "written"

    with pytest.raises(StoreFailed, match="no conditional writes"):
        made(Unconditional(in_memory()), tmp_path / "scratch")


def end() -> None:
    raise Killed


def test_rows_of_a_refused_publisher_are_never_read(tmp_path: Path) -> None:
    """P43: its objects have a token of their own, also for the same snapshot."""
    objects = in_memory()
    other = two_nights(objects, tmp_path / "other")
    killed = machine(Interrupting(objects, end), tmp_path / "killed")
    with pytest.raises(Killed):
        publish(killed, "second", 2, "restricted")
    assert publish_rows(other, "second", at(2), night("unrestricted", "0001", "0002"))
    tokens = {one.key.split("/")[1] for one in objects.list("snapshot=second")}
    assert len(tokens) == 2
    reader = machine(objects, tmp_path / "reader")
    assert {verdicts(reader)[key] for key in OF_PARTNER} == {"unrestricted"}
    assert faults(reader) == []
