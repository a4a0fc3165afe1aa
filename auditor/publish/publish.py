"""Turns one partner's settled questions into a published snapshot.

The answers are made into rows before the publish lock is taken. While the lock is held, each bucket
is compared and merged with the rows that are published at that moment.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.diff.facts import tables
from auditor.diff.parts import Part, Parts
from auditor.errors import Superseded
from auditor.model import Cell, FailedListing, Settled, Sku, bucket_of
from auditor.normalize.settled import RowValues, settled_table, table_of
from auditor.normalize.staged import ANSWERS, AT_ONCE, SUSPECTS, Staged
from auditor.plan.plan import Plan
from auditor.publish import later_runs
from auditor.publish.coverage import Counts, cells
from auditor.publish.outcomes_on_disk import Outcomes
from auditor.publish.snapshot import Published, Snapshot
from auditor.publish.unlisted import Unknown, placed, unknown_share, unlisted
from auditor.scope import recall
from auditor.scope.found import Found
from auditor.store.compare import NONE_AFFECTED, THIS, Diff
from auditor.store.interface import Store
from auditor.tables import SCHEMAS, TEXT
from auditor.version import __version__

LOCK_WAIT_S = 600.0
"""Seconds that a publisher waits for another publisher of the same store."""
COMPARISONS = 5
"""How often a publisher compares before it gives up, if other machines publish the same partner."""
_DESCRIBING = ("customer", "azure_subscription", "commerce_subscription", "sku")


class Publisher:
    """Publishes one partner's snapshot. All calls block: use a thread."""

    def __init__(
        self,
        store: Store,
        found: Found,
        plan: Plan,
        staged: Staged,
        *,
        at_start: Mapping[Cell, str],
        now: Callable[[], datetime],
    ) -> None:
        """`staged` holds the answers, `at_start` each cell's newest snapshot when the run began."""
        self._store = store
        self._found = found
        self._plan = plan
        self._staged = staged
        self._at_start = at_start
        self._now = now
        self._failed_listings: dict[str, list[tuple[Cell, FailedListing]]] = defaultdict(list)
        for cell, failed in placed(found):
            self._failed_listings[cell.customer_id].append((cell, failed))
        self._listed_now = {c.customer.customer_id: c for c in found.customers if not c.left}
        self.at_once = AT_ONCE

    def publish(self, snapshot: Snapshot, settled: Sequence[Settled]) -> Published:
        """Publish the staged answers and the outcome of each check.

        Raises:
            Locked: another publisher did not finish in time.
            Superseded: other machines published snapshots of the partner in each comparison.
            StoreError: the store failed; nothing is published.
        """
        counts: dict[Cell, Counts] = defaultdict(Counts)
        total, keys = Counts(), Counts()
        for each in settled:
            for check in each.question.checks:
                counts[check.cell].add(each.outcome)
                total.add(each.outcome)
                keys.add(each.outcome, len(self._plan.skus_of(check)) or 1)
        unknown = Unknown(
            list_ended_after=self._found.list_ended_after,
            customers=unknown_share(self._found, counts),
            checks=max(total.failed_share, keys.failed_share),
        )
        for _ in range(COMPARISONS - 1):
            with suppress(Superseded):
                return self._publish(snapshot, settled, counts, total, unknown)
        return self._publish(snapshot, settled, counts, total, unknown)

    def _bucket(self, customer_id: str) -> int:
        return bucket_of(customer_id, self._store.buckets)

    def _publish(
        self,
        snapshot: Snapshot,
        settled: Sequence[Settled],
        counts: Mapping[Cell, Counts],
        total: Counts,
        unknown: Unknown,
    ) -> Published:
        kinds: Counter[str] = Counter()
        rows: Counter[str] = Counter()
        with self._store.publishing(LOCK_WAIT_S) as publication:
            if not publication.stage(snapshot.snapshot_id):
                publication.commit(self._row(snapshot, "", total), snapshot.config_hash)
                return self._published_before(snapshot.snapshot_id, total)
            previous = recall.published(self._store, snapshot.partner_tenant_id)
            later = later_runs.find(
                self._store,
                self._found,
                previous,
                snapshot_id=snapshot.snapshot_id,
                scope=snapshot.scope,
            )
            covered = cells(
                self._found,
                counts,
                previous,
                self._at_start,
                snapshot.cell_scope,
                later=later,
            )
            superseded = {
                (cell.customer_id, cell.country)
                for cell, before in previous.items()
                if self._at_start.get(cell, "") != before.snapshot_id
            }
            facts = tables(
                self._found,
                self._plan,
                superseded,
                listed_later=later.customers,
                not_asked_later=later.not_asked,
            )
            this = table_of(THIS, [_this_row(snapshot)])
            results = self._results({**facts, "this": this}, covered, settled, snapshot)
            for relation, bucket, table in results:
                publication.write(relation, bucket, table)
                rows[relation] += table.num_rows
                if relation == "change":
                    kinds.update(_kinds_not_suspect(table))
            why = unknown.why_incomplete(snapshot.max_failed_share)
            status = "incomplete" if why else "complete"
            row = self._row(snapshot, status, total)
            if not publication.commit(row, snapshot.config_hash):
                return self._published_before(snapshot.snapshot_id, total)
        return Published(
            snapshot_id=snapshot.snapshot_id,
            status=status,
            why_incomplete=why,
            checks=total,
            rows={name: rows[name] for name in ("inventory", "availability")},
            changes=dict(sorted(kinds.items())),
        )

    def _published_before(self, snapshot_id: str, total: Counts) -> Published:
        """Return a snapshot that an earlier attempt published without getting the confirmation."""
        row = self._store.snapshot(snapshot_id)
        return Published(
            snapshot_id=snapshot_id,
            status=row["status"],
            checks=total,
            rows={name: row[f"{name}_rows"] for name in ("inventory", "availability")},
            changes=changes_in(self._store, snapshot_id),
        )

    def _results(
        self,
        facts: Mapping[str, pa.Table],
        covered: pa.Table,
        settled: Sequence[Settled],
        snapshot: Snapshot,
    ) -> Iterator[tuple[str, int, pa.Table]]:
        """Yield the rows of each relation and bucket after this snapshot.

        In a bucket of several chunks, answers are yielded chunk by chunk. All other rows are
        yielded when the whole bucket is compared. There are two reasons: the catalog is compared
        last, but its rows come first; and outcomes are sorted by check id, which is a hash.
        """
        parts = Parts(
            self._store,
            self._staged,
            covered.column("customer_id").unique().to_pylist(),
            settled,
            partner_tenant_id=snapshot.partner_tenant_id,
            at_once=self.at_once,
        )
        affected = NONE_AFFECTED
        for _, of_bucket in groupby(parts.groups(), key=lambda chunks: chunks[0].bucket):
            rest = []
            with Outcomes(self._staged.spill / "outcomes", at_once=self.at_once) as outcomes:
                for chunks in of_bucket:
                    with Diff.open(facts, affected, spill=self._staged.spill) as diff:
                        results = _joined(
                            self._diffed(diff, part, covered, snapshot) for part in parts.of(chunks)
                        )
                        affected = diff.affected()
                    yield from self._split({name: results.pop(name) for name in ANSWERS})
                    outcomes.add(results.pop("check_outcome"))
                    rest.append(results)
                    pa.default_memory_pool().release_unused()
                yield from self._split(_joined(rest))
                for some in outcomes.tables():
                    yield from self._split({"check_outcome": some})

    def _split(self, results: dict[str, pa.Table]) -> Iterator[tuple[str, int, pa.Table]]:
        """Yield the rows of each relation and bucket. Empties `results`, to free memory."""
        for relation in list(results):
            table = results.pop(relation)
            if "customer_id" not in table.column_names:
                yield relation, self._bucket(""), table
                continue
            customers = table.column("customer_id").cast(TEXT).combine_chunks()
            of_customer = [self._bucket(name) for name in customers.dictionary.to_pylist()]
            of_row = pa.array(of_customer, pa.int64()).take(customers.indices)
            buckets = sorted(of_row.unique().to_pylist())
            if len(buckets) == 1:
                yield relation, buckets[0], table  # all rows are of one bucket: no copy
                continue
            for bucket in buckets:
                yield relation, bucket, table.filter(pc.equal(of_row, bucket))

    def _diffed(
        self, diff: Diff, part: Part, covered: pa.Table, snapshot: Snapshot
    ) -> dict[str, pa.Table]:
        cell = part.among(covered)
        results = diff.bucket(
            cell,
            {name: part.of(table) for name, table in part.known.items()},
            part.staged(ANSWERS, self._staged.answers),
            {name: self._listed(name, part) for name in _DESCRIBING},
            settled_table(
                (each for of_customer in part.settled.values() for each in of_customer),
                (each for name in part.settled for each in self._failed_listings.get(name, ())),
            ),
            suspects=part.staged(SUSPECTS, self._staged.suspects),
            gaps=self._store.gaps,
            is_catalog=part.has_catalog and self._found.covers_catalog,
        )
        return {**results, "coverage": _coverage(cell, snapshot)}

    def _listed(self, relation: str, part: Part) -> pa.Table:
        """Return the rows that discovery listed for a part's customers, such as subscriptions."""
        schema = SCHEMAS[relation]
        names = [name for name in schema.names if name != "snapshot_id"]
        rows = [
            {**{name: getattr(item, name) for name in names}, "snapshot_id": ""}
            for item in self._listed_items(relation, part)
        ]
        return pa.Table.from_pylist(rows, schema=schema)

    def _listed_items(self, relation: str, part: Part) -> Iterator[msgspec.Struct]:
        if relation == "sku":
            if part.has_catalog and self._found.covers_catalog:
                yield from self._catalog_skus()
            return
        for found in map(self._listed_now.get, part.settled):
            if found is None:
                continue
            match relation:
                case "customer":
                    yield found.customer
                case "azure_subscription":
                    yield from found.azure_subscriptions
                case _:
                    yield from found.commerce_subscriptions

    def _catalog_skus(self) -> Iterator[Sku]:
        listed = {(c.country, c.reservation_scope) for c in self._found.catalogs}
        for catalog in self._found.catalogs:
            yield from catalog.skus
            yield from catalog.carried
        for where, skus in self._found.known.skus.items():
            if where not in listed:
                yield from skus.values()

    def _row(self, snapshot: Snapshot, status: str, total: Counts) -> dict[str, Any]:
        return {
            "snapshot_id": snapshot.snapshot_id,
            "run_id": snapshot.run_id,
            "partner_tenant_id": snapshot.partner_tenant_id,
            "partner_name": snapshot.partner_name,
            "started_at": snapshot.started_at,
            "published_at": self._now(),
            "business_date": snapshot.business_date,
            "kind": snapshot.kind,
            "status": status,
            "trigger": snapshot.trigger,
            "scope": msgspec.json.encode(snapshot.scope, order="deterministic").decode(),
            "scope_hash": snapshot.scope_hash,
            "calls": snapshot.calls,
            "retries": snapshot.retries,
            "throttled": snapshot.throttled,
            "checks_answered": total.answered,
            "checks_failed": total.failed,
            "checks_skipped": total.skipped,
            "checks_not_eligible": total.not_eligible,
            "listings_failed": len(self._found.failed_listings),
            "customers_unlisted": len(unlisted(self._found)),
            "auditor_version": __version__,
        }


def changes_in(store: Store, snapshot_id: str) -> dict[str, int]:
    """Count the changes of a published snapshot by kind, without suspect ones."""
    kinds = Counter(_kinds_not_suspect(store.arrow("change", snapshot_id=snapshot_id)))
    return dict(sorted(kinds.items()))


def _this_row(snapshot: Snapshot) -> RowValues:
    return (
        snapshot.snapshot_id,
        snapshot.partner_tenant_id,
        snapshot.started_at,
        snapshot.business_date,
        False,
    )


def _joined(parts: Iterable[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    found = list(parts)
    return {
        name: pa.concat_tables([part[name] for part in found]).unify_dictionaries()
        for name in found[0]
    }


def _kinds_not_suspect(changes: pa.Table) -> list[str]:
    """Return the kind of each change that is not suspect."""
    kinds: list[str] = changes.filter(pc.invert(changes["suspect"])).column("kind").to_pylist()
    return kinds


def _coverage(covered: pa.Table, snapshot: Snapshot) -> pa.Table:
    schema = SCHEMAS["coverage"]
    count = covered.num_rows
    constant = {
        "snapshot_id": snapshot.snapshot_id,
        "partner_tenant_id": snapshot.partner_tenant_id,
    }
    columns = [
        pa.array([constant[name]] * count) if name in constant else covered.column(name)
        for name in schema.names
    ]
    return pa.table(columns, names=schema.names).cast(schema)
