"""The checks that are not asked: not eligible or skipped, with the reason."""

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
def test_a_rule_that_excludes_everything_gives_one_check_not_eligible(
    customer: CustomerFound, reason: Reason
) -> None:
    """One per Azure subscription or country, not one per product."""
    plan_ = planned(customer, catalogs=[catalog(sku("0001", "P1"), sku("0001", "P2"))])
    assert checks(plan_) == []
    assert unasked(plan_) == [(Outcome.NOT_ELIGIBLE, reason)]


def test_a_customer_without_a_reseller_relationship_has_no_checks() -> None:
    stranger = found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, holds=(), countries=())
    plan_ = planned(stranger)
    expected = [(Outcome.NOT_ELIGIBLE, Reason.RELATIONSHIP_NOT_RESELLER)]
    assert unasked(plan_) == unasked(plan_, "availability") == expected
    assert checks(plan_) == checks(plan_, "availability") == []

    asked_by_country = planned(stranger, by_customer=False)
    assert unasked(asked_by_country) == expected
    assert unasked(asked_by_country, "availability") == [], (
        "this run asks no availability by customer"
    )


def test_a_customer_that_left_has_no_questions() -> None:
    assert list(planned(found(left=True)).questions()) == []


def test_a_legacy_subscription_is_asked_in_its_own_scope_if_that_is_configured() -> None:
    """It needs no registration; only Azure plans do."""
    legacy = found(azure(plan_id="legacy", registration=""), holds=[legacy_azure()])
    plan_ = planned(
        legacy,
        catalogs=[catalog(sku()), catalog(sku(scope=""), scope="")],
        reservation_scopes=("AzurePlan", ""),
    )
    assert {(c.azure_subscription_id, c.reservation_scope) for c in checks(plan_)} == {("a1", "")}
    assert unasked(plan_) == []


def test_without_check_registration_it_is_not_checked() -> None:
    plan_ = planned(found(azure(registration="")), check_registration=False)
    assert len(checks(plan_)) == 1


def test_subscriptions_not_configured_are_neither_asked_nor_recorded() -> None:
    plan_ = planned(found(azure("a1"), azure("a2")), azure_subscriptions=frozenset({"a2"}))
    assert {c.azure_subscription_id for c in checks(plan_)} == {"a2"}
    assert unasked(plan_) == []


def test_the_plan_names_the_subscriptions_that_are_not_eligible() -> None:
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


def test_without_inventory_checks_no_subscription_is_not_eligible() -> None:
    """Such a run does not read registrations, so it cannot know."""
    closed = azure("b", registration="notRegistered")
    of = planned(found(azure(), closed))
    assert of.not_eligible(of.customers[0]) == [closed.azure_subscription_id]
    other = planned(found(azure(), closed), checks=(CheckKind.AVAILABILITY,))
    assert other.not_eligible(other.customers[0]) == []


def test_each_check_of_a_carried_subscription_is_skipped() -> None:
    products = [catalog(sku("0001", "P1"), sku("0001", "P2"), sku("0001", "P3", variables=""))]
    customer = found(azure(), carried=frozenset({"a1"}))
    plan_ = planned(customer, catalogs=products, by_country=False)
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.LISTING_FAILED)] * 2
    assert checks(plan_) == []


def test_a_carried_subscription_without_skus_is_one_skipped_check() -> None:
    """Otherwise no row would show that it was skipped."""
    nothing_of_it = [catalog(sku("0001", "P1", variables=""))]
    customer = found(azure(), carried=frozenset({"a1"}))
    plan_ = planned(customer, catalogs=nothing_of_it, by_country=False)
    skipped = [q.check for q in plan_.questions() if isinstance(q, Unasked)]
    of_it = [c for c in skipped if c.kind is CheckKind.INVENTORY]
    assert [(c.azure_subscription_id, c.product_id) for c in of_it] == [("a1", "")]


def test_each_check_of_an_unreadable_registration_is_skipped() -> None:
    """This is an error and not a rule, so it counts as unanswered."""
    products = [catalog(sku("0001", "P1"), sku("0001", "P2"))]
    plan_ = planned(found(azure(registration="unknown")), catalogs=products)
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.REGISTRATION_UNREADABLE)] * 2


def test_an_unknown_failed_customer_is_one_skipped_check_per_kind() -> None:
    customer = found(holds=(), failed=Reason.LISTING_FAILED)
    plan_ = planned(customer)
    expected = [(Outcome.SKIPPED, Reason.LISTING_FAILED)]
    assert unasked(plan_) == unasked(plan_, "availability") == expected


def test_each_known_subscription_of_a_failed_customer_is_skipped() -> None:
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
