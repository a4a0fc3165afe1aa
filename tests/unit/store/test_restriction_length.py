"""The query `restriction_length`: which intervals count, and which ends are unknown."""

from datetime import UTC, datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from auditor.store import sql

BEGAN = datetime(2026, 11, 1, tzinfo=UTC)
PARTNER = "aaaaaaaa-0000-0000-0000-000000000001"


def day(number: int) -> datetime:
    return BEGAN + timedelta(days=number)


def lengths(*intervals: tuple[str, int, int | None], is_stale: bool = False) -> dict[str, Any]:
    """Return the query's row on day 10 for one key that had these verdicts on these days."""
    timeline = [
        {
            "partner_tenant_id": PARTNER,
            "region": "westus2",
            "product_id": "P",
            "sku_id": "1",
            "inventory_key": "key",
            "verdict": verdict,
            "valid_from": day(start),
            "valid_to": None if end is None else day(end),
        }
        for verdict, start, end in intervals
    ]
    times = pa.timestamp("us", tz="UTC")
    shape = pa.schema(
        [
            *((name, pa.string()) for name in list(timeline[0])[:6]),
            *((name, times) for name in ("valid_from", "valid_to")),
        ]
    )
    partner = {
        "partner_tenant_id": PARTNER,
        "partner_name": "contoso",
        "newest_published_at": day(10),
    }
    sku = {"partner_tenant_id": PARTNER, "product_id": "P", "sku_id": "1", "family": "Dsv5"}
    with duckdb.connect() as con:
        con.register("restriction_timeline", pa.Table.from_pylist(timeline, schema=shape))
        con.register("dim_partner", pa.Table.from_pylist([partner]))
        con.register("sku_name", pa.Table.from_pylist([sku]))
        now = {"inventory_key": "key", "is_stale": is_stale}
        con.register("latest_inventory", pa.Table.from_pylist([now]))
        found = con.sql(sql.statement("dashboards/restriction_length")).to_arrow_table()
    (row,) = found.to_pylist()
    return {name: row[name] for name in row if name not in ("partner_name", "region", "family")}


NO_RESTRICTION = {
    "ended": 0,
    "mean_days_ended": None,
    "longest_days_ended": None,
    "lasting": 0,
    "mean_days_so_far": None,
    "longest_days_so_far": None,
    "began_unseen": 0,
    "unknown": 0,
}


def test_an_ended_restriction_lasted_from_its_beginning_to_its_end() -> None:
    assert lengths(
        ("unrestricted", 0, 2), ("restricted", 2, 5), ("unrestricted", 5, None)
    ) == NO_RESTRICTION | {"ended": 1, "mean_days_ended": 3.0, "longest_days_ended": 3.0}


def test_a_lasting_one_is_counted_separately_up_to_the_newest_snapshot() -> None:
    assert lengths(("unrestricted", 0, 6), ("restricted", 6, None)) == NO_RESTRICTION | {
        "lasting": 1,
        "mean_days_so_far": 4.0,
        "longest_days_so_far": 4.0,
    }


@pytest.mark.parametrize("end", [9, None])
def test_a_change_of_reasons_does_not_begin_another_restriction(end: int | None) -> None:
    found = lengths(("unrestricted", 0, 1), ("restricted", 1, 4), ("restricted", 4, end))
    assert (found["ended"], found["lasting"]) == ((1, 0) if end else (0, 1))
    assert found["longest_days_ended" if end else "longest_days_so_far"] == (8.0 if end else 9.0)


def test_a_restriction_that_returns_is_another_restriction() -> None:
    found = lengths(
        ("unrestricted", 0, 1),
        ("restricted", 1, 2),
        ("unrestricted", 2, 4),
        ("restricted", 4, 7),
        ("unrestricted", 7, None),
    )
    assert (found["ended"], found["mean_days_ended"], found["longest_days_ended"]) == (2, 2.0, 3.0)


def test_a_restriction_after_a_time_without_its_key_is_another_one() -> None:
    found = lengths(("unrestricted", 0, 1), ("restricted", 1, 2), ("restricted", 5, None))
    assert (found["ended"], found["lasting"], found["began_unseen"]) == (1, 1, 1)


def test_a_restriction_in_the_first_answer_has_an_unknown_beginning() -> None:
    found = lengths(("restricted", 0, None))
    assert (found["lasting"], found["began_unseen"]) == (1, 1)


def test_a_stale_restriction_is_counted_as_unknown() -> None:
    assert lengths(("restricted", 0, None), is_stale=True)["unknown"] == 1
