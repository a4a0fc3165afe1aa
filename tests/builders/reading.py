"""Readers in separate processes that poll a store while it is published to and pruned."""

import multiprocessing
import queue
import time
from datetime import timedelta
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

from auditor.store import open_store
from auditor.store.interface import Store
from tests.builders.store_lake import at, cover, make, publish, stock

CUSTOMERS = [f"11111111-0000-0000-0000-00000000000{number}" for number in range(6)]
KEPT_DAYS = 5
PRUNED_EVERY = 5
_WHOLE = """
SELECT i.snapshot_id, count(*), min(i.sku_id), max(i.sku_id), max(s.inventory_rows)
FROM inventory AS i JOIN snapshot AS s USING (snapshot_id) GROUP BY i.snapshot_id
"""
_LATEST = "SELECT count(*), min(sku_id), max(sku_id) FROM latest_inventory"


def publish_one(store: Store, number: int) -> None:
    """Publish a snapshot in which every customer has one SKU, named by the number."""
    rows = {
        "coverage": [cover(customer, "DE") for customer in CUSTOMERS],
        "inventory": [
            stock(customer, f"{number:04}", "restricted", at(number)) for customer in CUSTOMERS
        ],
    }
    assert publish(store, f"s{number:04}", at(number), rows)


def look(store: Store) -> list[str]:
    """Return a problem for each snapshot seen in part, and for a view that changes while open."""
    problems = []
    for row in store.sql(_WHOLE).to_pylist():
        snapshot_id, count, lowest, highest, recorded = row.values()
        if (count, recorded) != (len(CUSTOMERS),) * 2 or not lowest == highest == snapshot_id[1:]:
            problems.append(f"partial: {row}")
    with store.connect() as con:
        opened = con.sql(_LATEST).fetchall()
        again = con.sql(_LATEST).fetchall()
    if opened != again or opened[0][0] != len(CUSTOMERS) or opened[0][1] != opened[0][2]:
        problems.append(f"partial: the latest was {opened}, then {again}")
    return problems


def read_until(
    root: str, is_over: Event, looks: "Synchronized[int]", found: "multiprocessing.Queue[list[str]]"
) -> None:
    """Look until `is_over`; then put the number of looks and the problems into the queue."""
    problems: list[str] = []
    while True:
        was_last = is_over.is_set()
        try:
            problems += look(open_store(root))
        except Exception as exc:  # noqa: BLE001 - whatever a reader gets is the finding
            problems.append(f"crash: {type(exc).__name__}: {exc}")
        looks.value += 1
        if was_last:
            break
    found.put([str(looks.value), *problems])


def wait_for_looks(each: "list[Synchronized[int]]", more: int) -> None:
    """Wait until every reader has looked `more` times more."""
    wanted = [looks.value + more for looks in each]
    give_up_at = time.monotonic() + 120
    while any(looks.value < want for looks, want in zip(each, wanted, strict=True)):
        if time.monotonic() > give_up_at:
            raise TimeoutError("a reader has stopped looking")
        time.sleep(0.001)


def publishes_and_reads(folder: Path, publishes: int, readers: int) -> tuple[int, list[str]]:
    """Publish and prune while readers poll; return the number of their looks, and the problems."""
    store = make(folder)
    publish_one(store, 1)
    spawn = multiprocessing.get_context("spawn")
    is_over = spawn.Event()
    found: multiprocessing.Queue[list[str]] = spawn.Queue()
    counts = [spawn.Value("q", 0) for _ in range(readers)]
    processes = [
        spawn.Process(target=read_until, args=(str(store.root), is_over, looks, found), daemon=True)
        for looks in counts
    ]
    for process in processes:
        process.start()
    wait_for_looks(counts, 1)
    for number in range(2, publishes + 2):
        publish_one(store, number)
        if number % PRUNED_EVERY == 0:
            # a prune keeps whole months, so it deletes nothing that a reader has open
            wait_for_looks(counts, 2)
            store.prune(timedelta(days=KEPT_DAYS), at(number), apply=True)
    is_over.set()
    looks, problems = 0, []
    for _ in processes:
        try:
            count, *reported = found.get(timeout=60)
        except queue.Empty:
            problems.append("crash: a reader does not report")
            continue
        looks += int(count)
        problems += reported
    for process in processes:
        process.join(60)
    problems += [
        f"harmed: {problem.message}"
        for snapshot_id in store.index().by_id
        for problem in store.verify(snapshot_id)
    ]
    return looks, problems
