"""A span is a range of the customers of a bucket."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from auditor.store.span import EVERYONE, Span

names = st.text("ab-", max_size=4)


@given(cuts=st.sets(names.filter(bool)), customers=st.lists(names))
def test_each_customer_is_in_one_span_and_the_catalog_in_the_last(
    cuts: set[str], customers: list[str]
) -> None:
    spans = [Span(first, end) for first, end in pairwise(["", *sorted(cuts), ""])]
    for name in ["", *customers]:
        holding = [span for span in spans if span.holds(name)]
        assert len(holding) == 1
        assert name or holding == spans[-1:]
    assert EVERYONE.holds("")


@given(span=st.tuples(names, names), rows=st.lists(names, min_size=1))
def test_a_table_with_a_customer_of_a_span_is_read(span: tuple[str, str], rows: list[str]) -> None:
    some = Span(*span)
    if any(map(some.holds, rows)):
        assert some.meets(min(rows), max(rows))


def test_a_table_without_a_customer_of_the_span_is_left_out() -> None:
    assert not Span("b", "d").meets("", "a")
    assert not Span("b", "d").meets("d", "e")
    assert not Span("b").meets("a", "ab")
    assert Span("b", "d").meets("a", "b")
    assert Span("b").meets("", "a"), "its first rows may be the catalog's"
