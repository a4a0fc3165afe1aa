"""Nights of which every kind of data holds one customer, to be forgotten."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from auditor.journal.attempts import Attempt, Attempts
from auditor.journal.runs import Runs
from auditor.sandbox import World, WorldSize
from auditor.sandbox.world.model import Customer
from auditor.settings import KeepRaw
from auditor.store.erasure import COUNTS, Traces
from auditor.store.interface import Store
from auditor.tables import KEYS
from tests.builders.nightly import Night
from tests.builders.store_lake import at

TINY = WorldSize(
    partners=1, customers=6, products=2, regions=2, sizes_per_product=2, licence_products=3
)
SEED = 3
ALTERED = {*COUNTS, "inventory_rows", "availability_rows", "changes", "scope"}
"""The columns of `snapshot` that may change."""


def victim(world: World) -> Customer:
    """Return a customer that has changes on the second night."""
    [partner] = world.partners()
    sold = [c for c in world.customers(partner) if c.relationship == "reseller"]
    return next(c for c in sold if c.country in partner.countries)


async def live(night: Night, store: str) -> Traces:
    """Run nights that leave the customer in each relation and kind of file; return its traces."""
    settings = msgspec.structs.replace(night.settings, store=store)
    keep = msgspec.structs.replace(settings.run, keep_raw=KeepRaw.ALL)
    night.settings = msgspec.structs.replace(settings, run=keep)
    customer = victim(night.world)
    await night.run(1)
    await night.run(2)
    for name in (customer.company_name, customer.domain, customer.customer_id):
        await night.run(customers=(name,))
    runs = Runs(night.settings.state_dir)
    headers = [run.header for run in runs.folders() if run.header]
    runs.save(msgspec.structs.replace(headers[1], is_finished=False))
    waiting = Attempt(
        run_id=headers[0].run_id,
        partner_tenant_id=customer.partner_tenant_id,
        partner_name="eu",
        kind="partial",
        trigger="manual",
        customers=f"another.example;{customer.domain}",
        started_at=at(1),
        reason=f"403 for {customer.customer_id}",
    )
    Attempts(night.settings.state_dir).save([waiting])
    return night.store.traces(customer.customer_id)


def needles(traces: Traces) -> tuple[str, ...]:
    """Return what no byte may hold."""
    return (traces.customer_id, *traces.names, *traces.subscriptions)


def rows_of_others(store: Store, customer_id: str) -> dict[str, list[str]]:
    """Return every row that is not of the customer, without what an erasure recomputes."""
    return {
        relation: sorted(
            json.dumps({n: str(v) for n, v in row.items() if n not in hidden}, sort_keys=True)
            for row in store.arrow(relation).to_pylist()
            if row.get("customer_id") != customer_id
        )
        for relation in KEYS
        for hidden in (ALTERED if relation == "snapshot" else set(),)
    }


def inconsistencies(store: Store) -> Iterator[str]:
    """Yield each snapshot that does not verify, or whose counts are not those of its rows."""
    coverage = store.arrow("coverage").to_pylist()
    counted = {"inventory": "inventory_rows", "availability": "availability_rows"}
    rows = {name: store.arrow(name).to_pylist() for name in (*counted, "change")}
    for snapshot in store.arrow("snapshot").to_pylist():
        snapshot_id = snapshot["snapshot_id"]
        yield from (fault.message for fault in store.verify(snapshot_id))
        for name in COUNTS:
            found = sum(_of(coverage, snapshot_id, name))
            if snapshot[name] != found:
                yield f"{snapshot_id}: {name} is {snapshot[name]}, its cells have {found}"
        for relation, column in {**counted, "change": "changes"}.items():
            found = sum(row["snapshot_id"] == snapshot_id for row in rows[relation])
            if snapshot[column] != found:
                yield f"{snapshot_id}: {column} is {snapshot[column]}, there are {found}"


def _of(rows: list[dict[str, Any]], snapshot_id: str, name: str) -> list[int]:
    return [row[name] for row in rows if row["snapshot_id"] == snapshot_id]
