"""The facts that a run proves in addition to its answers."""

from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from auditor.diff.facts import tables
from auditor.model import (
    Cell,
    Check,
    CheckKind,
    Outcome,
    Question,
    Reason,
    RememberedListing,
    Settled,
)
from auditor.normalize.settled import SETTLED_COLUMNS, settled_table, table_of
from auditor.plan.plan import Plan
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import Known
from auditor.store.compare import FACTS
from tests.builders import scope as bench
from tests.builders.scope import ACME, P, azure, found

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
BEFORE = AT - timedelta(days=3)
DE = ("DE", "AzurePlan")
Tuples = list[tuple[Any, ...]]  # rows of a table, sorted


def proved(
    *customers: CustomerFound,
    catalogs: Iterable[CatalogFound] = (),
    covers_catalog: bool = True,
    rules: dict[str, object] | None = None,
    superseded: Collection[tuple[str, str]] = (),
    listed_later: Collection[str] = (),
    **known: object,
) -> dict[str, Tuples]:
    """Return the rows of each fact."""
    catalogs = tuple(catalogs)
    plan = Plan(bench.rules(**(rules or {})), catalogs, customers=customers)
    run = Found(
        known=Known(partner_tenant_id=P, **known),  # type: ignore[arg-type] # a test names what it needs
        customers=customers,
        catalogs=catalogs,
        covers_catalog=covers_catalog,
        covers_all_countries=True,
        started_at=AT,
    )
    result = {}
    for name, table in tables(run, plan, superseded, listed_later=listed_later).items():
        assert table.column_names == list(FACTS[name])
        result[name] = sorted((tuple(row.values()) for row in table.to_pylist()), key=repr)
    return result


def remembered(
    customer_id: str = "",
    *,
    where: tuple[str, str] = ("", ""),
    subscription: str = "",
    name: tuple[str, str] = ("", ""),
    what: str,
    detail: str = "{}",
    since: datetime = AT,
) -> tuple[object, ...]:
    country, scope = where
    return (customer_id, country, subscription, "", scope, *name, what, detail, since)


def test_a_run_without_differences_proves_nothing() -> None:
    of = proved(found(azure()))
    assert {name for name, rows in of.items() if rows} == {"asked_segment"}
    assert of["asked_segment"] == [("",), ("commercial",)]


# Customers ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("customer", "ended"),
    [
        (found(azure(status="suspended")), (ACME, "*", "a1", "not_eligible")),
        (found(azure(registration="NotRegistered")), (ACME, "*", "a1", "not_eligible")),
        (found(azure(), countries=("BR",)), (ACME, "BR", "*", "not_eligible")),
        (found(azure(), countries=("JP",)), (ACME, "JP", "*", "not_eligible")),
        (found(ended=frozenset({"a9"})), (ACME, "*", "a9", "left")),
        (
            found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, countries=(), holds=()),
            (ACME, "*", "*", "not_eligible"),
        ),
    ],
)
def test_a_context_that_can_no_longer_be_asked_has_ended(
    customer: CustomerFound, ended: tuple[str, ...]
) -> None:
    assert proved(customer)["ended"] == [ended]


@pytest.mark.parametrize(
    "customer",
    [
        found(azure(registration="unknown")),
        found(azure(), carried=frozenset({"a1"})),
        found(
            azure(status="suspended"),
            failed=Reason.LISTING_FAILED,
            carried=frozenset({"a1"}),
            ended=frozenset({"a2"}),
        ),
        found(left=True, ended=frozenset({"a2"})),
    ],
)
def test_a_fault_ends_nothing(customer: CustomerFound) -> None:
    """P2. For a customer that left, the cell records it."""
    assert proved(customer)["ended"] == []


def test_new_subscriptions_and_licences_no_longer_held_are_facts() -> None:
    of = proved(found(azure(), new=frozenset({"a1"}), unheld=frozenset({("CFQ7", "0001")})))
    assert of["new_subscription"] == [(ACME, "a1")]
    assert of["unheld"] == [(ACME, "CFQ7", "0001")]


def test_a_subscription_that_left_is_remembered_until_it_is_seen_again() -> None:
    """A return is a new baseline."""
    gone = proved(found(ended=frozenset({"a1"})))
    row = remembered(ACME, subscription="a1", what="left_subscription")
    assert gone["remember"] == [row]
    back = proved(found(azure("a1")), left_subscriptions=frozenset({(ACME, "a1")}))
    assert back["forget"] == [row]
    assert back["remember"] == []


def test_a_listing_never_answered_is_remembered_until_it_is_answered() -> None:
    row = remembered(ACME, subscription="plan", what="unlisted")
    still = proved(found(unlisted=frozenset({"plan"})))
    assert still["remember"] == [row]
    known = frozenset({(ACME, "", "", "plan"), ("other", "", "", "plan")})
    assert proved(found(unlisted=frozenset({"plan"})), unlisted=known)["forget"] == []
    assert proved(found(azure()), unlisted=known)["forget"] == [row]
    failed = found(failed=Reason.LISTING_FAILED)
    assert proved(failed, unlisted=known)["forget"] == []


def test_a_relationship_that_ended_is_remembered_as_never_listed() -> None:
    ended = found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, countries=(), holds=())
    assert proved(ended)["remember"] == [remembered(ACME, what="unlisted")]


def test_a_customer_with_all_listings_answered_is_remembered_as_listed() -> None:
    types = {"s1": "Software"}
    of = proved(found(listed=RememberedListing(product_types=types), is_country_read=True))
    assert of["remember"] == [
        remembered(ACME, what="country_read"),
        remembered(ACME, what="listed", detail='{"product_types":{"s1":"Software"}}'),
    ]


@pytest.mark.parametrize(
    ("customer", "is_forgotten"),
    [
        (found(), True),
        (found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, countries=(), holds=()), True),
        (found(is_cached=True), False),
        (found(failed=Reason.LISTING_FAILED), False),
        (found(listed=RememberedListing()), False),
    ],
)
def test_a_listing_answered_only_in_part_is_forgotten(
    customer: CustomerFound, is_forgotten: bool
) -> None:
    """A failed listing changes no known row and does not renew the time of the listing."""
    of = proved(customer, customers_listed={ACME: BEFORE})
    assert of["forget"] == ([remembered(ACME, what="listed")] if is_forgotten else [])


def test_a_cached_listing_ends_nothing_in_a_cell_published_since() -> None:
    """P9: the cached listing is older than this run."""
    suspended = azure(status="suspended")
    cached, asked = found(suspended, is_cached=True), found(suspended, listed=RememberedListing())
    ended = [(ACME, "*", "a1", "not_eligible")]
    assert proved(cached)["ended"] == ended
    assert proved(cached, superseded={(ACME, "")})["ended"] == []
    assert proved(asked, superseded={(ACME, "")})["ended"] == ended
    assert proved(asked, listed_later={ACME})["ended"] == []


# Settled ------------------------------------------------------------------------------------


def test_a_settled_question_gives_one_row_per_check() -> None:
    checks = tuple(
        Check(
            kind=CheckKind.INVENTORY,
            partner_tenant_id=P,
            customer_id=ACME,
            country="DE",
            product_id=product,
        )
        for product in ("P1", "P2")
    )
    each = Settled(
        question=Question(checks=checks, segment="nonprofit"),
        outcome=Outcome.FAILED,
        reason=Reason.DEADLINE,
        http_status=503,
        attempts=3,
        sent_at=AT,
    )
    table = settled_table([each])
    assert table.column_names == list(SETTLED_COLUMNS)
    rows = table.to_pylist()
    assert [row["check_id"] for row in rows] == [check.check_id() for check in checks]
    assert {(r["outcome"], r["reason"], r["http_status"], r["segment"]) for r in rows} == {
        ("failed", "deadline", 503, "nonprofit")
    }
    assert settled_table([]).num_rows == 0


def test_a_table_without_rows_has_its_columns() -> None:
    for columns in FACTS.values():
        assert table_of(columns, []).column_names == list(columns)


def test_a_cell_with_rows_is_known() -> None:
    where = Cell(partner_tenant_id=P, customer_id=ACME, country="DE")
    known = Known(partner_tenant_id=P, cells=frozenset({where}))
    assert known.holds(ACME, "DE")
    assert not known.holds(ACME, "FR")
    assert known.country_of(ACME) == ""
