"""Publishers on real services: some that are killed, and some on several machines at once."""

from pathlib import Path
from threading import Barrier, Thread

import pytest

from auditor.store.objects.client import Objects
from tests.builders.nightly import IS_SOAK
from tests.builders.objects import (
    OF_PARTNER,
    Ending,
    Killed,
    faults,
    machine,
    made,
    publish,
    two_nights,
    verdicts,
)
from tests.builders.store_lake import ACME, BOND


def test_on_each_service_a_killed_publisher_is_repeated(object_url: str, tmp_path: Path) -> None:
    """P43: with the requests that publish; under `make soak-truth`, with all of them."""
    objects = Objects.open(object_url)
    two_nights(objects, tmp_path / "base")
    counting = Ending(objects)
    assert publish(machine(counting, tmp_path / "a"), "second", 2, "unrestricted")
    requests = list(counting.requests)
    manifest = next(n for n, name in enumerate(requests) if name.startswith("put manifest/"))
    chosen = range(len(requests)) if IS_SOAK else (manifest - 1, manifest)
    day = 2
    for number in chosen:
        for after in (False, True):
            day += 1
            verdict = "restricted" if day % 2 else "unrestricted"
            ending = Ending(objects, at=number, after=after)
            with pytest.raises(Killed):
                publish(machine(ending, tmp_path / f"{day}"), f"night-{day}", day, verdict)
            again = machine(objects, tmp_path / "again")
            publish(again, f"night-{day}", day, verdict)
            assert {verdicts(again)[key] for key in OF_PARTNER} == {verdict}
    sequences = again.snapshots().column("sequence").to_pylist()
    assert sequences == list(range(1, len(sequences) + 1))
    assert faults(again) == []


def test_machines_that_publish_at_once_all_publish(object_url: str, tmp_path: Path) -> None:
    """P43: each at a place of its own, in an order without gaps."""
    objects = Objects.open(object_url)
    made(objects, tmp_path / "made")
    partners = [f"aaaaaaaa-0000-0000-0000-00000000000{number}" for number in range(4)]
    start = Barrier(len(partners))
    new: list[bool] = []

    def work(number: int) -> None:
        store = machine(objects, tmp_path / str(number))
        start.wait()
        new.append(
            publish(store, f"of-{number}", 1, "restricted", partner_tenant_id=partners[number])
        )

    threads = [Thread(target=work, args=(number,)) for number in range(len(partners))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader = machine(objects, tmp_path / "reader")
    assert new == [True] * len(partners)
    assert reader.snapshots().column("sequence").to_pylist() == [1, 2, 3, 4]
    assert verdicts(reader).keys() == {(p, c) for p in partners for c in (ACME, BOND)}
    assert faults(reader) == []
