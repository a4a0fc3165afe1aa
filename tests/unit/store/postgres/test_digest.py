"""P15: the digest of rows when they are published and when they are read again."""

from datetime import UTC, datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from auditor.store.postgres.digest import added, digest

SCHEMA = pa.schema(
    {
        "key": pa.string(),
        "verdict": pa.dictionary(pa.int32(), pa.string()),
        "at": pa.timestamp("us", tz="UTC"),
        "on": pa.date32(),
        "ram": pa.float64(),
        "is": pa.bool_(),
        "count": pa.int64(),
    }
)
FIRST, LAST = datetime.min, datetime.max  # noqa: DTZ901 - hypothesis adds the zone
WHEN = st.datetimes(FIRST.replace(year=2026), LAST.replace(year=2026), timezones=st.just(UTC))
ROWS = st.lists(
    st.tuples(
        st.text(max_size=3),
        st.none() | st.text(max_size=3),
        st.none() | WHEN,
        st.none() | st.dates(),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.booleans(),
        st.none() | st.integers(-(2**63), 2**63 - 1),
    ),
    max_size=6,
)


def of(rows: list[tuple[object, ...]]) -> int:
    named = [dict(zip(SCHEMA.names, row, strict=True)) for row in rows]
    return digest(pa.Table.from_pylist(named, schema=SCHEMA))


@given(ROWS, st.randoms(use_true_random=False))
def test_order_and_parts_do_not_count(rows: list[tuple[object, ...]], draw: st.DrawFn) -> None:
    mixed = sorted(rows, key=lambda _: draw.random())  # type: ignore[attr-defined] # a Random
    assert of(mixed) == of(rows)
    assert added(of(rows[:2]), of(rows[2:])) == of(rows)


@given(ROWS, ROWS)
def test_other_rows_come_to_another_number(
    one: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (of(one) == of(other)) is same


def test_a_value_counts_where_it_stands_and_nothing_is_not_empty() -> None:
    rest = (None, None, None, None, None)
    assert len({of([("a", "b", *rest)]), of([("b", "a", *rest)]), of([("a", None, *rest)])}) == 3
    assert of([("", None, *rest)]) != of([("", "", *rest)])
    assert of([("a", "b", *rest)] * 2) != of([("a", "b", *rest)])


def test_what_holds_a_text_does_not_count() -> None:
    plain = pa.table({"t": pa.array(["a", None, "a", "b"])})
    parts = pa.chunked_array([["a", None], ["a", "b"]]).dictionary_encode()
    assert digest(plain) == digest(pa.table({"t": parts}))
