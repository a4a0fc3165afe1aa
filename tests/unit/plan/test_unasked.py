"""What is not asked: not eligible, or skipped, and why."""

import pytest

from auditor.model import CheckKind, Outcome, Reason, Unasked
from auditor.scope.found import CustomerFound
from tests.builders.scope import azure, catalog, found, legacy_azure, plan, sku
from tests.unit.plan.test_plan import checks, planned, unasked

# Not eligible -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("customer", "reason"),
    [
        (found(azure(registration="NotRegistered")), Reason.PLAN_NOT_REGISTERED),
        (found(azure(registration="Registering")), Reason.PLAN_NOT_REGISTERED),
        (found(azure(registration="")), Reason.PLAN_NOT_REGISTERED),
        (found(azure(status="suspended")), Reason.SUBSCRIPTION_INACTIVE),
        (found(azure(), holds=[plan(status="suspended")]), Reason.SUBSCRIPTION_INACTIVE),
        (found(azure(), countries=("BR",)), Reason.MARKET_WITHOUT_RESERVATIONS),
        (found(azure(), countries=("JP",)), Reason.COUNTRY_NOT_CONFIGURED),
        (found(azure(plan_id="legacy"), holds=[legacy_azure()]), Reason.OFFER_IS_LEGACY),
    ],
)
def test_a_rule_that_leaves_nothing_to_ask_is_one_check_not_eligible(
    customer: CustomerFound, reason: Reason
) -> None:
    """One for each Azure subscription or country, not one for each product."""
    plan_ = planned(customer, catalogs=[catalog(sku("0001", "P1"), sku("0001", "P2"))])
    assert checks(plan_) == []
    assert unasked(plan_) == [(Outcome.NOT_ELIGIBLE, reason)]


def test_a_customer_that_is_no_reseller_customer_is_asked_nothing() -> None:
    stranger = found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, holds=(), countries=())
    plan_ = planned(stranger)
    expected = [(Outcome.NOT_ELIGIBLE, Reason.RELATIONSHIP_NOT_RESELLER)]
    assert unasked(plan_) == unasked(plan_, "availability") == expected
    assert checks(plan_) == checks(plan_, "availability") == []

    asked_by_country = planned(stranger, by_customer=False)
    assert unasked(asked_by_country) == expected
    assert unasked(asked_by_country, "availability") == [], "nobody would have asked it"


def test_a_customer_that_left_has_no_checks_at_all() -> None:
    assert list(planned(found(left=True)).questions()) == []


def test_a_legacy_subscription_is_asked_in_its_own_scope_if_that_is_configured() -> None:
    """It needs no registration: that is for Azure plans."""
    legacy = found(azure(plan_id="legacy", registration=""), holds=[legacy_azure()])
    plan_ = planned(
        legacy,
        catalogs=[catalog(sku()), catalog(sku(scope=""), scope="")],
        reservation_scopes=("AzurePlan", ""),
    )
    assert {(c.azure_subscription_id, c.reservation_scope) for c in checks(plan_)} == {("a1", "")}
    assert unasked(plan_) == []


def test_without_check_registration_nobody_looks_at_it() -> None:
    plan_ = planned(found(azure(registration="")), check_registration=False)
    assert len(checks(plan_)) == 1


def test_subscriptions_that_are_not_configured_are_not_asked_and_not_told() -> None:
    plan_ = planned(found(azure("a1"), azure("a2")), azure_subscriptions=frozenset({"a2"}))
    assert {c.azure_subscription_id for c in checks(plan_)} == {"a2"}
    assert unasked(plan_) == []


def test_the_plan_names_the_subscriptions_of_which_there_is_nothing_to_ask() -> None:
    plan_ = planned()
    customer = found(
        azure("a1"),
        azure("a2", status="suspended"),
        azure("a3", registration="unknown"),
        azure("a4"),
        carried=frozenset({"a4"}),
    )
    assert plan_.not_eligible(customer) == ["a2"]


# Skipped ------------------------------------------------------------------------------------


def test_where_inventory_is_not_asked_no_subscription_is_known_to_have_nothing_to_ask() -> None:
    """Their registration was not read, so that theirs are not the last word."""
    closed = azure("b", registration="notRegistered")
    of = planned(found(azure(), closed))
    assert of.not_eligible(of.customers[0]) == [closed.azure_subscription_id]
    other = planned(found(azure(), closed), checks=(CheckKind.AVAILABILITY,))
    assert other.not_eligible(other.customers[0]) == []


def test_a_subscription_known_from_before_under_a_failed_listing_is_skipped_check_by_check() -> (
    None
):
    products = [catalog(sku("0001", "P1"), sku("0001", "P2"), sku("0001", "P3", variables=""))]
    customer = found(azure(), carried=frozenset({"a1"}))
    plan_ = planned(customer, catalogs=products, by_country=False)
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.LISTING_FAILED)] * 2
    assert checks(plan_) == []


def test_one_with_nothing_in_the_catalog_to_ask_is_skipped_as_one_check() -> None:
    """Else nothing would say that it was passed over."""
    nothing_of_it = [catalog(sku("0001", "P1", variables=""))]
    customer = found(azure(), carried=frozenset({"a1"}))
    plan_ = planned(customer, catalogs=nothing_of_it, by_country=False)
    skipped = [q.check for q in plan_.questions() if isinstance(q, Unasked)]
    of_it = [c for c in skipped if c.kind is CheckKind.INVENTORY]
    assert [(c.azure_subscription_id, c.product_id) for c in of_it] == [("a1", "")]


def test_an_unreadable_registration_is_skipped_check_by_check() -> None:
    """Not a rule but a fault: it counts against the run."""
    products = [catalog(sku("0001", "P1"), sku("0001", "P2"))]
    plan_ = planned(found(azure(registration="unknown")), catalogs=products)
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.REGISTRATION_UNREADABLE)] * 2


def test_a_failed_customer_of_whom_nothing_is_known_is_one_skipped_check_of_each_kind() -> None:
    customer = found(holds=(), failed=Reason.LISTING_FAILED)
    plan_ = planned(customer)
    expected = [(Outcome.SKIPPED, Reason.LISTING_FAILED)]
    assert unasked(plan_) == unasked(plan_, "availability") == expected


def test_a_failed_customer_with_known_subscriptions_is_skipped_in_full() -> None:
    customer = found(
        azure("a1"), azure("a2"), failed=Reason.LISTING_FAILED, carried=frozenset({"a1", "a2"})
    )
    plan_ = planned(customer)
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.LISTING_FAILED)] * 2
    assert unasked(plan_, "availability") == [(Outcome.SKIPPED, Reason.LISTING_FAILED)]


def test_a_product_whose_skus_could_not_be_listed_is_skipped_for_each_subscription() -> None:
    broken = catalog(sku("0001", "P1"), failed=frozenset({"P2"}))
    plan_ = planned(found(azure("a1"), azure("a2")), catalogs=[broken])
    skipped = [q.check for q in plan_.questions() if isinstance(q, Unasked)]
    assert [(c.azure_subscription_id, c.product_id) for c in skipped] == [
        ("a1", "P2"),
        ("a2", "P2"),
    ]
