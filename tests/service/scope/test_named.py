"""Wave 1: products that the configuration names, and products that only customers see."""

import pytest

from auditor.sandbox import Fault
from auditor.sandbox.world.model import SAVINGS_PLAN
from auditor.scope.found import CatalogFound
from tests.builders.discovering import discovering
from tests.service.scope.test_catalog import (
    Name,
    assert_nothing_happened,
    first_night,
    gone_of,
    in_the_world,
    listed_sku,
    skus_of,
)


@pytest.mark.asyncio
async def test_a_named_product_is_asked_by_id_and_listed_though_no_view_shows_it() -> None:
    async with discovering() as discovery:
        [cosmos] = [p for p in discovery.world.portfolio.products if p.kind == "cosmos"]
        found = await discovery.catalog(target_views=(), products=(cosmos.product_id,))
        assert found.views == {cosmos.product_id: ""}
        assert {name for name, _ in skus_of(found)} == {cosmos.product_id}
        assert found.named == {(cosmos.product_id, "")}


@pytest.mark.asyncio
async def test_a_named_sku_is_asked_by_id_and_nothing_else_of_its_product() -> None:
    async with discovering() as discovery:
        sku = listed_sku(discovery)
        found = await discovery.catalog(target_views=(), products=(":".join(sku.key),))
        assert skus_of(found) == {sku.key}
        assert found.answered == frozenset()
        assert discovery.asked("skus") == []


@pytest.mark.asyncio
async def test_a_named_sku_that_is_not_found_any_more_is_gone() -> None:
    async with discovering() as discovery:
        sku = listed_sku(discovery)
        named = (":".join(sku.key),)
        first = await discovery.catalog(target_views=(), products=named)
        known = discovery.remembered(catalog=first)
        discovery.quiet_night().skus_out[sku.key] = 2
        found = await discovery.catalog(known, target_views=(), products=named)
        assert gone_of(found) == {sku.key: False}
        known = discovery.remembered(catalog=found, before=known)
        assert (await discovery.catalog(known, target_views=(), products=named)).gone == ()


@pytest.mark.asyncio
async def test_a_named_sku_that_was_never_there_is_no_news() -> None:
    async with discovering() as discovery:
        sku = listed_sku(discovery)
        discovery.world.state(1).skus_out[sku.key] = 0
        found = await discovery.catalog(target_views=(), products=(":".join(sku.key),))
        assert (found.skus, found.gone, found.failed) == ((), (), frozenset())


@pytest.mark.asyncio
async def test_a_named_sku_that_cannot_be_asked_is_carried_and_counts_as_failed() -> None:
    """Its checks are recorded as skipped."""
    async with discovering() as discovery:
        sku = listed_sku(discovery)
        named = (":".join(sku.key),)
        first = await discovery.catalog(target_views=(), products=named)
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="sku", status=503))
        found = await discovery.catalog(known, target_views=(), products=named)
        assert {s.name for s in found.carried} == {sku.key}
        assert found.failed == {sku.product_id}


@pytest.mark.asyncio
async def test_a_named_sku_of_a_product_whose_list_failed_is_there_once() -> None:
    """A SKU that is both found and carried would be two rows of one key."""
    async with discovering() as discovery:
        sku = listed_sku(discovery)
        named = (":".join(sku.key),)
        known = discovery.remembered(catalog=await discovery.catalog(products=named))
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="skus", product=sku.product_id, status=503))
        found = await discovery.catalog(known, products=named)
        names = [s.name for s in (*found.skus, *found.carried)]
        assert len(names) == len(set(names))
        assert sku.key in skus_of(found)


@pytest.mark.asyncio
async def test_a_view_that_is_not_configured_any_more_is_carried_and_not_asked() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        discovery.quiet_night()
        found = await discovery.catalog(known, target_views=())
        assert {s.name for s in found.carried} == in_the_world(discovery)
        assert (found.skus, found.gone, found.failed) == ((), (), frozenset())
        assert discovery.asked() == []


@pytest.mark.asyncio
async def test_products_always_asked_about_are_listed_though_not_named() -> None:
    async with discovering() as discovery:
        licence = next(p for p in discovery.world.portfolio.products if p.kind == "licence")
        found = await discovery.catalog(target_views=(), also_listed=(licence.product_id,))
        assert {name for name, _ in skus_of(found)} == {licence.product_id}
        assert found.named == frozenset()


# Products that only customers see -----------------------------------------------------------

PLANS = {(SAVINGS_PLAN, "0001"), (SAVINGS_PLAN, "0002")}
ALWAYS = (SAVINGS_PLAN,)


def plans_of(found: CatalogFound) -> set[Name]:
    return {name for name in skus_of(found) if name[0] == SAVINGS_PLAN}


@pytest.mark.asyncio
async def test_savings_plans_are_listed_through_a_customer_with_an_azure_plan() -> None:
    """Facts 1.13: no country lists them, so one customer is asked, not all."""
    async with discovering() as discovery:
        customers = (await discovery.customers()).values()
        discovery.sandbox.log.clear()
        found = await discovery.catalog(also_listed=ALWAYS, customers=customers)
        assert plans_of(found) == PLANS
        assert found.failed == frozenset()
        assert [record.status for record in discovery.asked("product")] == [404]
        asked = discovery.asked("customer_product", "customer_skus")
        assert [record.status for record in asked] == [200, 200]
        [buyer] = {record.customer for record in asked}
        kinds = {
            s.kind for s in discovery.world.state().portfolio.customer_by_id[buyer].subscriptions
        }
        assert "azure_plan" in kinds
        known = discovery.remembered(catalog=found)
        discovery.quiet_night()
        again = await discovery.catalog(known, also_listed=ALWAYS, customers=customers)
        assert plans_of(again) == PLANS
        assert_nothing_happened(again)


@pytest.mark.asyncio
async def test_one_customer_that_refuses_hides_no_savings_plan() -> None:
    async with discovering() as discovery:
        customers = (await discovery.customers()).values()
        discovery.faults(Fault(endpoint="customer_product", count=1, status=404, code="400013"))
        assert plans_of(await discovery.catalog(also_listed=ALWAYS, customers=customers)) == PLANS
        discovery.faults(Fault(endpoint="customer_skus", count=1, status=403, code="20002"))
        assert plans_of(await discovery.catalog(also_listed=ALWAYS, customers=customers)) == PLANS


@pytest.mark.asyncio
async def test_without_a_customer_to_ask_through_savings_plans_are_carried() -> None:
    """P2: no customer could be asked, which does not prove that they are gone."""
    async with discovering() as discovery:
        customers = (await discovery.customers()).values()
        first = await discovery.catalog(also_listed=ALWAYS, customers=customers)
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        found = await discovery.catalog(known, also_listed=ALWAYS)
        assert (plans_of(found), found.gone) == (set(), ())
        assert {sku.name for sku in found.carried} >= PLANS


@pytest.mark.asyncio
async def test_a_product_that_no_customer_sees_any_more_has_left() -> None:
    async with discovering() as discovery:
        customers = (await discovery.customers()).values()
        first = await discovery.catalog(also_listed=ALWAYS, customers=customers)
        known = discovery.remembered(catalog=first)
        discovery.quiet_night().products_out[SAVINGS_PLAN] = 2
        found = await discovery.catalog(known, also_listed=ALWAYS, customers=customers)
        assert gone_of(found).keys() == {(SAVINGS_PLAN, ""), *PLANS}
