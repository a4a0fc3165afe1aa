"""P36: what discovery makes of a listed item that cannot be used, and of those beside it."""

import pytest

from auditor.model import Reason
from auditor.sandbox import Fault
from auditor.sandbox.world.model import Customer
from auditor.scope.customer_list import match_customers
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.known import Known
from tests.builders.discovering import VIEW, Discovery, discovering
from tests.service.scope.test_catalog import first_night, in_the_world, products, skus_of
from tests.service.scope.test_customers import azure_of, held_by, names_of, with_plan

ODD_ID = "[1]"


def of_item(item_id: str, field: str, odd: str) -> tuple[str, str]:
    """Return a replacement of one field of the listed item with an id, in any letter case."""
    value = r'("[^"]*"|\[[^\]]*\])'
    return rf'(?i)"id":"{item_id}".*?"{field}":{value}', odd


def odd_id(item_id: str) -> tuple[str, str]:
    """Return a replacement of the id of one listed item, so that it shows none."""
    return rf'(?i)"id":("{item_id}")', ODD_ID


def odd(endpoint: str, *replace: tuple[str, str], **selectors: object) -> Fault:
    return Fault(endpoint=endpoint, replace=replace, **selectors)  # type: ignore[arg-type] # named


def without(found: dict[str, CustomerFound], name: str) -> dict[str, CustomerFound]:
    return {key: each for key, each in found.items() if key != name}


# Customers ----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_customer_that_cannot_be_read_has_failed_and_all_others_are_read() -> None:
    """P36: it has not left, whatever a question by id would say, and everything is carried."""
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        customer = with_plan(discovery)
        name = customer.customer_id
        discovery.quiet_night()
        discovery.faults(
            odd("customers", of_item(name, "relationshipToPartner", "{}")),
            Fault(endpoint="customer", customer=name, status=404),
        )
        again = await discovery.customers(known)
        assert (again[name].failed, again[name].left) == (Reason.LISTING_FAILED, False)
        assert names_of(again[name]) == again[name].carried == azure_of(discovery, customer)
        assert again[name].customer == first[name].customer
        assert without(again, name) == without(first, name)


@pytest.mark.asyncio
async def test_a_customer_that_cannot_be_read_on_the_first_night_is_told_by_its_name() -> None:
    """P36."""
    async with discovering() as discovery:
        customer = with_plan(discovery)
        name = customer.customer_id
        discovery.faults(odd("customers", of_item(name, "relationshipToPartner", "5")))
        found = await discovery.customers()
        assert found[name].failed == Reason.LISTING_FAILED
        assert found[name].customer.company_name == customer.company_name
        assert found[name].unlisted == {""}
        assert len(found) > 1
        assert not any(each.failed for each in without(found, name).values())


@pytest.mark.asyncio
async def test_a_customer_whose_id_cannot_be_read_is_asked_by_id_if_it_is_known() -> None:
    """P36."""
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        name = with_plan(discovery).customer_id
        discovery.quiet_night()
        discovery.faults(odd("customers", odd_id(name)))
        again = await discovery.customers(known)
        assert names_of(again[name]) == names_of(first[name])
        assert not any(each.failed or each.left for each in again.values())


@pytest.mark.asyncio
async def test_a_customer_is_found_by_the_name_of_an_item_that_cannot_be_used() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        discovery.faults(
            odd("customers", of_item(customer.customer_id, "relationshipToPartner", "5"))
        )
        named = customer.company_name
        known = Known(partner_tenant_id=customer.partner_tenant_id)
        found = await match_customers(discovery.api, known, [named])
        assert found.ids == {named: (customer.customer_id,)}


@pytest.mark.asyncio
async def test_a_named_customer_that_cannot_be_read_is_no_reason_to_try_again_all_night() -> None:
    """P36: the same reply would come again."""
    async with discovering() as discovery:
        customer = with_plan(discovery)
        known = discovery.remembered((await discovery.customers()).values())
        discovery.quiet_night()
        discovery.faults(odd("customer", ('"relationshipToPartner":("[^"]*")', "5")))
        found = await discovery.customers(known, ids=(customer.customer_id,))
        assert found[customer.customer_id].failed == Reason.LISTING_FAILED
        assert discovery.refusal is None


# What they hold -----------------------------------------------------------------------------


def plan_of(discovery: Discovery, customer: Customer) -> str:
    plans = [p for p in discovery.world.state().commerce(customer) if p.azure_subscriptions]
    return plans[0].commerce_subscription_id


@pytest.mark.asyncio
@pytest.mark.parametrize("by_id", ["answered", "404", "503"])
async def test_a_subscription_that_cannot_be_read_is_asked_by_id_and_never_dropped(
    by_id: str,
) -> None:
    """P36."""
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        customer = with_plan(discovery)
        name, plan_id = customer.customer_id, plan_of(discovery, customer)
        discovery.quiet_night()
        faults = [odd("subscriptions", of_item(plan_id, "status", "{}"), customer=name)]
        if by_id != "answered":
            faults.append(Fault(endpoint="subscription", status=int(by_id)))
        discovery.faults(*faults)
        again = await discovery.customers(known)
        assert again[name].failed == ""
        assert held_by(again[name]) == held_by(first[name])
        assert names_of(again[name]) == names_of(first[name])
        assert again[name].ended == frozenset()
        is_carried = by_id != "answered"
        assert bool(again[name].carried) is is_carried
        assert (again[name].listed is None) is is_carried
        assert without(again, name) == without(first, name)


@pytest.mark.asyncio
async def test_a_subscription_that_cannot_be_read_at_first_is_a_baseline_later() -> None:
    """P36: its Azure subscriptions are not new when it can be read at last."""
    async with discovering() as discovery:
        customer = with_plan(discovery)
        name, plan_id = customer.customer_id, plan_of(discovery, customer)
        discovery.faults(
            odd("subscriptions", of_item(plan_id, "status", "{}"), customer=name),
            Fault(endpoint="subscription", status=503),
        )
        first = await discovery.customers()
        assert first[name].unlisted == {plan_id}
        assert first[name].listed is None
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        again = await discovery.customers(known)
        assert names_of(again[name]) == azure_of(discovery, customer)
        assert again[name].new == frozenset()


@pytest.mark.asyncio
@pytest.mark.parametrize("is_named", [True, False])
async def test_an_entitlement_that_cannot_be_read_is_carried(is_named: bool) -> None:
    """P36: its id may be unreadable too; then it may be any that the list lacks."""
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        customer = with_plan(discovery, azure=2)
        name = customer.customer_id
        azure = min(azure_of(discovery, customer))
        discovery.quiet_night()
        discovery.faults(
            odd("entitlements", of_item(azure, "status", "{}") if is_named else odd_id(azure))
        )
        again = await discovery.customers(known)
        assert names_of(again[name]) == names_of(first[name])
        assert again[name].carried == {azure}
        assert again[name].ended == frozenset()
        assert again[name].listed is None
        discovery.faults()
        healed = await discovery.customers(discovery.remembered(again.values(), before=known))
        assert healed == first


# The catalog --------------------------------------------------------------------------------


def names_in(found: CatalogFound) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    return skus_of(found), {sku.name for sku in found.carried}


@pytest.mark.asyncio
async def test_a_product_whose_id_cannot_be_read_is_asked_by_id_if_it_is_known() -> None:
    """P36."""
    async with discovering() as discovery:
        known = await first_night(discovery)
        product_id = products(discovery)[0].product_id
        discovery.quiet_night()
        discovery.faults(odd("products", odd_id(product_id)))
        found = await discovery.catalog(known)
        assert names_in(found) == (in_the_world(discovery), set())
        assert (found.gone, found.new, found.failed) == ((), frozenset(), frozenset())
        assert (f"view:{VIEW}", "") not in found.listed


@pytest.mark.asyncio
@pytest.mark.parametrize("by_id", ["answered", "404", "503"])
async def test_a_sku_that_cannot_be_read_is_asked_by_id_and_never_gone(by_id: str) -> None:
    """P36."""
    async with discovering() as discovery:
        known = await first_night(discovery)
        product = products(discovery)[0]
        sku_id = product.skus[0].sku_id
        discovery.quiet_night()
        faults = [
            odd("skus", of_item(sku_id, "purchasePrerequisites", "{}"), product=product.product_id)
        ]
        if by_id != "answered":
            faults.append(Fault(endpoint="sku", status=int(by_id), code="400018"))
        discovery.faults(*faults)
        found = await discovery.catalog(known)
        listed, carried = names_in(found)
        assert listed | carried == in_the_world(discovery)
        is_carried = by_id != "answered"
        assert carried == ({(product.product_id, sku_id)} if is_carried else set())
        assert ((product.product_id, "") in found.listed) is not is_carried
        assert (found.gone, found.new, found.failed) == ((), frozenset(), frozenset())


@pytest.mark.asyncio
@pytest.mark.parametrize("case", ["product", "sku", "sku without an id"])
async def test_what_cannot_be_read_at_the_baseline_is_no_news_later(case: str) -> None:
    """P36."""
    async with discovering() as discovery:
        product = products(discovery)[0]
        sku_id = product.skus[0].sku_id
        fault = {
            "product": odd("products", odd_id(product.product_id), count=1),
            "sku": odd("skus", of_item(sku_id, "purchasePrerequisites", "{}"), count=1),
            "sku without an id": odd("skus", odd_id(sku_id), count=1),
        }[case]
        discovery.faults(fault, Fault(endpoint=("product", "sku"), status=503))
        first = await discovery.catalog()
        assert skus_of(first) < in_the_world(discovery)
        assert first.unlisted
        assert not first.gone
        known = discovery.remembered(catalog=first)
        discovery.quiet_night()
        again = await discovery.catalog(known)
        assert skus_of(again) == in_the_world(discovery)
        assert (again.new, again.unlisted, again.gone) == (frozenset(), frozenset(), ())
        assert again.views == {p.product_id: VIEW for p in products(discovery)}
