"""Runs the comparison of one night on small tables; columns that are not given are empty."""

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from auditor.normalize.answers import Answers
from auditor.normalize.settled import SETTLED_COLUMNS, table_of
from auditor.normalize.staged import SUSPECTS
from auditor.publish import coverage
from auditor.store.compare import FACTS, STATE, THIS, Diff
from auditor.tables import SCHEMAS

P = "aaaaaaaa-0000-0000-0000-000000000001"
ACME = "11111111-0000-0000-0000-000000000001"
BOND = "11111111-0000-0000-0000-000000000002"
AZURE = "22222222-0000-0000-0000-000000000001"
OTHER = "22222222-0000-0000-0000-000000000002"
FIRST = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)

Row = dict[str, Any]  # one row of any relation
Rows = Sequence[Row]
Gaps = Callable[[pa.Table], pa.Table]
DESCRIBING = ("customer", "azure_subscription", "commerce_subscription", "sku")


def at(night: int, minute: float = 0) -> datetime:
    """Return a minute of a night's run; night 1 is the first."""
    return FIRST + timedelta(days=night - 1, minutes=minute)


def snapshot(night: int) -> str:
    return f"s{night:03}"


def key(
    sku_id: str = "0001",
    *,
    customer_id: str = ACME,
    subscription: str = AZURE,
    product_id: str = "DZH1",
    country: str = "DE",
    region: str = "",
) -> Row:
    """Return the key of an inventory row."""
    return {
        "customer_id": customer_id,
        "country": country,
        "azure_subscription_id": subscription,
        "arm_region": region,
        "reservation_scope": "AzurePlan",
        "product_id": product_id,
        "sku_id": sku_id,
    }


def said(verdict: str, codes: str = "", values: str = "", **more: object) -> Row:
    """Return the verdict columns of an inventory answer."""
    return {
        "verdict": verdict,
        "reason_codes": codes,
        "restriction_values": values,
        "region": "westeurope",
        **more,
    }


OPEN = said("unrestricted")
SHUT = said("restricted", "NotAvailableForSubscription", "westeurope")
ABSENT = said("not_in_catalog")


def known_since(night: int, minute: float = 1) -> Row:
    """Return the columns `checked_…` and `verdict_since_…` of a verdict first answered then."""
    return {
        "checked_at": at(night, minute),
        "checked_snapshot_id": snapshot(night),
        "verdict_since_at": at(night, minute),
        "verdict_since_snapshot_id": snapshot(night),
    }


def term(
    cycle: str = "monthly",
    *,
    customer_id: str = ACME,
    country: str = "",
    scope: str = "",
    segment: str = "commercial",
    duration: str = "P1Y",
    ordinal: int = 0,
    product_id: str = "CFQ7",
    sku_id: str = "0001",
) -> Row:
    """Return the key of an availability row."""
    return {
        "customer_id": customer_id,
        "country": country,
        "product_id": product_id,
        "sku_id": sku_id,
        "segment": segment,
        "reservation_scope": scope,
        "term_duration": duration,
        "billing_cycle": cycle,
        "ordinal": ordinal,
    }


def offered(verdict: str = "purchasable", **more: object) -> Row:
    """Return the verdict columns of an availability answer."""
    return {
        "verdict": verdict,
        "availability_id": "CFQ7AAAA",
        "catalog_item_id": "CFQ7:0001:CFQ7AAAA",
        "term_id": "t1",
        "market": "DE",
        "currency": "EUR",
        "is_renewable": True,
        "renew_to": "CFQ7:0001",
        **more,
    }


def cell(
    customer_id: str = ACME,
    country: str = "DE",
    *,
    previous: int = 1,
    status: str = "covered",
    is_baseline: bool = False,
    is_listed: bool = True,
) -> Row:
    """Return a covered cell; `previous` is the night that covered it before, 0 for none."""
    return {
        "customer_id": customer_id,
        "country": country,
        "status": status,
        "scope": "{}",
        "previous_snapshot_id": snapshot(previous) if previous else "",
        "is_baseline": is_baseline,
        "is_listed": is_listed,
    }


def settled(of: Row, outcome: str = "answered", *, night: int = 2, **more: object) -> Row:
    """Return the outcome of a key's check; `sku_id=""` makes it a check of a whole product."""
    kind = "availability" if "segment" in of else "inventory"
    row = {
        name: of.get(name, "")
        for name in SETTLED_COLUMNS
        if SETTLED_COLUMNS[name] == pa.string() and name != "segment"
    }
    row |= {
        "check_id": f"{kind}-{'-'.join(str(v) for v in of.values())}"[:200],
        "kind": kind,
        "outcome": outcome,
        "checked_at": at(night, 1) if outcome == "answered" else None,
        "not_found": False,
        **more,
    }
    return row


def one_each(_: pa.Table) -> pa.Table:
    """Fail: the test expects no call to count gaps."""
    raise AssertionError("no gap should be counted")


def compare(
    *cells: Row,
    night: int = 2,
    began: datetime | None = None,
    name: str = "",
    known: Mapping[str, Rows] | None = None,
    answers: Mapping[str, Rows] | None = None,
    found: Mapping[str, Rows] | None = None,
    checks: Rows = (),
    proved: Mapping[str, Rows] | None = None,
    suspects: Mapping[str, Rows] | None = None,
    gaps: Gaps = one_each,
    is_catalog: bool = False,
) -> dict[str, pa.Table]:
    """Return the relations of one bucket after a night, as the publisher gets them.

    `known` and `found` are rows by relation, `answers` those of the answers, `proved` the facts,
    `suspects` the keys that the guard holds back.
    """
    this: Row = {"snapshot_id": name or snapshot(night), "partner_tenant_id": P}
    this |= {"started_at": began or at(night), "business_date": date(2026, 11, night)}
    this["ignores_age"] = False
    tables = {
        name: _table(columns, (proved or {}).get(name, ())) for name, columns in FACTS.items()
    }
    tables["this"] = _table(THIS, [this])
    with Diff.open(tables, spill=Path(tempfile.gettempdir()) / "never-spilled") as diff:
        return diff.bucket(
            _table(coverage.CELL_COLUMNS, cells),
            {name: _known(name, (known or {}).get(name, ())) for name in STATE},
            {n: _filled(s, (answers or {}).get(n, ())) for n, s in Answers.SCHEMAS.items()},
            {name: _filled(SCHEMAS[name], (found or {}).get(name, ())) for name in DESCRIBING},
            _table(SETTLED_COLUMNS, checks),
            suspects={
                name: _filled(s, (suspects or {}).get(name, ())) for name, s in SUSPECTS.items()
            },
            gaps=gaps,
            is_catalog=is_catalog,
        )


def _known(relation: str, rows: Iterable[Row]) -> pa.Table:
    return _filled(SCHEMAS[relation], rows).drop_columns("snapshot_id")


def _filled(schema: pa.Schema, rows: Iterable[Row]) -> pa.Table:
    return _table(dict(zip(schema.names, schema.types, strict=True)), rows).cast(schema)


def _table(columns: Mapping[str, pa.DataType], rows: Iterable[Row]) -> pa.Table:
    """Return rows as a table; text that is not given is '', the partner is ours, counts are 0."""
    full = []
    for row in rows:
        assert row.keys() <= columns.keys(), row.keys() - columns.keys()
        full.append(tuple(row.get(name, _empty(name, kind)) for name, kind in columns.items()))
    return table_of(columns, full)


def _empty(name: str, kind: pa.DataType) -> object:
    if name == "partner_tenant_id":
        return P
    if pa.types.is_string(kind) or pa.types.is_dictionary(kind):
        return ""
    return 0 if pa.types.is_integer(kind) else None


def rows_of(table: pa.Table, *columns: str) -> list[tuple[Any, ...]]:  # Any: cells of a table
    """Return the rows, sorted, of these columns (of all, if none is named)."""
    names = columns or tuple(table.column_names)
    return sorted((tuple(row[n] for n in names) for row in table.to_pylist()), key=repr)


def kinds(results: Mapping[str, pa.Table], *columns: str) -> list[tuple[Any, ...]]:  # Any: likewise
    """Return the changes as sorted tuples of subject, kind and these columns."""
    return rows_of(results["change"], "subject", "kind", *columns)


def carried(results: Mapping[str, pa.Table]) -> dict[str, list[Row]]:
    """Return the state after a night, to be passed as `known` of the next."""
    return {name: results[name].drop_columns("snapshot_id").to_pylist() for name in STATE}


def json_of(detail: str) -> Row:
    """Return the decoded `detail` column."""
    value: Row = json.loads(detail)
    return value
