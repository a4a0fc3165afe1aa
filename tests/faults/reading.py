"""Readers in processes of their own, polling a store that is published to and pruned meanwhile."""

import multiprocessing
import queue
from datetime import timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

from store_lake import at, cover, make, publish, stock

from auditor.store import open_store
from auditor.store.parquet import FolderStore

CUSTOMERS = [f"11111111-0000-0000-0000-00000000000{number}" for number in range(6)]
KEPT_DAYS = 5
PRUNED_EVERY = 5
_WHOLE = """
SELECT i.snapshot_id, count(*), min(i.sku_id), max(i.sku_id), max(s.inventory_rows)
FROM inventory AS i JOIN snapshot AS s USING (snapshot_id) GROUP BY i.snapshot_id
"""
_LATEST = "SELECT count(*), min(sku_id), max(sku_id) FROM latest_inventory"


def publish_one(store: FolderStore, number: int) -> None:
    """Publish a snapshot in which every customer has the one SKU of that number."""
    rows = {
        "coverage": [cover(customer, "DE") for customer in CUSTOMERS],
        "inventory": [
            stock(customer, f"{number:04}", "restricted", at(number)) for customer in CUSTOMERS
        ],
    }
    assert publish(store, f"s{number:04}", at(number), rows)


def look(store: FolderStore) -> list[str]:
    """Return what is not whole of what is seen now, or does not stay as it was opened."""
    problems = []
    for row in store.sql(_WHOLE).to_pylist():
        snapshot_id, count, lowest, highest, said = row.values()
        if (count, said) != (len(CUSTOMERS),) * 2 or not lowest == highest == snapshot_id[1:]:
            problems.append(f"partial: {row}")
    with store.connect() as con:
        opened = con.sql(_LATEST).fetchall()
        again = con.sql(_LATEST).fetchall()
    if opened != again or opened[0][0] != len(CUSTOMERS) or opened[0][1] != opened[0][2]:
        problems.append(f"partial: the latest was {opened}, then {again}")
    return problems


def read_until(
    root: str, is_over: Event, is_ready: Event, found: "multiprocessing.Queue[list[str]]"
) -> None:
    """Look again and again, then tell what was wrong, the number of looks first."""
    problems: list[str] = []
    looks = 0
    while True:
        was_last = is_over.is_set()
        try:
            problems += look(open_store(root))
        except Exception as exc:  # noqa: BLE001 - whatever a reader gets is the finding
            problems.append(f"crash: {type(exc).__name__}: {exc}")
        looks += 1
        is_ready.set()
        if was_last:
            break
    found.put([str(looks), *problems])


def publishes_and_reads(folder: Path, publishes: int, readers: int) -> tuple[int, list[str]]:
    """Publish and prune under the eyes of readers; return how often they looked, and problems."""
    store = make(folder)
    publish_one(store, 1)
    spawn = multiprocessing.get_context("spawn")
    is_over = spawn.Event()
    found: multiprocessing.Queue[list[str]] = spawn.Queue()
    processes = []
    for _ in range(readers):
        is_ready = spawn.Event()
        process = spawn.Process(
            target=read_until, args=(str(store.root), is_over, is_ready, found), daemon=True
        )
        process.start()
        processes.append(process)
        is_ready.wait(60)
    for number in range(2, publishes + 2):
        publish_one(store, number)
        if number % PRUNED_EVERY == 0:
            store.prune(timedelta(days=KEPT_DAYS), at(number), apply=True)
    is_over.set()
    looks, problems = 0, []
    for _ in processes:
        try:
            count, *told = found.get(timeout=60)
        except queue.Empty:
            problems.append("crash: a reader says nothing")
            continue
        looks += int(count)
        problems += told
    for process in processes:
        process.join(60)
    problems += [
        f"harmed: {problem.message}"
        for snapshot_id in store.index().by_id
        for problem in store.verify(snapshot_id)
    ]
    return looks, problems
