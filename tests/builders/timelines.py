"""Random histories of a few keys through the comparison, and what a reader of every snapshot notes.

Keys are answered, restricted, lifted and given other reasons; customers and Azure subscriptions
leave and come back; SKUs leave the catalog, come back, or ask for no check for a while; runs for
one customer cross nightly ones.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa

from auditor.store.compare import STATE
from auditor.store.interface import Store
from auditor.tables import CELL, INVENTORY_KEY
from tests.builders import diff as bench
from tests.builders.diff import ABSENT, ACME, AZURE, BOND, OPEN, OTHER, SHUT, Row, at, said
from tests.builders.store_lake import rows_table, snapshot_row

OTHER_REASON = said("restricted", "QuotaId", "westeurope")
STATES = (OPEN, OPEN, SHUT, SHUT, OTHER_REASON, ABSENT)
SKUS = ("0001", "0002", "0003")
SUBSCRIPTIONS = {ACME: (AZURE, OTHER), BOND: (AZURE,)}
GONE = ("left", "not_eligible", "not_asked")
"""A reader of snapshots sees that a key is gone, and not why."""


class Interval(NamedTuple):
    key: tuple[str, ...]
    verdict: str
    codes: str
    values: str
    valid_from: datetime
    valid_to: datetime | None
    ended_by: str


class _Noted(NamedTuple):
    row: Row
    valid_from: datetime
    checked_at: datetime


def noted(store: Store) -> list[Interval]:
    """Return what a reader who wrote down every snapshot knows of each key."""
    found: list[Interval] = []
    now: dict[tuple[str, ...], _Noted] = {}
    cells = _by_snapshot(store, "coverage")
    rows = _by_snapshot(store, "inventory")
    for snapshot in store.snapshots().to_pylist():
        name = snapshot["snapshot_id"]
        covered = {tuple(row[part] for part in CELL) for row in cells.get(name, ())}
        held = {_key(row): row for row in rows.get(name, ())}
        for key in [key for key in now if key[: len(CELL)] in covered and key not in held]:
            was = now.pop(key)
            found.append(_interval(key, was, max(snapshot["started_at"], was.checked_at), "gone"))
        for key, row in held.items():
            if key not in now:
                now[key] = _Noted(row, row["verdict_since_at"], row["checked_at"])
                continue
            was = now[key]
            begun = was.valid_from
            if _state(row) != _state(was.row):
                is_other = row["verdict"] != was.row["verdict"]
                begun = row["verdict_since_at"] if is_other else row["checked_at"]
                is_absent = row["verdict"] == "not_in_catalog"
                ended_by = "left_catalog" if is_absent else "changed"
                found.append(_interval(key, was, begun, ended_by))
            now[key] = _Noted(row, begun, row["checked_at"])
    found += [_interval(key, was, None, "") for key, was in now.items()]
    return sorted(found, key=repr)


def told(rows: Iterable[Row]) -> list[Interval]:
    """Return the rows of the view in the same form."""
    return sorted(
        (
            Interval(
                _key(row),
                *_state(row),
                row["valid_from"],
                row["valid_to"],
                "gone" if row["ended_by"] in GONE else row["ended_by"],
            )
            for row in rows
        ),
        key=repr,
    )


def _by_snapshot(store: Store, relation: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in store.arrow(relation).to_pylist():
        found.setdefault(row["snapshot_id"], []).append(row)
    return found


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in INVENTORY_KEY)


def _state(row: Row) -> tuple[str, str, str]:
    """Return the state of a row; letter case makes no other state."""
    return row["verdict"], row["reason_codes"].lower(), row["restriction_values"].lower()


def _interval(
    key: tuple[str, ...], was: _Noted, valid_to: datetime | None, ended_by: str
) -> Interval:
    return Interval(key, *_state(was.row), was.valid_from, valid_to, ended_by)


class _Run(NamedTuple):
    number: int
    began: datetime
    answers: list[Row]
    only: str = ""
    """The one customer of a narrower run."""
    newly_gone: Iterable[Row] = ()
    left: Iterable[str] = ()


class History:
    """One partner's random nights; each run is published into every store."""

    def __init__(self, seed: int, *stores: Store) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - a simulation
        self.stores = stores
        self.minute = 0.0
        self.truth: dict[tuple[str, ...], Row] = {}
        self.away: set[str] = set()
        """Customers that are not listed."""
        self.ended: dict[tuple[str, str], str] = {}
        """Azure subscriptions that are asked nothing, and why."""
        self.unasked: set[str] = set()
        """SKUs that ask for no check."""
        self.gone: dict[str, datetime] = {}
        """SKUs that the catalog does not list, and since when."""
        self.absences: dict[str, datetime] = {}
        self.covered: set[str] = set()
        """Customers whose cell has a snapshot that it did not leave in."""
        self.events: set[str] = set()
        """What happened in this history."""

    def night(self, number: int) -> None:
        """Change the world, and publish a nightly run and perhaps one for a customer."""
        self.minute = 0
        self._move()
        left = {one for one in self.away if one in self.covered}
        newly_gone = self._catalog(number)
        began = at(number)
        answers = list(self._answers(number, SUBSCRIPTIONS.keys() - self.away))
        runs = [_Run(number, began, answers, newly_gone=newly_gone, left=left)]
        if self.draw.random() < 0.3 and (here := sorted(SUBSCRIPTIONS.keys() - self.away)):
            customer = self.draw.choice(here)
            self.minute += 1
            started = at(number, self.minute)
            answers = list(self._answers(number, {customer}))
            runs.append(_Run(number, started, answers, customer))
        self.draw.shuffle(runs)
        for run in runs:
            self._publish(run)

    def _move(self) -> None:
        for customer, subscriptions in SUBSCRIPTIONS.items():
            if self.draw.random() < (0.4 if customer in self.away else 0.04):
                self.away ^= {customer}
                self.events.add("customer")
            for subscription in subscriptions:
                key = (customer, subscription)
                is_moving = self.draw.random() < (0.5 if key in self.ended else 0.07)
                if is_moving and not self.ended.pop(key, ""):
                    self.ended[key] = self.draw.choice(("left", "not_eligible"))
                    self.events.add(self.ended[key])
        for sku in SKUS:
            if self.draw.random() < (0.5 if sku in self.unasked else 0.04):
                self.unasked ^= {sku}
                self.events.add("not_asked")

    def _catalog(self, number: int) -> list[Row]:
        """Let SKUs leave the catalog or come back; return those that have left."""
        newly = []
        for sku in SKUS:
            if sku in self.gone:
                if self.draw.random() < 0.4:
                    del self.gone[sku]
                    self.events.add("returned")
            elif self.draw.random() < 0.06:
                self.minute += 1
                self.gone[sku] = at(number, self.minute)
                newly.append({**_sku(sku), "gone_at": self.gone[sku]})
                self.events.add("left_catalog")
        return newly

    def _answers(self, number: int, customers: Iterable[str]) -> Iterator[Row]:
        for customer in sorted(customers):
            for subscription in SUBSCRIPTIONS[customer]:
                for sku in SKUS:
                    if (
                        (customer, subscription) in self.ended
                        or sku in self.gone
                        or sku in self.unasked
                        or self.draw.random() < 0.25
                    ):
                        continue
                    key = (customer, subscription, sku)
                    if key not in self.truth or self.draw.random() < 0.35:
                        self.truth[key] = self.draw.choice(STATES)
                    self.minute += 0.01
                    of = bench.key(sku, customer_id=customer, subscription=subscription)
                    yield {**of, **self.truth[key], "checked_at": at(number, self.minute)}

    def _publish(self, run: _Run) -> None:
        name = f"s{run.number:03}{'b' if run.only else 'a'}"
        here = {run.only} if run.only else SUBSCRIPTIONS.keys() - self.away
        before = run.number - 1
        cells = [
            bench.cell(one, previous=before, is_baseline=one not in self.covered)
            for one in sorted(here)
        ]
        cells += [bench.cell(one, previous=before, status="left") for one in sorted(run.left)]
        listed = [_sku(sku) for sku in SKUS if sku not in self.gone]
        asked = {"arm_region": "", "by_customer": True, "by_subscription": True}
        proved = {
            "ended": [
                {
                    "customer_id": customer,
                    "country": "*",
                    "azure_subscription_id": subscription,
                    "ended_by": why,
                }
                for (customer, subscription), why in self.ended.items()
            ],
            "gone": list(run.newly_gone),
            "settled_sku": listed,
            "asked_sku": [{**one, **asked} for one in listed if one["sku_id"] not in self.unasked],
            "catalog_absence": [{**_sku(s), "gone_at": when} for s, when in self.absences.items()],
        }
        results: dict[str, pa.Table] = {}
        for store in self.stores:
            results = results or bench.compare(
                *cells,
                night=run.number,
                began=run.began,
                name=name,
                known={one: store.known(one, 0, bench.P).to_pylist() for one in STATE},
                answers={"inventory": run.answers},
                proved=proved,
                gaps=lambda rows: rows.append_column(
                    "gap_snapshots", pa.array([0] * rows.num_rows, pa.int64())
                ),
            )
            kind = "partial" if run.only else "full"
            with store.publishing(0.0) as publication:
                publication.stage(name)
                coverage = [{n: c[n] for n in ("customer_id", "country", "status")} for c in cells]
                publication.write("coverage", 0, rows_table("coverage", coverage, name))
                for relation, table in results.items():
                    publication.write(relation, 0, table)
                row: dict[str, Any] = snapshot_row(name, run.began, kind=kind)
                publication.commit(row, "c")
        self.covered = (self.covered | here) - set(run.left)
        if not run.only:
            self.absences.update(self.gone)


def _sku(sku_id: str) -> Row:
    return {
        "country": "DE",
        "reservation_scope": "AzurePlan",
        "product_id": "DZH1",
        "sku_id": sku_id,
    }
