"""Turn one partner's settled questions into a published snapshot.

Answers became rows before the publish lock is taken; under it each bucket is merged with, and
compared with, what is published by then.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.diff.compare import NONE_AFFECTED, Diff
from auditor.diff.facts import tables
from auditor.diff.parts import Part, Parts
from auditor.model import Cell, Settled, Sku, bucket_of
from auditor.normalize.settled import Row, settled_table, table_of
from auditor.normalize.staged import ANSWERS, AT_ONCE, SUSPECTS, Staged
from auditor.plan.plan import Plan
from auditor.publish.coverage import Counts, cells
from auditor.publish.outcomes_on_disk import Outcomes
from auditor.publish.snapshot import Published, Snapshot
from auditor.scope import recall
from auditor.scope.found import Found
from auditor.store.interface import Store
from auditor.tables import SCHEMAS, TEXT
from auditor.version import __version__

LOCK_WAIT_S = 600.0
"""How long a publisher waits for another one of the same store."""
_DESCRIBING = ("customer", "azure_subscription", "commerce_subscription", "sku")


class Publisher:
    """Publishes one partner's snapshot; everything blocks, so it wants a thread."""

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
        """Take the answers, and the snapshot of each cell when the run began."""
        self._store = store
        self._found = found
        self._plan = plan
        self._staged = staged
        self._at_start = at_start
        self._now = now
        self._listed_now = {c.customer.customer_id: c for c in found.customers if not c.left}
        self.at_once = AT_ONCE

    def publish(self, snapshot: Snapshot, settled: Sequence[Settled]) -> Published:
        """Publish what became of each check, and the staged answers.

        Raises:
            Locked: another publisher did not end in time.
            StoreError: the store cannot take it; nothing is published.
        """
        counts: dict[Cell, Counts] = defaultdict(Counts)
        total = Counts()
        for each in settled:
            for check in each.question.checks:
                counts[check.cell].add(each.outcome)
                total.add(each.outcome)
        return self._publish(snapshot, settled, counts, total)

    def _bucket(self, customer_id: str) -> int:
        return bucket_of(customer_id, self._store.buckets)

    def _publish(
        self,
        snapshot: Snapshot,
        settled: Sequence[Settled],
        counts: Mapping[Cell, Counts],
        total: Counts,
    ) -> Published:
        kinds: Counter[str] = Counter()
        rows: Counter[str] = Counter()
        with self._store.publishing(LOCK_WAIT_S) as publication:
            if not publication.stage(snapshot.snapshot_id):
                publication.commit(self._row(snapshot, "", total), snapshot.config_hash)
                return self._published_before(snapshot.snapshot_id, total)
            previous = recall.published(self._store, snapshot.partner_tenant_id)
            covered = cells(self._found, counts, previous, self._at_start, snapshot.cell_scope)
            superseded = {
                (cell.customer_id, cell.country)
                for cell, before in previous.items()
                if self._at_start.get(cell, "") != before.snapshot_id
            }
            facts = tables(self._found, self._plan, superseded)
            this = table_of(_THIS, [_this(snapshot)])
            results = self._results({**facts, "this": this}, covered, settled, snapshot)
            for relation, bucket, table in results:
                publication.write(relation, bucket, table)
                rows[relation] += table.num_rows
                if relation == "change":
                    kinds.update(_believed(table))
            is_complete = total.failed_share <= snapshot.max_failed_share
            status = "complete" if is_complete else "incomplete"
            publication.commit(self._row(snapshot, status, total), snapshot.config_hash)
        return Published(
            snapshot_id=snapshot.snapshot_id,
            status=status,
            checks=total,
            rows={name: rows[name] for name in ("inventory", "availability")},
            changes=dict(sorted(kinds.items())),
        )

    def _published_before(self, snapshot_id: str, total: Counts) -> Published:
        """Return what stands there: the reply to an earlier try was lost."""
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

        Of a bucket in several chunks answers come chunk by chunk, and the rest is held until all
        of it is there: the catalog, which is compared last, has rows that are to stand first, and
        what became of checks is sorted by ids that tell nothing of the customer.
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
        """Yield the rows of each relation and bucket; what was yielded is let go."""
        for relation in list(results):
            table = results.pop(relation)
            if "customer_id" not in table.column_names:
                yield relation, self._bucket(""), table
                continue
            customers = table.column("customer_id").cast(TEXT).combine_chunks()
            places = [self._bucket(name) for name in customers.dictionary.to_pylist()]
            of = pa.array(places, pa.int64()).take(customers.indices)
            buckets = sorted(of.unique().to_pylist())
            if len(buckets) == 1:
                yield relation, buckets[0], table  # a part of a large one, and no copy of it
                continue
            for bucket in buckets:
                yield relation, bucket, table.filter(pc.equal(of, bucket))

    def _diffed(
        self,
        diff: Diff,
        part: Part,
        covered: pa.Table,
        snapshot: Snapshot,
    ) -> dict[str, pa.Table]:
        cell = part.among(covered)
        results = diff.bucket(
            cell,
            {name: part.of(table) for name, table in part.known.items()},
            part.staged(ANSWERS, self._staged.answers),
            {name: self._listed(name, part) for name in _DESCRIBING},
            settled_table(each for of_customer in part.settled.values() for each in of_customer),
            suspects=part.staged(SUSPECTS, self._staged.suspects),
            gaps=self._store.gaps,
            is_catalog=part.has_catalog and self._found.covers_catalog,
        )
        return {**results, "coverage": _coverage(cell, snapshot)}

    def _listed(self, relation: str, part: Part) -> pa.Table:
        """Return what discovery listed of some customers."""
        schema = SCHEMAS[relation]
        names = [name for name in schema.names if name != "snapshot_id"]
        rows = [
            {**{name: getattr(noun, name) for name in names}, "snapshot_id": ""}
            for noun in self._nouns(relation, part)
        ]
        return pa.Table.from_pylist(rows, schema=schema)

    def _nouns(self, relation: str, part: Part) -> Iterator[msgspec.Struct]:
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
        looked_at = {(c.country, c.reservation_scope) for c in self._found.catalogs}
        for catalog in self._found.catalogs:
            yield from catalog.skus
            yield from catalog.carried
        for where, skus in self._found.known.skus.items():
            if where not in looked_at:
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
            "auditor_version": __version__,
        }


def changes_in(store: Store, snapshot_id: str) -> dict[str, int]:
    """Count the changes that a published snapshot holds, by kind, suspect ones left out."""
    kinds = Counter(_believed(store.arrow("change", snapshot_id=snapshot_id)))
    return dict(sorted(kinds.items()))


_THIS = {
    "snapshot_id": pa.string(),
    "partner_tenant_id": pa.string(),
    "started_at": pa.timestamp("us", tz="UTC"),
    "business_date": pa.date32(),
}


def _this(snapshot: Snapshot) -> Row:
    return (
        snapshot.snapshot_id,
        snapshot.partner_tenant_id,
        snapshot.started_at,
        snapshot.business_date,
    )


def _joined(parts: Iterable[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    found = list(parts)
    return {
        name: pa.concat_tables([part[name] for part in found]).unify_dictionaries()
        for name in found[0]
    }


def _believed(changes: pa.Table) -> list[str]:
    """Return the kinds of all changes that are not suspect."""
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
