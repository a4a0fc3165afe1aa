"""How long restrictions last: which intervals count, and which ends are unknown."""

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


def told(*intervals: tuple[str, int, int | None], is_stale: bool = False) -> dict[str, Any]:
    """Return the row, on day 10, of one key whose verdicts held for the given days."""
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


NOTHING = {
    "ended": 0,
    "mean_days_ended": None,
    "longest_days_ended": None,
    "lasting": 0,
    "mean_days_so_far": None,
    "longest_days_so_far": None,
    "began_unseen": 0,
    "unknown": 0,
}


def test_one_that_ended_lasted_from_its_beginning_to_its_end() -> None:
    assert told(
        ("unrestricted", 0, 2), ("restricted", 2, 5), ("unrestricted", 5, None)
    ) == NOTHING | {"ended": 1, "mean_days_ended": 3.0, "longest_days_ended": 3.0}


def test_one_that_lasts_is_counted_apart_up_to_the_newest_publishing() -> None:
    assert told(("unrestricted", 0, 6), ("restricted", 6, None)) == NOTHING | {
        "lasting": 1,
        "mean_days_so_far": 4.0,
        "longest_days_so_far": 4.0,
    }


@pytest.mark.parametrize("end", [9, None])
def test_other_reasons_do_not_make_it_another_one(end: int | None) -> None:
    found = told(("unrestricted", 0, 1), ("restricted", 1, 4), ("restricted", 4, end))
    assert (found["ended"], found["lasting"]) == ((1, 0) if end else (0, 1))
    assert found["longest_days_ended" if end else "longest_days_so_far"] == (8.0 if end else 9.0)


def test_one_that_comes_back_is_another_one() -> None:
    found = told(
        ("unrestricted", 0, 1),
        ("restricted", 1, 2),
        ("unrestricted", 2, 4),
        ("restricted", 4, 7),
        ("unrestricted", 7, None),
    )
    assert (found["ended"], found["mean_days_ended"], found["longest_days_ended"]) == (2, 2.0, 3.0)


def test_one_whose_key_was_not_known_in_between_is_another_one() -> None:
    found = told(("unrestricted", 0, 1), ("restricted", 1, 2), ("restricted", 5, None))
    assert (found["ended"], found["lasting"]) == (1, 1)


def test_one_that_was_there_from_the_first_answer_may_have_lasted_longer() -> None:
    found = told(("restricted", 0, None))
    assert (found["lasting"], found["began_unseen"]) == (1, 1)


def test_one_that_was_not_confirmed_lately_is_not_known_to_last() -> None:
    assert told(("restricted", 0, None), is_stale=True)["unknown"] == 1
