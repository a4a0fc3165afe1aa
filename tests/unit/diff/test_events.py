"""Event ids, gaps, and the outcomes of checks."""

from collections.abc import Mapping

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import diff as bench
from tests.builders.diff import (
    ACME,
    AZURE,
    OPEN,
    SHUT,
    Row,
    at,
    cell,
    key,
    known_since,
    settled,
    snapshot,
)
from tests.builders.nightly import examples

KNOWN = {"inventory": [{**key(), **OPEN, **known_since(1)}]}


def flip(night: int = 2, minute: float = 1, *keys: Row) -> dict[str, pa.Table]:
    """Return a night on which the keys change from unrestricted to restricted."""
    rows = keys or (key(),)
    return bench.compare(
        cell(),
        night=night,
        known={"inventory": [{**row, **OPEN, **known_since(1)} for row in rows]},
        answers={"inventory": [{**row, **SHUT, "checked_at": at(night, minute)} for row in rows]},
    )


def ids(results: Mapping[str, pa.Table]) -> list[str]:
    return sorted(results["change"].column("event_id").to_pylist())


def test_a_replay_has_the_same_event_ids() -> None:
    """P7."""
    assert ids(flip()) == ids(flip())
    [event_id] = ids(flip())
    assert len(event_id) == 64


def test_another_observation_is_another_event() -> None:
    assert ids(flip(2)) != ids(flip(3))
    assert ids(flip(2, 1)) != ids(flip(2, 1.000001))


@pytest.mark.parametrize(
    "other",
    [
        key("0002"),
        key(region="westeurope"),
        key(subscription="a2"),
        key(product_id="DZH2"),
    ],
)
def test_another_key_is_another_event(other: Row) -> None:
    results = flip(2, 1, key(), other)
    assert len(set(ids(results))) == 2


def test_a_separator_inside_an_id_does_not_make_two_event_ids_equal() -> None:
    one, other = key("b|", product_id="a"), key("", product_id="a|b")
    assert len(set(ids(flip(2, 1, one, other)))) == 2


texts = st.text(st.sampled_from("ab|;"), max_size=3)


@given(st.lists(st.tuples(texts, texts, texts), min_size=2, max_size=6, unique=True))
@settings(max_examples=examples(12), deadline=None)
def test_no_two_keys_share_an_event_id(names: list[tuple[str, str, str]]) -> None:
    """P7."""
    rows = [key(s, product_id=p, region=r) for p, s, r in names]
    assert len(set(ids(flip(2, 1, *rows)))) == len(rows)


# Gaps ---------------------------------------------------------------------------------------


def test_a_change_since_the_previous_snapshot_has_no_gap() -> None:
    assert flip()["change"].column("gap_snapshots").to_pylist() == [0]


def test_a_change_since_an_older_answer_counts_the_snapshots_between() -> None:
    """P3: the last known answer counts, at any age."""
    asked: list[Row] = []

    def gaps(candidates: pa.Table) -> pa.Table:
        asked.extend(candidates.to_pylist())
        return candidates.append_column(
            "gap_snapshots", pa.array([2] * candidates.num_rows, pa.int64())
        )

    results = bench.compare(
        cell(previous=3),
        night=4,
        known={"inventory": [{**key(s), **OPEN, **known_since(1)} for s in ("0001", "0002")]},
        answers={
            "inventory": [{**key(s), **SHUT, "checked_at": at(4, 1)} for s in ("0001", "0002")]
        },
        gaps=gaps,
    )
    cell_key = {"partner_tenant_id": bench.P, "customer_id": ACME, "country": "DE"}
    assert asked == [{**cell_key, "before_snapshot_id": snapshot(1)}]
    assert (
        bench.kinds(results, "gap_snapshots", "before_at")
        == [("inventory", "newly_restricted", 2, at(1, 1))] * 2
    )


def test_the_detail_holds_the_time_since_when_the_old_verdict_held() -> None:
    known = {**key(), **OPEN, **known_since(1), "verdict_since_at": at(1, 0)}
    results = bench.compare(
        cell(),
        known={"inventory": [known]},
        answers={"inventory": [{**key(), **SHUT, "checked_at": at(2, 1)}]},
    )
    [row] = results["change"].to_pylist()
    assert bench.json_of(row["detail"]) == {"verdict_since_at": "2026-11-01T02:00:00.000000Z"}


# The outcomes of checks ---------------------------------------------------------------------


def test_a_check_is_recorded_with_its_ids() -> None:
    ids_of_it: Row = {"request_id": "r1", "correlation_id": "k1", "attempts": 2, "http_status": 200}
    results = bench.compare(cell(), checks=[settled(key(), **ids_of_it)])
    [row] = results["check_outcome"].to_pylist()
    assert {name: row[name] for name in ids_of_it} == ids_of_it
    assert (row["outcome"], row["kind"], row["azure_subscription_id"]) == (
        "answered",
        "inventory",
        AZURE,
    )
    assert row["snapshot_id"] == snapshot(2)


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        (("answered", "failed"), "failed"),
        (("skipped", "answered"), "skipped"),
        (("skipped", "failed"), "failed"),
        (("answered", "answered"), "answered"),
    ],
)
def test_a_check_made_by_two_calls_has_the_worse_outcome(
    outcomes: tuple[str, str], worst: str
) -> None:
    checks = [
        settled(key(), outcome, request_id=f"{outcome}{place}", segment=f"{place}")
        for place, outcome in enumerate(outcomes)
    ]
    results = bench.compare(cell(), checks=checks)
    turned = bench.compare(cell(), checks=checks[::-1])
    assert results["check_outcome"].column("outcome").to_pylist() == [worst]
    assert results["check_outcome"].column("request_id").to_pylist()[0].startswith(worst)
    assert bench.rows_of(results["check_outcome"]) == bench.rows_of(turned["check_outcome"])
