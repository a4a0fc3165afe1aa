"""The plan turns the scope and the SKUs into as few calls as possible."""

from collections import Counter
from collections.abc import Iterable

import msgspec
import pytest

from auditor.model import Check, CheckKind, Outcome, Question, Reason, Unasked
from auditor.plan.plan import REGION_UNKNOWN, Plan
from auditor.scope.found import CatalogFound, CustomerFound
from tests.builders import scope as bench
from tests.builders.scope import (
    ACME,
    BOTH,
    azure,
    catalog,
    found,
    held,
    legacy_azure,
    licence,
    plan,
    sku,
)

WITH_REGION = f"ArmRegionName;{BOTH}"
Key = tuple[str, str, str, str, str, str]
"""Customer, country, Azure subscription, region, product and SKU."""


def planned(
    *customers: CustomerFound, catalogs: Iterable[CatalogFound] | None = None, **rules: object
) -> Plan:
    """Return a plan over one product of two SKUs, unless catalogs are given."""
    default = (catalog(sku("0001"), sku("0002")),)
    return Plan(
        bench.rules(**rules), default if catalogs is None else catalogs, customers=customers
    )


def calls(of: Plan, kind: str = "inventory") -> list[Question]:
    return [q for q in of.questions() if isinstance(q, Question) and q.checks[0].kind.value == kind]


def unasked(of: Plan, kind: str = "inventory") -> list[tuple[Outcome, str]]:
    return [
        (q.outcome, q.reason)
        for q in of.questions()
        if isinstance(q, Unasked) and q.check.kind.value == kind
    ]


def checks(of: Plan, kind: str = "inventory") -> list[Check]:
    return [check for question in calls(of, kind) for check in question.checks]


def keys(of: Plan) -> Counter[Key]:
    """Return how often the plan asks each inventory key."""
    skus = {
        (country, t.product_id, t.region): t.skus
        for (country, _), targets in of.targets.items()
        for t in targets
        if not t.sku_id
    }
    return Counter(
        (c.customer_id, c.country, c.azure_subscription_id, c.arm_region, c.product_id, sku_id)
        for c in checks(of)
        for sku_id in ((c.sku_id,) if c.sku_id else skus[c.country, c.product_id, c.arm_region])
    )


# Plans that grow ----------------------------------------------------------------------------


def test_the_skus_of_a_whole_product_are_the_listed_ones() -> None:
    of = planned(found(azure()))
    [whole] = checks(of)
    assert (whole.sku_id, tuple(of.skus_of(whole))) == ("", ("0001", "0002"))
    assert of.skus_of(msgspec.structs.replace(whole, sku_id="0003")) == ("0003",)
    assert of.skus_of(msgspec.structs.replace(whole, product_id="P")) == ()


def test_a_subscription_of_an_unlisted_plan_is_asked_as_azure_plan() -> None:
    [check] = checks(planned(found(azure(plan_id="nowhere"))))
    assert check.reservation_scope == "AzurePlan"


@pytest.mark.parametrize("country", ["", "DE"])
def test_a_failed_customer_is_skipped_in_its_country_if_that_is_known(country: str) -> None:
    countries = (country,) if country else ()
    of = planned(found(failed=Reason.LISTING_FAILED, countries=countries))
    skipped = [q.check for q in of.questions() if isinstance(q, Unasked)]
    assert [(check.kind, check.country) for check in skipped] == [
        (CheckKind.INVENTORY, country),
        (CheckKind.AVAILABILITY, ""),
    ]


def test_customers_that_join_are_asked_and_the_first_plan_is_unchanged() -> None:
    first = planned(found(azure()))
    both = first.joined_by([found(azure("b"), customer_id="c-b")])
    assert [check.customer_id for check in checks(both)] == [ACME, "c-b"]
    assert [check.customer_id for check in checks(first)] == [ACME]


def test_a_learned_variable_belongs_to_its_product_country_and_scope() -> None:
    """It is added to those learned before, and changes no other country or scope."""
    german = catalog(sku("0001", variables=BOTH))
    french = catalog(sku("0001", variables=BOTH, country="FR"), country="FR")
    plan = planned(found(azure(), countries=("DE", "FR")), catalogs=[german, french])
    where = ("DE", "AzurePlan", "DZH1")
    for variable in ("Z", "A"):
        plan = plan.learned({where: [variable], ("DE", "Azure", "DZH1"): ["X"]})
    learned = {name: dict(found.learned) for name, found in plan.catalogs.items()}
    assert learned == {("DE", "AzurePlan"): {"DZH1": ("A", "Z")}, ("FR", "AzurePlan"): {}}


# Batches ------------------------------------------------------------------------------------


def test_products_that_share_a_context_go_out_in_one_call() -> None:
    skus = [sku(s, p) for p in ("P1", "P2", "P3") for s in ("0001", "0002")]
    [call] = calls(planned(found(azure()), catalogs=[catalog(*skus)]))
    assert [(c.product_id, c.sku_id) for c in call.checks] == [("P1", ""), ("P2", ""), ("P3", "")]
    assert call.variables == ("AzureSubscriptionId", "CustomerId")


@pytest.mark.parametrize(("size", "expected"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (50, [7])])
def test_a_call_holds_no_more_than_the_batch_size(size: int, expected: list[int]) -> None:
    skus = [sku("0001", f"P{n}") for n in range(7)]
    plan_ = planned(found(azure()), catalogs=[catalog(*skus)], batch_size=size)
    assert [len(call.checks) for call in calls(plan_)] == expected


def test_only_variables_that_a_sku_asks_for_are_sent() -> None:
    skus = [
        sku("0001", "P1", variables=BOTH),
        sku("0001", "P2", variables=WITH_REGION, region="KoreaSouth"),
        sku("0001", "P3", variables="CustomerId"),
        sku("0001", "P4", variables=""),
    ]
    plan_ = planned(found(azure()), catalogs=[catalog(*skus)])
    sent = {
        q.checks[0].product_id: (
            q.variables,
            q.arm_region_name,
            q.checks[0].customer_id,
            q.checks[0].azure_subscription_id,
        )
        for q in calls(plan_)
    }
    both = ("AzureSubscriptionId", "CustomerId")
    assert sent == {
        "P1": (both, "", ACME, "a1"),
        "P2": (("ArmRegionName", *both), "KoreaSouth", ACME, "a1"),
        "P3": (("CustomerId",), "", ACME, ""),
        "P4": ((), "", "", ""),
    }


def test_a_sku_that_asks_for_no_subscription_is_asked_once_for_all_of_them() -> None:
    skus = [sku("0001", "P1"), sku("0001", "P2", variables="CustomerId")]
    plan_ = planned(found(azure("a1"), azure("a2")), catalogs=[catalog(*skus)])
    assert Counter((c.product_id, c.azure_subscription_id) for c in checks(plan_)) == Counter(
        [("P1", "a1"), ("P1", "a2"), ("P2", "")]
    )


def test_a_check_without_a_customer_is_asked_only_in_a_run_over_all() -> None:
    """`by_country` is false with --customer."""
    catalogs = [catalog(sku(variables="", country="DE"))]
    assert len(checks(planned(found(azure()), catalogs=catalogs))) == 1
    assert checks(planned(found(azure()), catalogs=catalogs, by_country=False)) == []


def test_a_market_without_reservations_has_no_checks_without_customer_either() -> None:
    catalogs = [catalog(sku(variables="", country="BR"), country="BR")]
    assert checks(planned(catalogs=catalogs)) == []


def test_a_sku_without_a_region_is_asked_in_each_configured_region() -> None:
    placeless = [catalog(sku(variables=WITH_REGION, region=""))]
    plan_ = planned(found(azure()), catalogs=placeless, arm_regions=("eastus", "japanwest"))
    assert [(c.arm_region, q.arm_region_name) for q in calls(plan_) for c in q.checks] == [
        ("eastus", "eastus"),
        ("japanwest", "japanwest"),
    ]


def test_a_sku_that_needs_a_region_is_skipped_if_none_is_configured() -> None:
    placeless = [catalog(sku(variables=WITH_REGION, region=""))]
    plan_ = planned(found(azure()), catalogs=placeless)
    assert unasked(plan_) == [(Outcome.SKIPPED, REGION_UNKNOWN)]


def of_two_views() -> list[CatalogFound]:
    """Return a catalog of two products; only the view of P1 has a known resource type."""
    return [catalog(sku("0001", "P1"), sku("0001", "P2"), views={"P1": bench.VIEW, "P2": "Other"})]


BY_TYPE = {"inventory_api": "by_resource_type", "resource_types": {bench.VIEW: "VMs"}}


def test_a_check_has_the_resource_type_of_its_view_or_is_skipped() -> None:
    plan_ = planned(found(azure()), catalogs=of_two_views(), **BY_TYPE)
    assert {q.checks[0].product_id: q.resource_type for q in calls(plan_)} == {"P1": "VMs"}
    assert unasked(plan_) == [(Outcome.SKIPPED, Reason.RESOURCE_TYPE_UNKNOWN)]


def test_a_question_for_the_api_that_is_gone_is_split_by_resource_type() -> None:
    before = planned(found(azure()), catalogs=of_two_views(), resource_types={bench.VIEW: "VMs"})
    [question] = calls(before)
    assert question.resource_type == ""
    after = before.moved()
    parts = list(after.by_resource_type(question))
    assert [(type(p).__name__, getattr(p, "resource_type", "")) for p in parts] == [
        ("Question", "VMs"),
        ("Unasked", ""),
    ]
    assert parts == list(after.questions())


# Availability -------------------------------------------------------------------------------


def asked(of: Plan) -> set[tuple[str, str, str, str, str]]:
    return {
        (c.customer_id, c.country, c.reservation_scope, c.product_id, c.sku_id)
        for c in checks(of, "availability")
    }


LICENCES = [plan(), licence("l1", "CFQ7", "0001"), licence("l2", "CFQ8", "0002")]


def test_held_asks_each_held_sku_once_per_customer() -> None:
    twice = [*LICENCES, licence("l3", "CFQ7", "0001")]
    plan_ = planned(found(holds=twice))
    assert asked(plan_) == {(ACME, "", "", "CFQ7", "0001"), (ACME, "", "", "CFQ8", "0002")}
    assert len(calls(plan_, "availability")) == 2


def test_an_inactive_licence_is_not_eligible_unless_an_active_one_is_the_same() -> None:
    holds = [licence("l1", status="suspended"), licence("l2", "CFQ8")]
    plan_ = planned(found(holds=holds))
    assert unasked(plan_, "availability") == [(Outcome.NOT_ELIGIBLE, Reason.SUBSCRIPTION_INACTIVE)]
    plan_ = planned(found(holds=[*holds, licence("l3")]))
    assert unasked(plan_, "availability") == []


def test_legacy_licences_are_recorded_once_and_legacy_azure_is_none() -> None:
    guid = "796b6b5f-613c-4e24-a17c-eba730d49c02"
    holds = [held("l1", offer=guid), held("l2", offer=guid.upper()), legacy_azure()]
    plan_ = planned(found(holds=holds))
    assert unasked(plan_, "availability") == [(Outcome.NOT_ELIGIBLE, Reason.OFFER_IS_LEGACY)]


RESERVATION = sku("0001", "DZH1")
OTHER = sku("0001", "CFQ9", variables="", prerequisites="")
NAMED = frozenset({("DZH1", ""), ("CFQ9", "0001")})
LISTED = [catalog(RESERVATION, OTHER, sku("0001", "DZH2"), named=NAMED)]


def test_listed_asks_named_and_held_skus_and_reservations_by_country() -> None:
    plan_ = planned(found(holds=LICENCES[:2]), catalogs=LISTED, availability="listed")
    assert asked(plan_) == {
        (ACME, "", "", "CFQ7", "0001"),
        (ACME, "", "", "CFQ9", "0001"),
        ("", "DE", "AzurePlan", "DZH1", "0001"),
    }


def test_all_asks_the_whole_catalog() -> None:
    catalogs = [catalog(RESERVATION, OTHER, sku("0002", "DZH1"))]
    plan_ = planned(found(holds=()), catalogs=catalogs, availability="all")
    assert asked(plan_) == {
        (ACME, "", "", "CFQ9", "0001"),
        ("", "DE", "AzurePlan", "DZH1", "0001"),
        ("", "DE", "AzurePlan", "DZH1", "0002"),
    }


def test_held_asks_nothing_by_country() -> None:
    assert asked(planned(found(holds=()), catalogs=LISTED)) == set()


def test_availability_always_asks_every_customer_by_product_or_by_sku() -> None:
    """Azure savings plans have no inventory check and no licence; only customers see them."""
    savings = sku("0001", "DZH318Z09V6F", variables="", prerequisites="")
    plan_ = planned(
        found(holds=()),
        catalogs=[catalog(RESERVATION, savings, view="")],
        availability_always=("DZH318Z09V6F", "CFQ5:000S"),
    )
    assert asked(plan_) == {
        (ACME, "", "", "CFQ5", "000S"),
        (ACME, "", "", "DZH318Z09V6F", "0001"),
    }


def test_a_run_over_one_country_asks_no_availability_by_customer() -> None:
    """Availability by customer belongs to no country (--country)."""
    plan_ = planned(found(azure(), holds=LICENCES), by_customer=False)
    assert checks(plan_, "availability") == []
    assert unasked(plan_, "availability") == []
    assert len(checks(plan_)) == 1


def test_a_run_over_one_customer_asks_no_availability_by_country() -> None:
    plan_ = planned(
        found(holds=LICENCES[:2]), catalogs=LISTED, availability="listed", by_country=False
    )
    assert {customer for customer, *_ in asked(plan_)} == {ACME}


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (("commercial",), [""]),
        (("commercial", "education"), [""]),
        (("nonprofit",), ["nonprofit"]),
        (("commercial", "nonprofit"), ["", "nonprofit"]),
    ],
)
def test_nonprofit_is_asked_separately(segments: tuple[str, ...], expected: list[str]) -> None:
    """A country's list holds every segment but nonprofit."""
    plan_ = planned(catalogs=LISTED, availability="listed", segments=segments)
    assert [q.segment for q in calls(plan_, "availability")] == expected


@pytest.mark.parametrize("kind", ["inventory", "availability"])
def test_only_configured_checks_are_made(kind: str) -> None:
    customers = (
        found(
            azure(), azure("a2", status="suspended"), holds=[*LICENCES, licence("x", status="?")]
        ),
        found(holds=(), customer_id="c2", failed=Reason.LISTING_FAILED),
        found(holds=(), customer_id="c3", ineligible=Reason.RELATIONSHIP_NOT_RESELLER),
    )
    plan_ = planned(*customers, availability="all", checks=frozenset({CheckKind(kind)}))
    kinds = {
        q.check.kind.value if isinstance(q, Unasked) else q.checks[0].kind.value
        for q in plan_.questions()
    }
    assert kinds == {kind}
