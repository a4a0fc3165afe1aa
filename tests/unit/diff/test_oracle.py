"""The SQL comparison of inventory answers equals a brute-force one written from the contract."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import diff as bench
from tests.builders.diff import P, Row, at, snapshot
from tests.builders.nightly import examples

CUSTOMERS = ("c1", "c2", "c3", "c4", "c5", "c6", "c7")
"""Seven, because a comparison of many customers takes no longer: few large examples are fast."""
SUBSCRIPTIONS = ("a1", "a2")
SKUS = ("0001", "0002", "000S")
NEW_SUBSCRIPTION, NEW_SKU = "a2", "000S"
VERDICTS = (
    ("unrestricted", "", ""),
    ("not_in_catalog", "", ""),
    ("restricted", "NotAvailableForSubscription", "westeurope"),
    ("restricted", "notavailableforsubscription", "WestEurope"),
    ("restricted", "NotAvailableForSubscription", "northeurope;westeurope"),
    ("restricted", "QuotaId", "westeurope"),
)
GAP = 3

Value = TypeVar("Value")
Key = tuple[str, str, str]
"""Customer, Azure subscription, SKU."""
State = tuple[str, str, str]


class Known(NamedTuple):
    """The known answer of a key, its time and its snapshot."""

    state: State
    at: datetime
    snapshot: str
    since: datetime
    since_snapshot: str


class Tonight(NamedTuple):
    """The input of one night."""

    known: dict[Key, Known]
    answers: dict[Key, tuple[State, datetime]]
    baseline: frozenset[str]
    uncovered: frozenset[str]
    ended: frozenset[tuple[str, str]]
    gone: dict[str, datetime]
    not_asking: frozenset[str]
    awaited: frozenset[Key]


def transition(before: State, after: State) -> str | None:
    """Return the kind of change between two known states, by the table of promise P4."""
    was, now = before[0], after[0]
    if was == now == "restricted":
        same = [x.lower() for x in before] == [x.lower() for x in after]
        return None if same else "restriction_changed"
    return {
        ("unrestricted", "restricted"): "newly_restricted",
        ("restricted", "unrestricted"): "restriction_lifted",
        ("restricted", "not_in_catalog"): "left_catalog",
        ("unrestricted", "not_in_catalog"): "left_catalog",
        ("not_in_catalog", "restricted"): "entered_catalog",
        ("not_in_catalog", "unrestricted"): "entered_catalog",
    }.get((was, now))


def oracle(night: Tonight) -> tuple[dict[Key, Known], dict[Key, tuple[str, Known | None]]]:
    """Return the known answers afterwards and the changes, by the rules of docs/contract.md."""
    after: dict[Key, Known] = {}
    changes: dict[Key, tuple[str, Known | None]] = {}
    for key in night.known.keys() | night.answers.keys():
        customer, subscription, sku = key
        before, answer = night.known.get(key), night.answers.get(key)
        if customer in night.uncovered:
            continue
        if answer and (before is None or answer[1] >= before.at):  # the later question wins
            state, when = answer
            is_same = before is not None and before.state[0] == state[0]
            if before and transition(before.state, state) is None and is_same:
                state = before.state  # letter case alone keeps the known spelling
            since = before[3:] if before and is_same else (when, snapshot(2))
            after[key] = Known(state, when, snapshot(2), *since)
            is_news = subscription == NEW_SUBSCRIPTION or sku == NEW_SKU or key in night.awaited
            kind = transition(before.state, state) if before else None
            if before is None and state[0] == "restricted" and is_news:
                kind = None if customer in night.baseline else "first_seen_restricted"
            if kind:
                changes[key] = (kind, before)
            continue
        assert before is not None
        is_untouched = before.at < at(2)  # no other run published it since this run began
        gone = night.gone.get(sku)
        if is_untouched and (customer, subscription) in night.ended:
            continue
        if gone and gone > before.at and before.state[0] != "not_in_catalog":
            after[key] = Known(("not_in_catalog", "", ""), gone, snapshot(2), gone, snapshot(2))
        elif not (is_untouched and sku in night.not_asking):
            after[key] = before
    return after, changes


def some(
    keys: Iterable[Key], value: st.SearchStrategy[Value]
) -> st.SearchStrategy[dict[Key, Value]]:
    """Draw a value for about half of the keys, so that many keys are both known and answered."""
    drawn = st.fixed_dictionaries({key: st.none() | value for key in keys})
    return drawn.map(lambda values: {k: v for k, v in values.items() if v is not None})


@st.composite
def nights(draw: st.DrawFn) -> Tonight:
    """Draw a night; keys that are not asked (ended, gone, not asking) have no answer."""
    states = st.sampled_from(VERDICTS)
    keys = [(c, a, s) for c in CUSTOMERS for a in SUBSCRIPTIONS for s in SKUS]
    gone = draw(
        st.dictionaries(st.sampled_from(SKUS), st.sampled_from([at(2, 1), at(2, 3)]), max_size=1)
    )
    not_asking = draw(st.frozensets(st.sampled_from(SKUS), max_size=1)) - gone.keys()
    ended = draw(st.frozensets(st.sampled_from([k[:2] for k in keys]), max_size=4))
    uncovered = draw(st.frozensets(st.sampled_from(CUSTOMERS), max_size=2))
    asked = [
        key
        for key in keys
        if key[0] not in uncovered and key[:2] not in ended and key[2] not in {*gone, *not_asking}
    ]
    times = st.sampled_from(
        [(at(1, 1), snapshot(1)), (at(1, 1), snapshot(0)), (at(2, 2), "now"), (at(2, 4), "now")]
    )
    since = st.sampled_from([(at(1), snapshot(0)), (at(1, 1), snapshot(1))])
    known = {
        key: Known(state, *when, *from_then)
        for key, (state, when, from_then) in draw(
            some(keys, st.tuples(states, times, since))
        ).items()
        # a new SKU or subscription cannot have been known when the run began
        if when[1] == "now" or (key[1] != NEW_SUBSCRIPTION and key[2] != NEW_SKU)
    }
    return Tonight(
        known=known,
        answers=draw(some(asked, st.tuples(states, st.sampled_from([at(2, 2), at(2, 3)])))),
        baseline=draw(st.frozensets(st.sampled_from(CUSTOMERS), max_size=2)),
        uncovered=uncovered,
        ended=ended,
        gone=gone,
        not_asking=not_asking,
        awaited=draw(st.frozensets(st.sampled_from(keys), max_size=9)),
    )


def key_row(key: Key) -> Row:
    customer, subscription, sku = key
    return bench.key(sku, customer_id=customer, subscription=subscription)


def sku_row(sku: str) -> Row:
    names = ("country", "reservation_scope", "product_id", "sku_id")
    return {name: bench.key(sku)[name] for name in names}


def count_gaps(candidates: pa.Table) -> pa.Table:
    rows = candidates.to_pylist()
    assert len({tuple(row.items()) for row in rows}) == len(rows)
    return candidates.append_column("gap_snapshots", pa.array([GAP] * len(rows), pa.int64()))


def run(night: Tonight, order: Sequence[float] = ()) -> dict[str, pa.Table]:
    """Compare by SQL; `order` shuffles every input table."""

    def shuffled(rows: Iterable[Row]) -> list[Row]:
        listed = list(rows)
        ranks = [order[place % len(order)] if order else 0.0 for place in range(len(listed))]
        return [row for _, row in sorted(zip(ranks, listed, strict=True), key=lambda p: p[0])]

    def state_row(state: State) -> Row:
        return bench.said(*state)

    known = [
        {
            **key_row(key),
            **state_row(had.state),
            "checked_at": had.at,
            "checked_snapshot_id": had.snapshot,
            "verdict_since_at": had.since,
            "verdict_since_snapshot_id": had.since_snapshot,
        }
        for key, had in night.known.items()
    ]
    answers = [
        {**key_row(key), **state_row(state), "checked_at": when}
        for key, (state, when) in night.answers.items()
    ]
    remembered = [
        {**key_row(key), "what": "awaited", "detail": "{}", "since_at": at(1)}
        for key in night.awaited
    ]
    asked = [sku for sku in SKUS if sku not in night.gone and sku not in night.not_asking]
    asking = {"arm_region": "", "by_customer": True, "by_subscription": True}
    proved: Mapping[str, list[Row]] = {
        "ended": [
            {"customer_id": c, "country": "*", "azure_subscription_id": a} for c, a in night.ended
        ],
        "gone": [{**sku_row(sku), "gone_at": when} for sku, when in night.gone.items()],
        "settled_sku": [sku_row(sku) for sku in SKUS if sku not in night.gone],
        "asked_sku": [{**sku_row(sku), **asking} for sku in asked],
        "new_subscription": [
            {"customer_id": c, "azure_subscription_id": NEW_SUBSCRIPTION} for c in CUSTOMERS
        ],
        "new_sku": [sku_row(NEW_SKU)],
    }
    return bench.compare(
        *shuffled(
            bench.cell(c, is_baseline=c in night.baseline)
            for c in CUSTOMERS
            if c not in night.uncovered
        ),
        known={"inventory": shuffled(known), "remembered": shuffled(remembered)},
        answers={"inventory": shuffled(answers)},
        proved={name: shuffled(rows) for name, rows in proved.items()},
        gaps=count_gaps,
    )


def found_rows(results: Mapping[str, pa.Table]) -> dict[Key, Known]:
    return {
        (row["customer_id"], row["azure_subscription_id"], row["sku_id"]): Known(
            (row["verdict"], row["reason_codes"], row["restriction_values"]),
            row["checked_at"],
            row["checked_snapshot_id"],
            row["verdict_since_at"],
            row["verdict_since_snapshot_id"],
        )
        for row in results["inventory"].to_pylist()
    }


def found_changes(results: Mapping[str, pa.Table]) -> dict[Key, dict[str, Any]]:
    rows = results["change"].to_pylist()
    by_key = {(r["customer_id"], r["azure_subscription_id"], r["sku_id"]): r for r in rows}
    assert len(by_key) == len(rows)
    return by_key


def expected_change(
    kind: str, key: Key, before: Known | None, answer: tuple[State, datetime]
) -> dict[str, Any]:
    was = before.state if before else ("", "", "")
    is_older = before is not None and before.snapshot != snapshot(1)
    return {
        **key_row(key),
        "partner_tenant_id": P,
        "snapshot_id": snapshot(2),
        "business_date": at(2).date(),
        "subject": "inventory",
        "kind": kind,
        "verdict_before": was[0],
        "reason_codes_before": was[1],
        "restriction_values_before": was[2].lower(),
        "verdict_after": answer[0][0],
        "reason_codes_after": answer[0][1],
        "restriction_values_after": answer[0][2],
        "before_snapshot_id": before.snapshot if before else "",
        "before_at": before.at if before else None,
        "after_at": answer[1],
        "gap_snapshots": GAP if is_older else 0,
        "suspect": False,
        "affected_customers": 1,
        "segment": "",
        "term_duration": "",
        "billing_cycle": "",
        "ordinal": 0,
    }


@given(nights())
@settings(max_examples=examples(25), deadline=None)
def test_rows_and_changes_equal_those_of_a_brute_force_comparison(night: Tonight) -> None:
    """P1, P2, P3, P4, P5, P9."""
    results = run(night)
    rows, changes = oracle(night)
    assert found_rows(results) == rows
    found = found_changes(results)
    assert found.keys() == changes.keys()
    for key, (kind, before) in changes.items():
        expected = expected_change(kind, key, before, night.answers[key])
        assert {name: found[key][name] for name in expected} == expected


@given(nights(), st.lists(st.floats(0, 1), min_size=2, max_size=20))
@settings(max_examples=examples(8), deadline=None)
def test_the_order_of_the_input_rows_changes_nothing(night: Tonight, order: list[float]) -> None:
    """P8: the same answers in any order give byte-equal sorted output, event ids included (P7)."""
    one, other = run(night), run(night, order)
    for relation, table in one.items():
        assert repr(bench.rows_of(table)) == repr(bench.rows_of(other[relation])), relation


@given(nights())
@settings(max_examples=examples(8), deadline=None)
def test_the_same_answers_again_make_no_change(night: Tonight) -> None:
    """diff(a, a) is empty: every answer is given again, later."""
    rows, _ = oracle(night)
    again = {key: (had.state, at(3, 1)) for key, had in rows.items()}
    results = run(night._replace(known=rows, answers=again, ended=frozenset(), gone={}))
    assert results["change"].num_rows == 0
    assert {k: h.since for k, h in found_rows(results).items()} == {
        k: h.since for k, h in rows.items()
    }


OPPOSITE = {
    "newly_restricted": "restriction_lifted",
    "restriction_lifted": "newly_restricted",
    "restriction_changed": "restriction_changed",
    "left_catalog": "entered_catalog",
    "entered_catalog": "left_catalog",
}


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(CUSTOMERS), st.just("a1"), st.sampled_from(SKUS[:2])),
        st.tuples(st.sampled_from(VERDICTS), st.sampled_from(VERDICTS)),
        min_size=1,
    )
)
@settings(max_examples=examples(8), deadline=None)
def test_a_reversed_comparison_gives_the_opposite_kinds(
    pairs: dict[Key, tuple[State, State]],
) -> None:
    def changes(first: int, second: int) -> dict[Key, str]:
        night = Tonight(
            known={
                key: Known(pair[first], at(1, 1), snapshot(1), at(1, 1), snapshot(1))
                for key, pair in pairs.items()
            },
            answers={key: (pair[second], at(2, 2)) for key, pair in pairs.items()},
            baseline=frozenset(),
            uncovered=frozenset(),
            ended=frozenset(),
            gone={},
            not_asking=frozenset(),
            awaited=frozenset(),
        )
        return {key: row["kind"] for key, row in found_changes(run(night)).items()}

    assert changes(1, 0) == {key: OPPOSITE[kind] for key, kind in changes(0, 1).items()}
