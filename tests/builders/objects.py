"""Object stores for tests: in memory, on several machines, and with an end at a chosen request."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import obstore
import pyarrow as pa
from obstore.store import MemoryStore

from auditor.errors import StoreError
from auditor.object_url import ObjectUrl
from auditor.store.objects.client import Content, Listed, Objects
from auditor.store.objects.store import ObjectStore
from auditor.tables import ATTEMPT
from tests.builders import store_lake
from tests.builders.store_lake import ACME, BOND, P, Q, Row, at, client, cover, listed, stock

BUCKETS = 4


def in_memory(*, writes: int = 0) -> Objects:
    """Return a place without objects, in this process; obstore itself is the service.

    Its ETags count the writes, so those of two places are equal unless one begins with `writes`.
    """
    objects = Objects(ObjectUrl("s3", "memory", "", ""), MemoryStore())
    for _ in range(writes):
        objects.put("probe", b"")
    objects.delete(["probe"])
    return objects


def copied(objects: Objects) -> Objects:
    """Return a place in memory with the same objects."""
    copy = in_memory()
    for one in objects.list(""):
        found = objects.get(one.key)
        assert found is not None
        copy.put(one.key, found.data)
    return copy


def machine(objects: Objects, scratch: Path, *, create: bool = False) -> ObjectStore:
    """Return the store as a machine sees it that has a scratch folder of its own."""
    scratch.mkdir(exist_ok=True)
    return ObjectStore.open("", create=create, buckets=BUCKETS, objects=objects, scratch=scratch)


def made(objects: Objects, scratch: Path) -> ObjectStore:
    """Make a store and return it."""
    return machine(objects, scratch, create=True)


def night(verdict: str, *skus: str) -> dict[str, list[Row]]:
    """Return the relations of a snapshot of two customers, whose SKUs all have one verdict."""
    names = skus or ("0001",)
    return {
        "coverage": [
            cover(),
            cover("", "DE"),
            *(cover(one, where) for one in (ACME, BOND) for where in ("", "DE")),
        ],
        "sku": [listed(sku) for sku in names],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
        "inventory": [
            stock(one, sku, verdict, at(1)) for one in (ACME, BOND) for sku in sorted(names)
        ],
    }


def publish(store: ObjectStore, snapshot_id: str, day: int, verdict: str, **given: Any) -> bool:
    """Publish a night; return whether it is new. `given` are columns of the snapshot's row."""
    return store_lake.publish(store, snapshot_id, at(day), night(verdict), **given)


def record_attempt(store: ObjectStore, run_id: str, day: int) -> None:
    """Record an attempt of a full run."""
    row = {
        "run_id": run_id,
        "partner_tenant_id": P,
        "kind": "full",
        "customers": "",
        "started_at": at(day),
        "exit": 0,
    }
    store.record_attempts(pa.Table.from_pylist([row], schema=ATTEMPT))


OF_PARTNER = {(P, ACME), (P, BOND)}
STATE = ("coverage", "inventory")


def state(store: ObjectStore) -> dict[str, list[Row]]:
    """Return the snapshots and all known rows, as a publisher reads them."""
    entries = store.index().entries
    partners = sorted({entry.partner_tenant_id for entry in entries})
    found = {
        name: [
            row
            for partner in partners
            for bucket in range(store.buckets)
            for row in store.known(name, bucket, partner).to_pylist()
        ]
        for name in STATE
    }
    return {"snapshot": [store.snapshot(one.snapshot_id) for one in entries], **found}


def verdicts(store: ObjectStore) -> dict[tuple[str, str], str]:
    """Return the known verdict of each partner and customer."""
    return {
        (row["partner_tenant_id"], row["customer_id"]): row["verdict"]
        for row in state(store)["inventory"]
    }


def faults(store: ObjectStore) -> list[StoreError]:
    return [fault for one in store.published() for fault in store.verify(one)]


def two_nights(objects: Objects, scratch: Path) -> ObjectStore:
    """Make a store with a night of each of two partners."""
    store = made(objects, scratch)
    publish(store, "first", 1, "restricted")
    publish(store, "other", 1, "restricted", partner_tenant_id=Q)
    return store


class Killed(Exception):
    """The process ended at this request."""


class Ending(Objects):
    """Objects of a process that ends before, or after, its request of a number."""

    def __init__(self, objects: Objects, *, at: int = -1, after: bool = False) -> None:
        super().__init__(objects.url, objects._service, identity=objects.identity)  # noqa: SLF001 - the same place
        self.requests: list[str] = []
        self._lock = Lock()
        self.end_at(at, after=after)

    def end_at(self, number: int, *, after: bool = False) -> None:
        """End at a request; the next one has the number 0."""
        del self.requests[:]
        self._ends_at = number
        self._ends_after = after

    @contextmanager
    def _request(self, name: str) -> Any:  # a context manager
        with self._lock:
            number = len(self.requests)
            self.requests.append(name)
        if 0 <= self._ends_at < number or (number == self._ends_at and not self._ends_after):
            raise Killed(name)
        yield
        if number == self._ends_at:
            raise Killed(name)

    def get(self, key: str) -> Content | None:
        with self._request(f"get {key}"):
            return super().get(key)

    def etag(self, key: str) -> str | None:
        with self._request(f"etag {key}"):
            return super().etag(key)

    def list(self, prefix: str) -> list[Listed]:
        with self._request(f"list {prefix}"):
            return super().list(prefix)

    def _put(self, key: str, data: bytes | Path, mode: "obstore.PutMode") -> str:
        with self._request(f"put {key}"):
            return super()._put(key, data, mode)

    def _delete(self, key: str) -> None:
        with self._request(f"delete {key}"):
            super()._delete(key)


class Interrupting(Objects):
    """Objects that let something happen just before a manifest is put, once for each action."""

    def __init__(self, objects: Objects, *actions: Callable[[], object]) -> None:
        super().__init__(objects.url, objects._service, identity=objects.identity)  # noqa: SLF001 - the same place
        self._actions = list(actions)

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        if key.startswith("manifest/") and self._actions:
            self._actions.pop(0)()
        return super().put_if_absent(key, data)
