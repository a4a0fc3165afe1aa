"""How each check ended, as rows for the guard and the comparison."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping

import msgspec
import pyarrow as pa

from auditor.model import Cell, FailedListing, Outcome, Settled
from auditor.plan.plan import Plan
from auditor.tables import TIME

RowValues = tuple[object, ...]

TEXT = pa.string()


def asked_segment(plan: Plan) -> pa.Table:
    """Return the segments whose availabilities by country are used, and '' for all segments."""
    rows = [(segment,) for segment in ("", *plan.rules.segments)]
    return table_of({"segment": TEXT}, rows)


def table_of(columns: Mapping[str, pa.DataType], rows: Iterable[RowValues]) -> pa.Table:
    """Return rows as a table of these columns."""
    values = list(zip(*rows, strict=True)) or [()] * len(columns)
    arrays = [pa.array(v, type=t) for v, t in zip(values, columns.values(), strict=True)]
    return pa.table(arrays, names=list(columns))


def settled_rows(settled: Iterable[Settled]) -> Iterator[RowValues]:
    """Yield one row for each check, as `SETTLED_COLUMNS`."""
    for each in settled:
        for check in each.question.checks:
            yield (
                check.check_id(),
                check.kind.value,
                check.customer_id,
                check.country,
                check.azure_subscription_id,
                check.arm_region,
                check.reservation_scope,
                check.product_id,
                check.sku_id,
                each.outcome.value,
                str(each.reason),
                each.http_status,
                each.error_code,
                each.request_id,
                each.correlation_id,
                each.attempts,
                each.sent_at,
                each.question.segment,
                each.not_found,
            )


def listing_rows(placed: Iterable[tuple[Cell, FailedListing]]) -> Iterator[RowValues]:
    """Yield one row for each failed listing, with its cell, as `SETTLED_COLUMNS`."""
    for cell, failed in placed:
        name = msgspec.msgpack.encode((failed.key, cell.customer_id, cell.country))
        yield (
            hashlib.sha256(name).hexdigest()[:32],
            "listing",
            cell.customer_id,
            cell.country,
            failed.plan_id,
            "",
            failed.reservation_scope,
            failed.product_id,
            failed.sku_id,
            Outcome.FAILED.value,
            f"{failed.listing}: {failed.reason}",
            failed.http_status,
            failed.error_code,
            failed.request_id,
            failed.correlation_id,
            failed.attempts,
            failed.sent_at,
            "",
            False,
        )


SETTLED_COLUMNS = {
    "check_id": TEXT,
    "kind": TEXT,
    "customer_id": TEXT,
    "country": TEXT,
    "azure_subscription_id": TEXT,
    "arm_region": TEXT,
    "reservation_scope": TEXT,
    "product_id": TEXT,
    "sku_id": TEXT,
    "outcome": TEXT,
    "reason": TEXT,
    "http_status": pa.int64(),
    "error_code": TEXT,
    "request_id": TEXT,
    "correlation_id": TEXT,
    "attempts": pa.int64(),
    "checked_at": TIME,
    "segment": TEXT,
    "not_found": pa.bool_(),
}


def settled_table(
    settled: Iterable[Settled], placed: Iterable[tuple[Cell, FailedListing]] = ()
) -> pa.Table:
    """Return how each check ended, and which listings failed, as `SETTLED_COLUMNS`."""
    return table_of(SETTLED_COLUMNS, (*settled_rows(settled), *listing_rows(placed)))
