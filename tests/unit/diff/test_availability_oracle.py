"""The SQL comparison of terms equals a brute-force comparison written from the contract."""

from typing import NamedTuple

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import diff as bench
from tests.builders.diff import Row, at, offered, term
from tests.builders.nightly import examples
from tests.unit.diff.test_availability import BY_CUSTOMER, answered, check, known

# Brute force --------------------------------------------------------------------------------

Term = tuple[str, str, int]
"""Segment, billing cycle and ordinal, in the letter case of their source."""


class Asked(NamedTuple):
    """One SKU on one night."""

    known: dict[Term, str]
    is_newer: bool
    """True if the known terms were published after this run asked."""
    outcome: str
    """`answered`, `404`, `failed`, or empty if the SKU was not asked."""
    listed: dict[Term, str]


def folded(name: Term) -> Term:
    return (name[0].lower(), name[1].lower(), name[2])


def oracle(asked: Asked) -> tuple[dict[Term, str], dict[Term, str]]:
    """Return the rows and the changes by term, in the known spelling or, if new, the answer's."""
    before = {folded(name): (name, verdict) for name, verdict in asked.known.items()}
    if asked.outcome == "404" and not before:
        return {("", "", 0): "not_in_catalog"}, {}
    listed = {folded(name): (name, verdict) for name, verdict in asked.listed.items()}
    rows: dict[Term, str] = {}
    changes: dict[Term, str] = {}
    for name in before.keys() | listed.keys():
        spelt, was = before.get(name, (listed.get(name, (name, ""))[0], ""))
        is_settled = asked.outcome in {"answered", "404"} and not (was and asked.is_newer)
        now = listed.get(name, ("", "not_in_catalog"))[1]
        if not is_settled:
            rows[spelt] = was
            continue
        rows[spelt] = now
        if was and was != now:
            left, entered = now == "not_in_catalog", was == "not_in_catalog"
            again = "purchasable_again" if now == "purchasable" else "no_longer_purchasable"
            changes[spelt] = "left_catalog" if left else "entered_catalog" if entered else again
    return rows, changes


def by_folded_term(
    verdicts: st.SearchStrategy[str],
) -> st.SearchStrategy[dict[Term, str]]:
    names = st.tuples(
        st.sampled_from(["commercial", "Commercial", "education"]),
        st.sampled_from(["monthly", "Annual", "annual"]),
        st.sampled_from([0, 1]),
    )
    pairs = st.lists(st.tuples(names, verdicts), unique_by=lambda pair: folded(pair[0]), max_size=6)
    return pairs.map(dict)


@st.composite
def asked_skus(draw: st.DrawFn) -> Asked:
    outcome = draw(st.sampled_from(["answered", "404", "failed", ""]))
    new_verdict = st.sampled_from(["purchasable", "not_purchasable"])
    known_verdict = st.sampled_from(["purchasable", "not_purchasable", "not_in_catalog"])
    return Asked(
        known=draw(by_folded_term(known_verdict)),
        is_newer=draw(st.booleans()),
        outcome=outcome,
        listed=draw(by_folded_term(new_verdict)) if outcome == "answered" else {},
    )


@given(st.lists(asked_skus(), min_size=1, max_size=15))
@settings(max_examples=examples(15), deadline=None)
def test_rows_and_changes_equal_those_of_a_brute_force_comparison(skus: list[Asked]) -> None:
    def key(place: int, name: Term) -> Row:
        return term(name[1], segment=name[0], ordinal=name[2], sku_id=f"{place:04}")

    def by_term(table: pa.Table, column: str) -> dict[tuple[str, Term], str]:
        return {
            (r["sku_id"], (r["segment"], r["billing_cycle"], r["ordinal"])): r[column]
            for r in table.to_pylist()
        }

    results = bench.compare(
        BY_CUSTOMER,
        known=known(
            *(
                {**key(place, name), **offered(verdict), "checked_at": at(2, 9 * sku.is_newer)}
                for place, sku in enumerate(skus)
                for name, verdict in sku.known.items()
            )
        ),
        answers=answered(
            *(
                {**key(place, name), **offered(verdict)}
                for place, sku in enumerate(skus)
                for name, verdict in sku.listed.items()
            )
        ),
        checks=[
            check(
                "answered" if sku.outcome == "404" else sku.outcome,
                sku_id=f"{place:04}",
                not_found=sku.outcome == "404",
            )
            for place, sku in enumerate(skus)
            if sku.outcome
        ],
    )
    expected = [oracle(sku) for sku in skus]
    assert by_term(results["availability"], "verdict") == {
        (f"{place:04}", name): verdict
        for place, (rows, _) in enumerate(expected)
        for name, verdict in rows.items()
    }
    assert by_term(results["change"], "kind") == {
        (f"{place:04}", name): kind
        for place, (_, changes) in enumerate(expected)
        for name, kind in changes.items()
    }
    assert results["availability"].num_rows == sum(len(rows) for rows, _ in expected)
