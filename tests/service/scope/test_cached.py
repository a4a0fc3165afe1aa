"""What discovery takes from the store when a listing is not due, and what it asks all the same."""

from datetime import timedelta
from typing import Any

import pytest

from auditor.sandbox import Fault
from auditor.sandbox.answers.calls import ENDPOINT_NAMES
from auditor.scope.due import Due
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.known import Known
from tests.builders.discovering import AT, VIEW, Discovery, discovering

NOT_DUE = Due(now=AT + timedelta(hours=1), hours=20)
CACHED = {"subscriptions_due": NOT_DUE, "country_due": NOT_DUE}
LISTS = tuple(ENDPOINT_NAMES - {"customers"})


async def first_customers(discovery: Discovery) -> tuple[dict[str, CustomerFound], Known]:
    """Discover the customers of a first night; return them and what the next night knows."""
    found = await discovery.customers()
    known = discovery.remembered(found.values())
    discovery.quiet_night()
    return found, known


def registered(found: dict[str, CustomerFound]) -> str:
    """Return a customer with a registered plan."""
    return next(
        name
        for name, each in found.items()
        for azure in each.azure_subscriptions
        if azure.registration_status == "Registered"
    )


# Customers ----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_with_nothing_due_only_the_customer_list_is_asked_and_all_stays_as_it_was() -> None:
    async with discovering() as discovery:
        first, known = await first_customers(discovery)
        found = await discovery.customers(known, **CACHED)
        assert {record.endpoint for record in discovery.asked()} == {"customers"}
        assert found.keys() == first.keys()
        for name, each in found.items():
            before = first[name]
            assert each.customer == before.customer
            assert (each.countries, each.ineligible) == (before.countries, before.ineligible)
            assert each.azure_subscriptions == before.azure_subscriptions
            assert set(each.commerce_subscriptions) == set(before.commerce_subscriptions)
            assert each.is_cached == (not before.ineligible)
            assert (each.listed, each.is_country_read) == (None, False)
            assert not each.unheld
            assert each.new == each.ended == each.unlisted == each.carried == frozenset()


@pytest.mark.asyncio
async def test_a_customer_that_left_is_noticed_although_nothing_is_due() -> None:
    async with discovering() as discovery:
        first, known = await first_customers(discovery)
        leaver = min(first)
        discovery.world.state(2).absent.add(leaver)
        found = await discovery.customers(known, **CACHED)
        assert found[leaver].left
        assert not any(each.left for name, each in found.items() if name != leaver)


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", ["entitlements", "registration"])
async def test_a_customer_that_was_answered_in_part_is_asked_again(endpoint: str) -> None:
    async with discovering() as discovery:
        name = registered(await discovery.customers())
        discovery.faults(Fault(endpoint=endpoint, customer=name, status=503))
        first, known = await first_customers(discovery)
        assert first[name].listed is None
        assert sum(each.listed is not None for each in first.values()) > 5
        found = await discovery.customers(known, **CACHED)
        assert {record.customer for record in discovery.asked("subscriptions")} == {name}
        assert found[name].listed is not None


@pytest.mark.asyncio
async def test_a_plan_that_could_not_be_asked_by_id_is_asked_for_again() -> None:
    async with discovering() as discovery:
        first, known = await first_customers(discovery)
        name = registered(first)
        discovery.faults(
            Fault(endpoint="subscriptions", customer=name, truncate=0),
            Fault(endpoint="subscription", customer=name, status=503),
        )
        assert (await discovery.customers(known))[name].listed is None


@pytest.mark.asyncio
async def test_a_country_that_is_not_due_is_not_read_though_subscriptions_are() -> None:
    async with discovering() as discovery:
        _, known = await first_customers(discovery)
        found = await discovery.customers(known, country_due=NOT_DUE)
        assert not discovery.asked("customer")
        assert discovery.asked("subscriptions")
        assert not any(each.is_country_read for each in found.values())


@pytest.mark.asyncio
async def test_billing_countries_never_read_before_are_read_although_not_due() -> None:
    async with discovering() as discovery:
        found = await discovery.customers(own_country=False)
        known = discovery.remembered(found.values())
        await discovery.customers(known, **CACHED)
        read = {record.customer for record in discovery.asked("customer")}
        assert read == {name for name, each in found.items() if not each.ineligible}


@pytest.mark.asyncio
async def test_a_customer_that_cannot_be_listed_is_failed_and_not_empty() -> None:
    async with discovering() as discovery:
        discovery.faults(Fault(endpoint="subscriptions", status=503))
        for each in (await discovery.customers()).values():
            assert each.failed or each.ineligible
            assert each.listed is None


# The catalog --------------------------------------------------------------------------------


async def first_catalog(discovery: Discovery, **rules: Any) -> Known:  # as `Discovery.catalog`
    known = discovery.remembered(catalog=await discovery.catalog(**rules))
    discovery.quiet_night()
    return known


def product_of(discovery: Discovery) -> str:
    """Return the listed product with most SKUs."""
    listed = discovery.world.products(discovery.world.night, discovery.country, VIEW, "AzurePlan")
    return max(listed, key=lambda product: len(product.skus)).product_id


def assert_as_before(found: CatalogFound, known: Known) -> None:
    """Check that the whole catalog is found in the store, and that no listing was answered."""
    where = (found.country, found.reservation_scope)
    assert {s.name: s for s in found.skus} == known.skus[where]
    assert found.views == known.views[where]
    assert found.cached == known.skus[where].keys()
    assert (found.listed, found.carried, found.gone) == ({}, (), ())
    assert found.failed == found.unlisted == frozenset()
    assert not found.new


@pytest.mark.asyncio
async def test_a_catalog_that_is_not_due_is_not_asked() -> None:
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        found = await discovery.catalog(known, due=NOT_DUE)
        assert discovery.asked() == []
        assert_as_before(found, known)
        assert found.answered == found.views.keys()


@pytest.mark.asyncio
async def test_named_products_and_skus_that_are_not_due_are_not_asked() -> None:
    async with discovering() as discovery:
        [cosmos] = [p for p in discovery.world.portfolio.products if p.kind == "cosmos"]
        product_id = product_of(discovery)
        [always] = [p for p in discovery.world.portfolio.products if p.kind == "licence"][:1]
        tenant = discovery.partner.partner_tenant_id
        here = discovery.world.skus(1, tenant, discovery.country, "AzurePlan")
        sku = next(sku for sku in here if sku.product_id == product_id)
        rules: dict[str, Any] = {  # as `Discovery.catalog`
            "target_views": (),
            "products": (cosmos.product_id, ":".join(sku.key)),
            "also_listed": (always.product_id,),
        }
        known = await first_catalog(discovery, **rules)
        found = await discovery.catalog(known, **rules, due=NOT_DUE)
        assert discovery.asked() == []
        assert_as_before(found, known)
        assert sku.key in found.cached
        assert found.answered == {cosmos.product_id, always.product_id}


@pytest.mark.asyncio
async def test_a_product_that_is_named_now_is_listed_at_once() -> None:
    async with discovering() as discovery:
        [cosmos] = [p for p in discovery.world.portfolio.products if p.kind == "cosmos"]
        known = await first_catalog(discovery)
        found = await discovery.catalog(known, products=(cosmos.product_id,), due=NOT_DUE)
        assert {s.product_id for s in found.skus} > {cosmos.product_id}
        assert {record.endpoint for record in discovery.asked()} == {"product", "skus"}


@pytest.mark.asyncio
async def test_a_sku_list_that_failed_is_asked_again_and_its_view_with_it() -> None:
    """Only the list of the view has the title of a product without SKUs."""
    async with discovering() as discovery:
        broken = product_of(discovery)
        discovery.faults(Fault(endpoint="skus", product=broken, status=503))
        known = await first_catalog(discovery)
        found = await discovery.catalog(known, due=NOT_DUE)
        assert [record.endpoint for record in discovery.asked()] == ["products", "skus"]
        assert found.listed.keys() == {(f"view:{VIEW}", ""), (broken, "")}
        assert {s.product_title for s in found.skus if s.product_id == broken} != {""}


@pytest.mark.asyncio
async def test_a_product_list_that_was_not_confirmed_is_asked_again() -> None:
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        discovery.world.state(2).products_out[product_of(discovery)] = 2
        discovery.faults(Fault(endpoint="product", status=503))
        found = await discovery.catalog(known)
        assert (f"view:{VIEW}", "") not in found.listed


@pytest.mark.asyncio
async def test_a_view_with_a_forbidden_segment_is_asked_in_every_run() -> None:
    """400030: each run reports what is forbidden, from the product list, without the SKU lists."""
    segments = ("commercial", "government")
    async with discovering() as discovery:
        first = await discovery.catalog(segments=segments)
        assert first.forbidden
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        found = await discovery.catalog(known, segments=segments, due=NOT_DUE)
        assert {record.endpoint for record in discovery.asked()} == {"products"}
        assert [f.view for f in found.forbidden] == [VIEW]


@pytest.mark.asyncio
async def test_a_sku_that_could_not_be_confirmed_leaves_its_list_due() -> None:
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        product_id = product_of(discovery)
        discovery.faults(
            Fault(endpoint="skus", product=product_id, truncate=1),
            Fault(endpoint="sku", status=503),
        )
        found = await discovery.catalog(known)
        assert (product_id, "") not in found.listed


@pytest.mark.asyncio
async def test_a_product_whose_due_sku_list_is_not_found_has_left() -> None:
    """The product list is not due, and still names the product; so it is asked for by id."""
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        left = product_of(discovery)
        discovery.world.state(2).products_out[left] = 2
        where = (discovery.country, "AzurePlan")
        listed = {n: entry for n, entry in known.catalog_listed[where].items() if n != (left, "")}
        known.catalog_listed[where] = listed
        found = await discovery.catalog(known, due=NOT_DUE)
        assert [record.endpoint for record in discovery.asked()] == ["skus", "product"]
        gone = {(each.product_id, each.sku_id) for each in found.gone}
        assert gone == {(left, "")} | {n for n in known.skus[where] if n[0] == left}
        assert left not in found.views
        assert found.failed == frozenset()


@pytest.mark.asyncio
async def test_a_named_product_that_its_view_no_longer_lists_is_asked_by_id() -> None:
    """The SKU list of the product is not due; the product list of its view is due."""
    async with discovering() as discovery:
        left = product_of(discovery)
        known = await first_catalog(discovery, products=(left,))
        discovery.world.state(2).products_out[left] = 2
        del known.catalog_listed[discovery.country, "AzurePlan"][f"view:{VIEW}", ""]
        found = await discovery.catalog(known, products=(left,), due=NOT_DUE)
        assert [record.endpoint for record in discovery.asked()] == ["products", "product"]
        assert (left, "") in {(each.product_id, each.sku_id) for each in found.gone}


@pytest.mark.asyncio
async def test_a_product_that_left_is_listed_again_when_it_returns() -> None:
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        left = product_of(discovery)
        discovery.world.state(2).products_out[left] = 2
        without = await discovery.catalog(known)
        known = discovery.remembered(catalog=without, before=known)
        del discovery.world.state(2).products_out[left]
        discovery.sandbox.log.clear()
        views = {n: asked for n, asked in without.listed.items() if n[0] != f"view:{VIEW}"}
        where = (discovery.country, "AzurePlan")
        known.catalog_listed[where] = {n: (AT, asked) for n, asked in views.items()}
        found = await discovery.catalog(known, due=NOT_DUE)
        assert [record.endpoint for record in discovery.asked()] == ["products", "skus"]
        assert left in {s.product_id for s in found.skus}


@pytest.mark.asyncio
async def test_what_is_not_due_proves_what_is_gone_as_of_when_it_was_answered() -> None:
    """P39: a product list for the SKUs of a product, a SKU list for the others."""
    async with discovering() as discovery:
        known = await first_catalog(discovery)
        left = product_of(discovery)
        where = (discovery.country, "AzurePlan")
        sku = next(name for name in known.skus[where] if name[0] != left)
        second = discovery.world.state(2)
        second.products_out[left] = second.skus_out[sku] = 2
        known = discovery.remembered(catalog=await discovery.catalog(known), before=known)
        discovery.sandbox.log.clear()
        found = await discovery.catalog(known, due=NOT_DUE)
        assert discovery.asked() == []
        assert found.still_gone == {(p, s): AT for _, _, p, s in known.gone if s}
