"""A key seen for the first time is an event only in a cell that was known already."""

import pyarrow as pa
import pytest

from tests.builders import diff as bench
from tests.builders.diff import (
    ABSENT,
    ACME,
    AZURE,
    OPEN,
    OTHER,
    SHUT,
    Row,
    at,
    cell,
    key,
    known_since,
    settled,
)

NAME = {"country": "DE", "reservation_scope": "AzurePlan", "product_id": "DZH1", "sku_id": "0001"}
NEW_SKU = {"new_sku": [NAME]}
NEW_SUBSCRIPTION = {"new_subscription": [{"customer_id": ACME, "azure_subscription_id": AZURE}]}
NEWS = [("inventory", "first_seen_restricted", "0001")]


def answer(verdict: Row, of: Row | None = None, night: int = 2) -> dict[str, list[Row]]:
    return {"inventory": [{**(of or key()), **verdict, "checked_at": at(night, 1)}]}


@pytest.mark.parametrize("news", [NEW_SKU, NEW_SUBSCRIPTION])
def test_a_new_sku_or_subscription_restricted_is_an_event(news: dict[str, list[Row]]) -> None:
    results = bench.compare(cell(), answers=answer(SHUT), proved=news)
    assert bench.kinds(results, "sku_id") == NEWS
    [row] = results["change"].to_pylist()
    assert (row["verdict_before"], row["verdict_after"]) == ("", "restricted")
    assert (row["before_at"], row["before_snapshot_id"], row["gap_snapshots"]) == (None, "", 0)


@pytest.mark.parametrize("verdict", [OPEN, ABSENT])
def test_a_new_key_that_is_not_restricted_is_no_event(verdict: Row) -> None:
    results = bench.compare(cell(), answers=answer(verdict), proved={**NEW_SKU, **NEW_SUBSCRIPTION})
    assert results["change"].num_rows == 0


def test_a_first_answer_for_a_known_sku_and_subscription_is_a_baseline() -> None:
    """The key has no earlier answer; its SKU and its subscription were listed before."""
    results = bench.compare(cell(), answers=answer(SHUT))
    assert results["change"].num_rows == 0


def test_a_baseline_cell_has_no_first_seen_events() -> None:
    """A baseline is the first snapshot of a cell, a widened scope, or a return."""
    results = bench.compare(
        cell(previous=0, is_baseline=True),
        answers=answer(SHUT),
        proved={**NEW_SKU, **NEW_SUBSCRIPTION},
    )
    assert results["change"].num_rows == 0
    assert results["inventory"].num_rows == 1


def test_a_baseline_cell_still_has_changes_of_known_keys() -> None:
    results = bench.compare(
        cell(is_baseline=True),
        known={"inventory": [{**key(), **OPEN, **known_since(1)}]},
        answers=answer(SHUT),
    )
    assert bench.kinds(results) == [("inventory", "newly_restricted")]


# Awaited: a new key without an answer on its first night ------------------------------------


def awaiting(
    check: Row, proved: dict[str, list[Row]], outcome: str = "failed"
) -> dict[str, list[Row]]:
    """Return the known rows after a night on which the new key got no answer."""
    results = bench.compare(cell(), checks=[settled(check, outcome)], proved=proved)
    assert results["change"].num_rows == 0
    return bench.carried(results)


def next_night(
    known: dict[str, list[Row]],
    *answers: Row,
    checks: tuple[Row, ...] = (),
    night: int = 3,
) -> dict[str, pa.Table]:
    """Return the results of the next night."""
    return bench.compare(
        cell(previous=night - 1),
        night=night,
        known=known,
        answers={"inventory": list(answers)},
        checks=checks,
    )


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
@pytest.mark.parametrize("news", [NEW_SKU, NEW_SUBSCRIPTION])
@pytest.mark.parametrize("sku_id", ["0001", ""])
def test_a_new_key_without_an_answer_is_an_event_at_its_first_answer(
    news: dict[str, list[Row]], outcome: str, sku_id: str
) -> None:
    """P2, P3: whether it was asked by SKU or as a whole product."""
    known = awaiting(key(sku_id), news, outcome)
    assert [row["what"] for row in known["remembered"]] == ["awaited"]
    shut = {**key(), **SHUT, "checked_at": at(3, 1)}
    results = next_night(known, shut, checks=(settled(key(sku_id), night=3),))
    assert bench.kinds(results, "sku_id") == NEWS
    assert results["remembered"].num_rows == 0


def test_a_new_key_is_awaited_until_it_is_answered() -> None:
    known = awaiting(key(), NEW_SKU)
    results = next_night(known, checks=(settled(key(), "failed", night=3),))
    [row] = results["remembered"].to_pylist()
    assert row["since_at"] == at(2)
    shut = {**key(), **SHUT, "checked_at": at(4, 1)}
    results = next_night(bench.carried(results), shut, checks=(settled(key(), night=4),), night=4)
    assert bench.kinds(results, "sku_id") == NEWS


def test_an_answered_key_is_no_longer_awaited() -> None:
    known = awaiting(key(), NEW_SKU)
    open_ = {**key(), **OPEN, "checked_at": at(3, 1)}
    results = next_night(known, open_, checks=(settled(key(), night=3),))
    assert results["change"].num_rows == results["remembered"].num_rows == 0


def test_a_key_that_is_not_eligible_is_no_longer_awaited() -> None:
    known = awaiting(key(), NEW_SUBSCRIPTION)
    nothing = {**key(""), "product_id": ""}
    results = next_night(known, checks=(settled(nothing, "not_eligible", night=3),))
    assert results["remembered"].num_rows == 0


def test_a_new_key_with_an_answer_is_not_awaited() -> None:
    results = bench.compare(
        cell(), answers=answer(OPEN), checks=[settled(key())], proved=NEW_SUBSCRIPTION
    )
    assert results["remembered"].num_rows == 0


def test_no_key_of_a_baseline_cell_is_awaited() -> None:
    results = bench.compare(
        cell(previous=0, is_baseline=True),
        checks=[settled(key(), "failed")],
        proved={**NEW_SKU, **NEW_SUBSCRIPTION},
    )
    assert results["remembered"].num_rows == 0


def test_an_answer_for_one_region_does_not_settle_another_awaited_region() -> None:
    west, north = key(region="westeurope"), key(region="northeurope")
    results = bench.compare(
        cell(),
        answers=answer(OPEN, west),
        checks=[settled(west), settled(north, "failed")],
        proved=NEW_SKU,
    )
    shut = {**north, **SHUT, "checked_at": at(3, 1)}
    checks = (settled(west, "failed", night=3), settled(north, night=3))
    known = bench.carried(results)
    assert bench.kinds(next_night(known, shut, checks=checks), "arm_region") == [
        ("inventory", "first_seen_restricted", "northeurope")
    ]

    west_answered = next_night(known, checks=(settled(west, night=3),))
    assert [r["arm_region"] for r in west_answered["remembered"].to_pylist()] == ["northeurope"]


def test_an_answer_for_a_region_that_is_not_awaited_is_no_event() -> None:
    known = awaiting(key(region="northeurope"), NEW_SKU)
    west = {**key(region="westeurope"), **SHUT, "checked_at": at(3, 1)}
    assert next_night(known, west)["change"].num_rows == 0


def test_each_product_of_an_awaited_subscription_is_awaited() -> None:
    """First the whole listing of the subscription failed, then one of its two products."""
    everything = {**key(""), "product_id": ""}
    known = awaiting(everything, NEW_SUBSCRIPTION, "skipped")
    results = next_night(
        known,
        {**key(), **OPEN, "checked_at": at(3, 1)},
        checks=(settled(key(""), night=3), settled(key("", product_id="DZH2"), "failed", night=3)),
    )
    late = {**key(product_id="DZH2"), **SHUT, "checked_at": at(4, 1)}
    checks = (settled(key("", product_id="DZH2"), night=4),)
    results = next_night(bench.carried(results), late, checks=checks, night=4)
    assert bench.kinds(results, "product_id") == [("inventory", "first_seen_restricted", "DZH2")]


def test_each_sku_of_an_awaited_product_is_awaited_if_asked_by_sku_later() -> None:
    known = awaiting(key(""), NEW_SUBSCRIPTION)
    results = next_night(
        known,
        {**key("0001"), **OPEN, "checked_at": at(3, 1)},
        checks=(settled(key("0001"), night=3), settled(key("0002"), "failed", night=3)),
    )
    late = {**key("0002"), **SHUT, "checked_at": at(4, 1)}
    checks = (settled(key("0002"), night=4),)
    results = next_night(bench.carried(results), late, checks=checks, night=4)
    assert bench.kinds(results, "sku_id") == [("inventory", "first_seen_restricted", "0002")]


def test_a_new_sku_asked_without_a_subscription_is_awaited_too() -> None:
    """The SKU's variables ask only for the customer, or for nothing."""
    known = awaiting(key(subscription=""), NEW_SKU)
    shut = {**key(subscription=""), **SHUT, "checked_at": at(3, 1)}
    results = next_night(known, shut, checks=(settled(key(subscription=""), night=3),))
    assert bench.kinds(results, "sku_id") == NEWS


def test_another_subscription_of_the_customer_is_not_awaited() -> None:
    known = awaiting(key(), NEW_SUBSCRIPTION)
    shut = {**key(subscription=OTHER), **SHUT, "checked_at": at(3, 1)}
    assert next_night(known, shut)["change"].num_rows == 0
