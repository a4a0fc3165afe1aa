"""P15: the digest of rows, made when they are published and again when they are read."""

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
def test_neither_order_nor_parts_matter(rows: list[tuple[object, ...]], draw: st.DrawFn) -> None:
    mixed = sorted(rows, key=lambda _: draw.random())  # type: ignore[attr-defined] # a Random
    assert of(mixed) == of(rows)
    assert added(of(rows[:2]), of(rows[2:])) == of(rows)


@given(ROWS, ROWS)
def test_different_rows_have_different_digests(
    one: list[tuple[object, ...]], other: list[tuple[object, ...]]
) -> None:
    same = sorted(map(repr, one)) == sorted(map(repr, other))
    assert (of(one) == of(other)) is same


def test_the_column_of_a_value_counts_and_null_differs_from_empty() -> None:
    rest = (None, None, None, None, None)
    assert len({of([("a", "b", *rest)]), of([("b", "a", *rest)]), of([("a", None, *rest)])}) == 3
    assert of([("", None, *rest)]) != of([("", "", *rest)])
    assert of([("a", "b", *rest)] * 2) != of([("a", "b", *rest)])


def test_the_storage_type_of_a_text_does_not_change_the_digest() -> None:
    plain = pa.table({"t": pa.array(["a", None, "a", "b"])})
    parts = pa.chunked_array([["a", None], ["a", "b"]]).dictionary_encode()
    assert digest(plain) == digest(pa.table({"t": parts}))
