"""Compares new answers with the last known ones, bucket by bucket, in DuckDB.

This module passes Arrow tables to the SQL and reads its results: `sql/steps/` are executed in the
order of their numbers, then each statement of `sql/relations/` returns the rows of one relation.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import duckdb
import pyarrow as pa

from auditor.store.duck import working
from auditor.store.sql import statement
from auditor.tables import SCHEMAS, TIME

STATE = (
    "inventory",
    "restriction",
    "availability",
    "customer",
    "azure_subscription",
    "commerce_subscription",
    "sku",
    "remembered",
)
"""The relations with the state of the covered cells, in the order in which they are computed."""
NIGHTLY = (*STATE, "change", "ending", "check_outcome")
"""The relations that a night publishes of each bucket."""
TEXT = pa.string()
THIS: dict[str, pa.DataType] = {
    "snapshot_id": TEXT,
    "partner_tenant_id": TEXT,
    "started_at": TIME,
    "business_date": pa.date32(),
    "ignores_age": pa.bool_(),
}
"""The columns of the one-row table `this`: the snapshot that the answers belong to.

With `ignores_age` an answer is used also if the known row is newer.
"""
_SKU = {"country": TEXT, "reservation_scope": TEXT, "product_id": TEXT, "sku_id": TEXT}
_REMEMBERED = {
    "customer_id": TEXT,
    "country": TEXT,
    "azure_subscription_id": TEXT,
    "arm_region": TEXT,
    "reservation_scope": TEXT,
    "product_id": TEXT,
    "sku_id": TEXT,
    "what": TEXT,
    "detail": TEXT,
    "since_at": TIME,
}
FACTS: dict[str, dict[str, pa.DataType]] = {
    "ended": {
        "customer_id": TEXT,
        "country": TEXT,
        "azure_subscription_id": TEXT,
        "ended_by": TEXT,
    },
    "not_asked_later": {
        "customer_id": TEXT,
        "azure_subscription_id": TEXT,
        "product_id": TEXT,
        "sku_id": TEXT,
        "began_at": TIME,
    },
    "unheld": {"customer_id": TEXT, "product_id": TEXT, "sku_id": TEXT},
    "settled_sku": _SKU,
    "asked_sku": {
        **_SKU,
        "arm_region": TEXT,
        "by_customer": pa.bool_(),
        "by_subscription": pa.bool_(),
    },
    "cached_sku": _SKU,
    "gone": {**_SKU, "gone_at": TIME},
    "still_gone": {**_SKU, "proven_at": TIME},
    "new_subscription": {"customer_id": TEXT, "azure_subscription_id": TEXT},
    "new_sku": _SKU,
    "asked_segment": {"segment": TEXT},
    "catalog_absence": {**_SKU, "gone_at": TIME, "until_at": TIME},
    "catalog_event": {**_SKU, "kind": TEXT, "detail": TEXT, "before_at": TIME, "after_at": TIME},
    "remember": _REMEMBERED,
    "forget": _REMEMBERED,
}
"""The columns of the facts that a run proved besides its answers, by table."""
_NOTED = ("forbidden", "ended_after")
"""What the scope of a cell records beside what was asked about."""
_OPENING = "01_catalog_affected"
_STEPS = (
    "02_settled_inventory",
    "03_settled_availability",
    "04_awaited",
    "05_observed_inventory",
    "06_observed_availability",
    "07_changed",
    "08_catalog_affected_add",
)
_CATALOG_STEP = "09_changed_catalog"
_GAP_CANDIDATES = "10_gap_candidates"
_GAPS = {
    "customer_id": pa.string(),
    "country": pa.string(),
    "before_snapshot_id": pa.string(),
    "gap_snapshots": pa.int64(),
}
NONE_AFFECTED = pa.schema(
    [
        *((name, pa.string()) for name in ("country", "reservation_scope", "product_id", "sku_id")),
        ("customers", pa.int64()),
    ]
).empty_table()
"""The empty table to begin with: no customers are counted before the first bucket is compared."""


class Diff:
    """The comparison of some buckets of a snapshot. `facts` are the facts of the whole partner."""

    def __init__(self, con: duckdb.DuckDBPyConnection, facts: Mapping[str, pa.Table]) -> None:
        self._con = con
        for name, table in facts.items():
            con.register(name, table)
        con.execute(statement(f"steps/{_OPENING}"))

    @classmethod
    @contextmanager
    def open(
        cls,
        facts: Mapping[str, pa.Table],
        affected: pa.Table = NONE_AFFECTED,
        *,
        spill: Path,
        memory: str = "1GB",
    ) -> Iterator[Self]:
        """Open a comparison that spills to a folder when it reaches its memory limit.

        Each bucket takes about 200 KB until the comparison is closed, so close it after a few
        buckets. Pass the result of `affected()` to the next comparison.
        """
        with working(spill=spill, memory=memory) as con:
            yield cls(con, {**facts, "affected_before": affected})

    def affected(self) -> pa.Table:
        """Return how many customers each catalog event concerns, in all buckets so far."""
        return self._con.sql("FROM catalog_affected").to_arrow_table()

    def bucket(
        self,
        cell: pa.Table,
        known: Mapping[str, pa.Table],
        answers: Mapping[str, pa.Table],
        found: Mapping[str, pa.Table],
        settled: pa.Table,
        *,
        suspects: Mapping[str, pa.Table],
        gaps: Callable[[pa.Table], pa.Table],
        is_catalog: bool,
        relations: Iterable[str] = NIGHTLY,
    ) -> dict[str, pa.Table]:
        """Return the relations of one bucket after this snapshot.

        Args:
            cell: the covered cells of the bucket (`coverage.CELL_COLUMNS`).
            known: the published rows of the bucket, by relation, without `snapshot_id`.
            answers: the new answers: `inventory`, `restriction`, `availability`.
            found: the things that discovery listed: `customer`, `azure_subscription`, …
            settled: how each check ended.
            suspects: keys of `inventory` and `availability` whose answers are suspect.
            gaps: a function that counts the snapshots of a cell after a given snapshot.
            is_catalog: true for the bucket of the catalog, which is compared last.
            relations: the relations to return. `change` alone needs of the known rows only
                `inventory`, `availability` and `remembered`, no `restriction` and nothing `found`.
        """
        inputs = {f"known_{name}": table for name, table in known.items()}
        inputs |= {f"answer_{name}": table for name, table in answers.items()}
        inputs |= {f"found_{name}": table for name, table in found.items()}
        inputs |= {f"suspect_{name}": table for name, table in suspects.items()}
        inputs |= {"cell": cell, "settled_check": settled}
        for name, table in inputs.items():
            self._con.register(name, table)
        for name in _STEPS:
            self._con.execute(statement(f"steps/{name}"))
        if is_catalog:
            self._con.execute(statement(f"steps/{_CATALOG_STEP}"))
        candidates = self._con.sql(statement(f"steps/{_GAP_CANDIDATES}")).to_arrow_table()
        self._con.register("gap", self._gaps(candidates, gaps))
        results = {name: self._result(name) for name in relations}
        for name in inputs:
            self._con.unregister(name)
        return results

    @staticmethod
    def _gaps(candidates: pa.Table, gaps: Callable[[pa.Table], pa.Table]) -> pa.Table:
        if not candidates.num_rows:
            return pa.schema(list(_GAPS.items())).empty_table()
        return gaps(candidates).select(list(_GAPS))

    def _result(self, relation: str) -> pa.Table:
        schema = SCHEMAS[relation]
        table: pa.Table = self._con.sql(statement(f"relations/{relation}")).to_arrow_table()
        return table.select(schema.names).cast(schema)


def covers(before: Mapping[str, object], now: Mapping[str, object]) -> bool:
    """Return whether each list in the scope `before` holds every item of that list in `now`."""
    for name, wanted in now.items():
        if name in _NOTED:
            continue
        old = before.get(name)
        if old in (wanted, "all"):
            continue
        if not (isinstance(old, list) and isinstance(wanted, list) and set(wanted) <= set(old)):
            return False
    return True
