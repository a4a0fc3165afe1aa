"""What discovery finds in the catalog, and what it regards as gone."""

from typing import Any

import msgspec
import pytest

from auditor.errors import Unauthorized
from auditor.sandbox import Fault
from auditor.sandbox.world.model import Product, Sku
from auditor.scope.found import CatalogFound
from auditor.scope.known import Known
from tests.builders.discovering import AT, VIEW, Discovery, discovering

Name = tuple[str, str]


def skus_of(found: CatalogFound) -> set[Name]:
    return {sku.name for sku in found.skus}


def in_the_world(discovery: Discovery) -> set[Name]:
    world, tenant = discovery.world, discovery.partner.partner_tenant_id
    return {sku.key for sku in world.skus(world.night, tenant, discovery.country, "AzurePlan")}


def products(discovery: Discovery) -> list[Product]:
    """Return the listed VM products, the one with most SKUs first."""
    world = discovery.world
    found = world.products(world.night, discovery.country, VIEW, "AzurePlan")
    return sorted(found, key=lambda product: -len(product.skus))


def listed_sku(discovery: Discovery) -> Sku:
    here = in_the_world(discovery)
    return next(sku for sku in products(discovery)[0].skus if sku.key in here)


def gone_of(found: CatalogFound) -> dict[Name, bool]:
    """Return each product or SKU that is gone, and whether it left with its product."""
    return {(gone.product_id, gone.sku_id): gone.with_product for gone in found.gone}


async def first_night(discovery: Discovery) -> Known:
    """Discover the first night and return what the next night knows."""
    return discovery.remembered(catalog=await discovery.catalog())


def assert_nothing_happened(found: CatalogFound) -> None:
    """Check that nothing is new, gone or unknown."""
    assert not found.new
    assert not found.unlisted | found.failed
    assert not found.carried
    assert not found.gone


# What there is ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_every_sku_of_the_views_is_found_and_nothing_is_new_the_first_time() -> None:
    async with discovering() as discovery:
        found = await discovery.catalog()
        assert skus_of(found) == in_the_world(discovery)
        assert found.views == {p.product_id: VIEW for p in products(discovery)}
        assert found.answered == found.views.keys()
        assert_nothing_happened(found)


@pytest.mark.asyncio
async def test_the_two_reservation_scopes_are_two_catalogs() -> None:
    async with discovering() as discovery:
        world, tenant = discovery.world, discovery.partner.partner_tenant_id
        legacy = await discovery.catalog(scope="")
        assert skus_of(legacy) == {s.key for s in world.skus(1, tenant, discovery.country, "")}
        assert skus_of(legacy) != in_the_world(discovery)


@pytest.mark.asyncio
async def test_on_an_unchanged_night_nothing_is_new_gone_or_carried() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        discovery.quiet_night()
        found = await discovery.catalog(known)
        assert skus_of(found) == in_the_world(discovery)
        assert_nothing_happened(found)
        assert discovery.asked("product", "sku") == []


# New ----------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_sku_or_a_product_that_is_listed_for_the_first_time_is_new() -> None:
    async with discovering() as discovery:
        late, other = listed_sku(discovery), products(discovery)[1]
        first = discovery.world.state(1)
        first.skus_out[late.key] = 0
        first.products_out[other.product_id] = 0
        known = await first_night(discovery)
        second = discovery.quiet_night()
        del second.skus_out[late.key], second.products_out[other.product_id]
        found = await discovery.catalog(known)
        expected = {key for key in in_the_world(discovery) if key[0] == other.product_id}
        assert found.new == {late.key, *expected}


@pytest.mark.asyncio
async def test_what_was_gone_is_not_new_when_it_returns() -> None:
    async with discovering() as discovery:
        gone, other = listed_sku(discovery), products(discovery)[1]
        known = await first_night(discovery)
        second = discovery.quiet_night()
        second.skus_out[gone.key] = 2
        second.products_out[other.product_id] = 2
        without = await discovery.catalog(known)
        known = discovery.remembered(catalog=without, before=known)
        third = discovery.world.state(3)
        third.skus_out, third.products_out = {}, {}
        discovery.world.night = 3
        found = await discovery.catalog(known)
        back = {key for key in in_the_world(discovery) if key[0] == other.product_id}
        assert skus_of(found) >= {gone.key, *back}
        assert found.new.isdisjoint({gone.key, *back})


# Short lists --------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", ["products", "skus"])
async def test_a_list_that_comes_back_short_removes_nothing(endpoint: str) -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        discovery.quiet_night()
        discovery.faults(Fault(endpoint=endpoint, truncate=1))
        found = await discovery.catalog(known)
        assert skus_of(found) == in_the_world(discovery)
        assert_nothing_happened(found)
        assert found.views.keys() == {p.product_id for p in products(discovery)}
        assert discovery.asked("product" if endpoint == "products" else "sku")


@pytest.mark.asyncio
async def test_a_sku_that_is_not_found_by_id_is_gone() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        left = listed_sku(discovery)
        discovery.quiet_night().skus_out[left.key] = 2
        found = await discovery.catalog(known)
        assert gone_of(found) == {left.key: False}
        assert left.key not in skus_of(found)
        [asked] = discovery.asked("sku")
        assert found.gone[0].at.timestamp() > 0
        assert asked.status == 404


@pytest.mark.asyncio
async def test_a_product_that_is_not_found_by_id_is_gone_with_its_skus() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        left = products(discovery)[0]
        of_it = {key for key in in_the_world(discovery) if key[0] == left.product_id}
        discovery.quiet_night().products_out[left.product_id] = 2
        found = await discovery.catalog(known)
        assert gone_of(found) == {(left.product_id, ""): False, **dict.fromkeys(of_it, True)}
        assert len({gone.at for gone in found.gone}) == 1
        assert left.product_id not in found.views
        assert discovery.asked("sku") == []


@pytest.mark.asyncio
async def test_a_departure_is_reported_once() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        second = discovery.quiet_night()
        second.products_out[products(discovery)[0].product_id] = 2
        second.skus_out[listed_sku(discovery).key] = 2
        found = await discovery.catalog(known)
        known = discovery.remembered(catalog=found, before=known)
        discovery.sandbox.log.clear()
        assert (await discovery.catalog(known)).gone == ()
        assert discovery.asked("product", "sku") == []


async def a_night_of_departures(discovery: Discovery) -> tuple[Known, Name, str]:
    """Return what is known after a SKU and another product left, and their names."""
    known = await first_night(discovery)
    second = discovery.quiet_night()
    sku, product = listed_sku(discovery).key, products(discovery)[1].product_id
    second.skus_out[sku] = 2
    second.products_out[product] = 2
    found = await discovery.catalog(known)
    assert found.still_gone == {}
    discovery.sandbox.log.clear()
    return discovery.remembered(catalog=found, before=known), sku, product


def of_product(known: Known, product_id: str) -> set[Name]:
    return {(p, s) for _, _, p, s in known.gone if p == product_id and s}


@pytest.mark.asyncio
async def test_answered_listings_prove_that_what_left_is_gone_still() -> None:
    """P39: the SKU list for a SKU, the product lists for the SKUs of a product."""
    async with discovering() as discovery:
        known, sku, product = await a_night_of_departures(discovery)
        found = await discovery.catalog(known)
        assert found.still_gone == dict.fromkeys({sku, *of_product(known, product)})
        assert len(found.still_gone) > 2


@pytest.mark.asyncio
async def test_what_is_listed_again_is_not_gone_still() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        back = (discovery.country, "AzurePlan", *listed_sku(discovery).key)
        found = await discovery.catalog(msgspec.structs.replace(known, gone={back: AT}))
        assert found.still_gone == {}


@pytest.mark.asyncio
async def test_a_listing_that_failed_proves_nothing() -> None:
    """P39."""
    async with discovering() as discovery:
        known, sku, product = await a_night_of_departures(discovery)
        discovery.faults(Fault(endpoint="skus", product=sku[0], status=503))
        assert (await discovery.catalog(known)).still_gone.keys() == of_product(known, product)
        discovery.faults(Fault(endpoint="products", status=503))
        assert (await discovery.catalog(known)).still_gone == {}
        discovery.faults(Fault(endpoint="products", status=403, code="400030"))
        assert (await discovery.catalog(known)).still_gone == {}


@pytest.mark.asyncio
async def test_a_configured_product_or_sku_that_is_not_found_by_id_is_gone_still() -> None:
    """P39: though no view is listed."""
    async with discovering() as discovery:
        known, sku, product = await a_night_of_departures(discovery)
        rules: dict[str, Any] = {"target_views": (), "products": (product, ":".join(sku))}
        found = await discovery.catalog(known, **rules)
        assert found.still_gone == dict.fromkeys({sku, *of_product(known, product)})
        discovery.faults(Fault(endpoint=("product", "sku"), status=503))
        assert (await discovery.catalog(known, **rules)).still_gone == {}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "code"), [(503, ""), (403, ""), (400, "3000"), (404, "1000"), (404, "")]
)
async def test_a_product_or_sku_not_answered_by_id_is_carried(status: int, code: str) -> None:
    """P2: anything but a 404 that names the product or SKU proves nothing."""
    async with discovering() as discovery:
        known = await first_night(discovery)
        before = in_the_world(discovery)
        left, sku = products(discovery)[1], listed_sku(discovery)
        second = discovery.quiet_night()
        second.products_out[left.product_id] = 2
        second.skus_out[sku.key] = 2
        discovery.faults(Fault(endpoint=("product", "sku"), status=status, code=code))
        found = await discovery.catalog(known)
        assert found.gone == ()
        assert found.failed == {left.product_id}
        assert {s.name for s in found.carried} == before - in_the_world(discovery)
        assert skus_of(found) == in_the_world(discovery)


# Listings that failed -----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_product_list_that_fails_carries_its_products() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="products", status=503))
        found = await discovery.catalog(known)
        assert not found.skus
        assert not found.gone
        assert {s.name for s in found.carried} == in_the_world(discovery)
        assert found.failed == {p.product_id for p in products(discovery)}
        assert found.unlisted == frozenset()


@pytest.mark.asyncio
async def test_a_product_list_that_fails_at_the_baseline_is_no_news_later() -> None:
    async with discovering() as discovery:
        discovery.faults(Fault(endpoint="products", status=503))
        first = await discovery.catalog()
        assert first.failed == {""}
        assert first.unlisted == {f"view:{VIEW}"}
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        found = await discovery.catalog(known)
        assert skus_of(found) == in_the_world(discovery)
        assert_nothing_happened(found)


@pytest.mark.asyncio
async def test_a_sku_list_that_fails_carries_its_skus() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        broken = products(discovery)[0].product_id
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="skus", product=broken, status=503))
        found = await discovery.catalog(known)
        here = in_the_world(discovery)
        assert {s.name for s in found.carried} == {key for key in here if key[0] == broken}
        assert skus_of(found) == {key for key in here if key[0] != broken}
        assert found.failed == {broken}
        assert not found.unlisted
        assert not found.gone


@pytest.mark.asyncio
async def test_a_sku_list_that_fails_at_the_baseline_is_no_news_later() -> None:
    async with discovering() as discovery:
        broken = products(discovery)[0].product_id
        fault = Fault(endpoint="skus", product=broken, status=503)
        discovery.faults(fault)
        first = await discovery.catalog()
        assert first.failed == first.unlisted == {broken}
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        discovery.faults(fault)
        second = await discovery.catalog(known)
        assert second.unlisted == {broken}
        known = discovery.remembered(catalog=second, before=known)
        discovery.faults()
        third = await discovery.catalog(known)
        assert skus_of(third) == in_the_world(discovery)
        assert_nothing_happened(third)


@pytest.mark.asyncio
async def test_the_skus_of_a_new_product_are_news_once_they_can_be_listed() -> None:
    async with discovering() as discovery:
        late = products(discovery)[0].product_id
        discovery.world.state(1).products_out[late] = 0
        known = await first_night(discovery)
        del discovery.quiet_night().products_out[late]
        discovery.faults(Fault(endpoint="skus", product=late, status=503))
        second = await discovery.catalog(known)
        assert second.failed == {late}
        assert not second.unlisted
        known = discovery.remembered(catalog=second, before=known)
        discovery.faults()
        third = await discovery.catalog(known)
        assert third.new == {key for key in in_the_world(discovery) if key[0] == late}


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [401, 403])
async def test_when_the_product_list_is_refused_the_partner_is_out(status: int) -> None:
    async with discovering() as discovery:
        discovery.faults(Fault(endpoint="products", status=status))
        with pytest.raises(Unauthorized):
            await discovery.catalog()


# Forbidden views and segments ---------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_view_that_is_not_allowed_is_passed_over() -> None:
    """400036: the other views are listed, and `forbidden` names this one."""
    async with discovering() as discovery:
        views = ("MarketplaceSaaS", VIEW)
        found = await discovery.catalog(target_views=views)
        assert skus_of(found) == in_the_world(discovery)
        assert found.failed == frozenset()
        [forbidden] = found.forbidden
        assert (forbidden.view, forbidden.segment) == ("MarketplaceSaaS", "commercial")
        assert (forbidden.country, forbidden.reservation_scope) == (discovery.country, "AzurePlan")
        [refused] = [r for r in discovery.asked("products") if r.status == 403]
        assert forbidden.error_code == "400036"
        assert forbidden.request_id == refused.request_id
        assert forbidden.correlation_id == refused.correlation_id


@pytest.mark.asyncio
async def test_the_products_of_a_view_that_becomes_allowed_are_no_news() -> None:
    """Its products widen the scope, which is a baseline."""
    async with discovering() as discovery:
        discovery.faults(Fault(endpoint="products", status=403, code="400036"))
        known = discovery.remembered(catalog=await discovery.catalog())
        discovery.quiet_night()
        found = await discovery.catalog(known)
        assert skus_of(found) == in_the_world(discovery)
        assert (found.new, found.forbidden, found.unlisted) == (frozenset(), (), frozenset())


@pytest.mark.asyncio
async def test_a_view_that_is_not_allowed_any_more_carries_its_products() -> None:
    async with discovering() as discovery:
        known = await first_night(discovery)
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="products", status=403, code="400036"))
        found = await discovery.catalog(known)
        assert {s.name for s in found.carried} == in_the_world(discovery)
        assert (found.gone, found.skus, found.failed) == ((), (), frozenset())
        assert discovery.asked("product", "sku") == []


@pytest.mark.asyncio
async def test_a_segment_that_is_not_allowed_is_passed_over_and_departures_are_still_seen() -> None:
    """400030: the segment `government` exists only in the United States."""
    segments = ("commercial", "government")
    async with discovering() as discovery:
        known = discovery.remembered(catalog=await discovery.catalog(segments=segments))
        left, sku = products(discovery)[1], listed_sku(discovery)
        of_it = {key for key in in_the_world(discovery) if key[0] == left.product_id}
        second = discovery.quiet_night()
        second.products_out[left.product_id] = 2
        second.skus_out[sku.key] = 2
        found = await discovery.catalog(known, segments=segments)
        assert skus_of(found) == in_the_world(discovery)
        assert [(f.segment, f.error_code) for f in found.forbidden] == [("government", "400030")]
        assert gone_of(found).keys() == {(left.product_id, ""), sku.key, *of_it}


@pytest.mark.asyncio
async def test_a_sku_list_that_no_segment_is_allowed_to_see_was_not_answered() -> None:
    """Otherwise every SKU would be news on the day when a segment is allowed."""
    async with discovering() as discovery:
        closed = products(discovery)[0].product_id
        discovery.faults(Fault(endpoint="skus", product=closed, status=403, code="400030"))
        first = await discovery.catalog()
        assert closed not in first.answered
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        found = await discovery.catalog(known)
        assert skus_of(found) == in_the_world(discovery)
        assert found.new == frozenset()
