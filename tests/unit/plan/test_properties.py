"""Properties of every plan, for any scope."""

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model import Outcome, Unasked
from auditor.scope.found import CatalogFound, CustomerFound
from tests.builders.scope import BOTH, azure, catalog, found, sku
from tests.unit.plan.test_plan import WITH_REGION, Key, calls, checks, keys, planned


@st.composite
def scopes(draw: st.DrawFn) -> tuple[list[CustomerFound], list[CatalogFound]]:
    """Draw customers with eligible and other subscriptions, and a catalog for each country."""
    some_skus = st.lists(
        st.builds(
            sku,
            st.sampled_from(["0001", "0002", "0003"]),
            st.sampled_from(["P1", "P2", "P3"]),
            variables=st.sampled_from([BOTH, BOTH, WITH_REGION, "CustomerId", ""]),
            region=st.sampled_from(["", "EastUS", "japanwest"]),
            prerequisites=st.sampled_from(["InventoryCheck", "InventoryCheck", ""]),
        ),
        max_size=9,
        unique_by=lambda s: s.name,
    )
    catalogs = [
        catalog(*(msgspec.structs.replace(s, country=c) for s in draw(some_skus)), country=c)
        for c in ("DE", "FR")
    ]
    statuses = st.sampled_from(["active", "active", "suspended"])
    registrations = st.sampled_from(["Registered", "registered", "NotRegistered", "unknown"])
    customers = [
        found(
            *(
                azure(
                    f"{name}-{n}",
                    customer_id=name,
                    status=draw(statuses),
                    registration=draw(registrations),
                )
                for n in range(draw(st.integers(0, 3)))
            ),
            customer_id=name,
            countries=draw(st.sampled_from([("DE",), ("FR",), ("DE", "FR"), ("BR",), ("JP",)])),
        )
        for name in ("c1", "c2")[: draw(st.integers(0, 2))]
    ]
    return customers, catalogs


@given(scopes(), st.integers(1, 5), st.sampled_from([None, ("eastus", "japanwest")]))
@settings(deadline=None)
def test_each_eligible_subscription_and_asked_sku_is_asked_exactly_once(
    scope: tuple[list[CustomerFound], list[CatalogFound]],
    batch_size: int,
    regions: tuple[str, ...] | None,
) -> None:
    customers, catalogs = scope
    plan_ = planned(*customers, catalogs=catalogs, batch_size=batch_size, arm_regions=regions)
    assert keys(plan_) == Counter(expected_keys(customers, catalogs, regions))


def expected_keys(
    customers: Sequence[CustomerFound],
    catalogs: Sequence[CatalogFound],
    arm_regions: tuple[str, ...] | None,
) -> Iterable[Key]:
    """Yield each expected question of a scope, by "Which SKUs are asked" of docs/contract.md."""
    for of in catalogs:
        for each in of.skus:
            if "InventoryCheck" not in each.purchase_prerequisites:
                continue
            regions: Sequence[str] = [""]
            if "ArmRegionName" in each.inventory_variables:
                regions = [each.region] if each.region else arm_regions or ()
            for region in regions:
                for customer_id, name in contexts(customers, of.country, each.inventory_variables):
                    yield (customer_id, of.country, name, region, *each.name)


def contexts(
    customers: Sequence[CustomerFound], country: str, variables: str
) -> Iterable[tuple[str, str]]:
    """Yield the customer and the Azure subscription of each context that the variables need."""
    here = [c for c in customers if country in c.countries]
    if "AzureSubscriptionId" in variables:
        for each in here:
            for name in each.azure_subscriptions:
                if name.status == "active" and name.registration_status.lower() == "registered":
                    yield each.customer.customer_id, name.azure_subscription_id
    elif "CustomerId" in variables:
        yield from ((each.customer.customer_id, "") for each in here)
    else:
        yield "", ""


@given(scopes(), st.integers(1, 5))
@settings(deadline=None)
def test_the_checks_of_a_batch_share_a_context_and_none_is_in_two(
    scope: tuple[list[CustomerFound], list[CatalogFound]], batch_size: int
) -> None:
    customers, catalogs = scope
    plan_ = planned(*customers, catalogs=catalogs, batch_size=batch_size)
    ids = [check.check_id() for check in checks(plan_)]
    assert len(ids) == len(set(ids))
    for question in calls(plan_):
        assert 1 <= len(question.checks) <= batch_size
        shared = {
            (c.customer_id, c.country, c.azure_subscription_id, c.arm_region, c.reservation_scope)
            for c in question.checks
        }
        assert len(shared) == 1


@given(scopes())
@settings(deadline=None)
def test_each_unasked_check_has_a_reason_and_its_own_id(
    scope: tuple[list[CustomerFound], list[CatalogFound]],
) -> None:
    plan_ = planned(*scope[0], catalogs=scope[1])
    others = [q for q in plan_.questions() if isinstance(q, Unasked)]
    assert all(q.reason and q.outcome in {Outcome.SKIPPED, Outcome.NOT_ELIGIBLE} for q in others)
    ids = [q.check.check_id() for q in others]
    assert len(ids) == len(set(ids))
    assert set(ids).isdisjoint(check.check_id() for check in checks(plan_))


def test_a_thousand_customers_take_a_fortieth_of_the_naive_calls() -> None:
    """2,000 contexts, 40 products of 300 SKUs. The naive plan asks each product separately."""
    products = [f"P{n:02}" for n in range(40)]
    of = catalog(*(sku(f"{s:04}", p) for p in products for s in range(300)))
    customers = [
        found(
            azure(f"c{n}-1", customer_id=f"c{n}"),
            azure(f"c{n}-2", customer_id=f"c{n}"),
            customer_id=f"c{n}",
        )
        for n in range(1000)
    ]
    plan_ = planned(*customers, catalogs=[of])
    naive = {
        (f"c{n}", "DE", f"c{n}-{s}", "", product)
        for n in range(1000)
        for s in (1, 2)
        for product in products
    }
    questions = calls(plan_)
    assert len(naive) == 80_000
    assert len(questions) <= len(naive) / 40
    assert {t.skus for targets in plan_.targets.values() for t in targets} == {
        tuple(f"{s:04}" for s in range(300))
    }
    asked = [
        (c.customer_id, c.country, c.azure_subscription_id, c.arm_region, c.product_id)
        for q in questions
        for c in q.checks
    ]
    assert len(asked) == len(naive)
    assert set(asked) == naive
