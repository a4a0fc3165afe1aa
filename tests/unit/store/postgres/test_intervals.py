"""The changes in a bucket: rows that end and rows that begin, and the time of each check."""

from collections import Counter
from collections.abc import Sequence

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.store import conform
from auditor.store.postgres.intervals import changed_rows
from auditor.store.postgres.tables import CHECKED, CHECKS, key, of_interval
from auditor.tables import CELL
from tests.builders.store_lake import ACME, BOND, Row, at, rows_table, stock

NIGHT = "20261101T020000Z-000001"
VERDICTS = st.sampled_from(["restricted", "unrestricted", None])
TIMES = st.none() | st.integers(1, 3).map(at)
KEYS = st.tuples(
    st.sampled_from([ACME, BOND]), st.sampled_from(["DE", "FR"]), st.sampled_from(["a", "b", "c"])
)
NIGHTS = st.dictionaries(KEYS, st.tuples(VERDICTS, TIMES, st.sampled_from(["x", "y"])), max_size=9)
Keys = dict[tuple[str, str, str], tuple[str | None, object, str]]


def table(keys: Keys) -> pa.Table:
    rows: list[Row] = []
    for (customer, country, sku), (verdict, when, snapshot) in keys.items():
        more: Row = {"country": country, "checked_at": when, "checked_snapshot_id": snapshot}
        row = stock(customer, sku, "", at(1), **more)
        rows.append({**row, "verdict": verdict})
    return conform.conformed("inventory", rows_table("inventory", rows, NIGHT), NIGHT)


def tuples(rows: pa.Table, columns: Sequence[str]) -> Counter[tuple[object, ...]]:
    return Counter(tuple(row[name] for name in columns) for row in rows.to_pylist())


def staged(before: Keys, after: Keys) -> dict[str, list[pa.Table]]:
    found: dict[str, list[pa.Table]] = {}
    known = table(before).drop_columns("snapshot_id")
    for name, rows in changed_rows("inventory", known, table(after)):
        found.setdefault(name, []).append(rows)
    return found


@settings(deadline=None)
@given(NIGHTS, NIGHTS)
def test_ended_and_begun_rows_equal_a_brute_force_comparison(before: Keys, after: Keys) -> None:
    """This concerns cells that still have a row; the other cells end as a whole."""
    columns = of_interval("inventory")
    over, begun = staged(before, after)["inventory"]
    now = tuples(table(after), columns)
    cells = set(tuples(table(after), CELL))
    known = tuples(
        pa.Table.from_pylist(
            [r for r in table(before).to_pylist() if tuple(r[n] for n in CELL) in cells],
            schema=table(before).schema,
        ),
        columns,
    )

    assert tuples(over, columns) == known - now
    assert tuples(begun, columns) == now - known
    assert set(over["is_over"].to_pylist()) <= {True}
    assert set(begun["is_over"].to_pylist()) <= {False}


@settings(deadline=None)
@given(NIGHTS)
def test_a_check_is_stored_once_and_keys_with_another_time_separately(after: Keys) -> None:
    """No time is lost. The time of a check is the time of most of its keys."""
    found = staged({}, after)
    (checked,), (apart,) = found["inventory_checked"], found["inventory_checked_apart"]
    of_check = {tuple(r[n] for n in CHECKS["inventory"]): r for r in checked.to_pylist()}
    of_key = {tuple(r[n] for n in key("inventory")): r for r in apart.to_pylist()}
    assert len(of_check) == checked.num_rows
    assert len(of_key) == apart.num_rows

    times: dict[tuple[object, ...], Counter[tuple[object, ...]]] = {}
    for row in table(after).to_pylist():
        check = tuple(row[name] for name in CHECKS["inventory"])
        when = tuple(row[name] for name in CHECKED)
        times.setdefault(check, Counter())[when] += 1
        stored = of_key.get(tuple(row[name] for name in key("inventory")), of_check[check])
        assert when == tuple(stored[name] for name in CHECKED)
    for check, counted in times.items():
        usual = tuple(of_check[check][name] for name in CHECKED)
        assert counted[usual] == max(counted.values())
    assert apart.num_rows == sum(c.total() - max(c.values()) for c in times.values())


def test_the_latest_of_equally_frequent_times_is_that_of_the_check() -> None:
    keys: Keys = {
        (ACME, "DE", "a"): ("restricted", None, "z"),
        (ACME, "DE", "b"): ("restricted", at(2), "x"),
        (ACME, "DE", "c"): ("restricted", at(1), "y"),
    }
    (checked,) = staged({}, keys)["inventory_checked"]
    assert checked.select(CHECKED).to_pylist() == [
        {"checked_at": at(2), "checked_snapshot_id": "x"}
    ]
