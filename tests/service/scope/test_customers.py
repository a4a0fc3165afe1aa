"""What discovery finds about customers, and which it regards as gone."""

import asyncio
from contextlib import aclosing

import pytest

from auditor.errors import Unauthorized, Unreachable
from auditor.model import Reason
from auditor.partner_center import wire
from auditor.sandbox import Fault, WorldSize
from auditor.sandbox.world.model import Customer
from auditor.scope import from_wire
from auditor.scope.customer_list import list_customers, match_customers
from auditor.scope.customers import CustomerDiscovery
from auditor.scope.found import CustomerFound
from tests.builders.discovering import Discovery, discovering


def with_plan(discovery: Discovery, azure: int = 1) -> Customer:
    """Return a customer sold to, with one plan (not legacy) of `azure` or more subscriptions."""
    state = discovery.world.state()
    for customer in discovery.world.customers(discovery.partner):
        plans = [p for p in state.commerce(customer) if p.azure_subscriptions]
        if not state.is_sold_to(customer) or [p.kind for p in plans] != ["azure_plan"]:
            continue
        if len(list(state.azure(plans[0]))) >= azure:
            return customer
    raise AssertionError("no such customer in this world")


def azure_of(discovery: Discovery, customer: Customer) -> set[str]:
    found = discovery.world.azure_subscriptions(customer.customer_id)
    return {subscription.azure_subscription_id for subscription in found}


def names_of(found: CustomerFound) -> set[str]:
    return {subscription.azure_subscription_id for subscription in found.azure_subscriptions}


def held_by(found: CustomerFound) -> set[str]:
    return {subscription.commerce_subscription_id for subscription in found.commerce_subscriptions}


# What there is ------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_every_customer_and_all_it_holds_is_found() -> None:
    async with discovering(WorldSize(partners=1, customers=60)) as discovery:
        found = await discovery.customers()
        world, state = discovery.world, discovery.world.state()
        assert found.keys() == {c.customer_id for c in world.customers(discovery.partner)}
        for customer in world.customers(discovery.partner):
            each = found[customer.customer_id]
            assert (each.customer.company_name, each.customer.domain) == (
                customer.company_name,
                customer.domain,
            )
            assert each.new == each.unlisted == each.carried == each.ended == frozenset()
            if not state.is_sold_to(customer):
                assert each.ineligible == Reason.RELATIONSHIP_NOT_RESELLER
                continue
            assert (each.failed, each.countries) == ("", (customer.country,))
            assert names_of(each) == azure_of(discovery, customer)
            assert held_by(each) == {
                held.commerce_subscription_id
                for held in world.commerce_subscriptions(customer.customer_id)
            }


@pytest.mark.asyncio
async def test_registration_is_read_once_for_each_active_plan_that_has_subscriptions() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery, azure=2)
        found = await discovery.customers(ids=(customer.customer_id,))
        assert {s.registration_status for s in found[customer.customer_id].azure_subscriptions} == {
            "Registered"
        }
        assert len(discovery.asked("registration")) == 1
        await discovery.customers(ids=(customer.customer_id,), check_registration=False)
        assert len(discovery.asked("registration")) == 1


@pytest.mark.asyncio
async def test_a_registration_that_cannot_be_read_is_unknown() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        discovery.faults(Fault(endpoint="registration", status=503))
        found = await discovery.customers(ids=(customer.customer_id,))
        statuses = {s.registration_status for s in found[customer.customer_id].azure_subscriptions}
        assert statuses == {"unknown"}
        assert found[customer.customer_id].failed == ""


@pytest.mark.asyncio
async def test_with_all_countries_no_billing_country_is_asked() -> None:
    async with discovering() as discovery:
        found = await discovery.customers(own_country=False)
        assert {f.countries for f in found.values() if not f.ineligible} == {
            discovery.partner.countries
        }
        assert discovery.asked("customer") == []


@pytest.mark.asyncio
async def test_narrowed_to_a_country_customers_of_other_countries_are_left_out() -> None:
    async with discovering() as discovery:
        countries = {c.customer_id: c.country for c in discovery.world.customers(discovery.partner)}
        found = await discovery.customers(narrowed_to=frozenset({"FR"}))
        sold = {name for name, f in found.items() if not f.ineligible}
        assert sold
        assert {countries[name] for name in sold} == {"FR"}


@pytest.mark.asyncio
async def test_named_customers_are_asked_by_id_and_unknown_ids_are_left_out() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        stranger = "00000000-0000-0000-0000-000000000009"
        found = await discovery.customers(ids=(customer.customer_id.upper(), stranger))
        assert found.keys() == {customer.customer_id}
        assert discovery.asked("customers") == []


@pytest.mark.asyncio
async def test_domains_and_company_names_are_found_in_any_letter_case() -> None:
    async with discovering() as discovery:
        one, other = discovery.world.customers(discovery.partner)[:2]
        named = (one.domain.upper(), other.company_name.lower(), "nobody.example")
        found = await match_customers(discovery.api, discovery.nothing, named)
        assert found.ids == {named[0]: (one.customer_id,), named[1]: (other.customer_id,)}
        assert found.customers == (one.customer_id, other.customer_id)
        assert one.company_name in {customer.company_name for customer in found.seen}
        assert discovery.asked("customer") == []


@pytest.mark.asyncio
async def test_an_id_is_matched_by_asking_for_it_and_only_a_refusal_says_it_is_not_ours() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        stranger = "00000000-0000-0000-0000-000000000009"
        named = (customer.customer_id.upper(), stranger)
        found = await match_customers(discovery.api, discovery.nothing, named)
        assert found.ids == {named[0]: (customer.customer_id,)}
        assert discovery.asked("customers") == []
        discovery.faults(Fault(endpoint="customer", status=503))
        found = await match_customers(discovery.api, discovery.nothing, named)
        assert found.customers == (customer.customer_id, stranger)


@pytest.mark.asyncio
async def test_an_id_that_is_known_is_a_customer_even_after_it_has_left() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        discovery.quiet_night().absent.add(customer.customer_id)
        found = await match_customers(discovery.api, known, [customer.customer_id])
        assert found.customers == (customer.customer_id,)


@pytest.mark.asyncio
async def test_discovery_that_is_closed_early_leaves_no_call_running() -> None:
    async with discovering() as discovery:
        rules = discovery.customer_rules()
        listed = await list_customers(discovery.api, discovery.nothing, rules)
        before = asyncio.all_tasks()
        find = CustomerDiscovery(discovery.api, discovery.nothing, rules, at_once=3).find(listed)
        async with aclosing(find) as customers:
            async for _ in customers:
                break
        ours = {task for task in asyncio.all_tasks() - before if "fan_out" in repr(task)}
        assert ours == set()


# Customers that leave -----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_customer_list_that_comes_back_short_removes_no_customer() -> None:
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="customers", truncate=2))
        again = await discovery.customers(known)
        assert again.keys() == first.keys()
        assert not any(found.left or found.failed for found in again.values())


@pytest.mark.asyncio
@pytest.mark.parametrize("how", ["20002", "404"])
async def test_a_customer_that_is_not_found_by_id_has_left(how: str) -> None:
    """P5."""
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        discovery.quiet_night().absent.add(customer.customer_id)
        if how == "404":
            discovery.faults(Fault(endpoint="customer", status=404, code="60003", count=1))
            found = await discovery.customers(known, ids=(customer.customer_id,))
        else:
            found = await discovery.customers(known)
        assert [name for name, f in found.items() if f.left] == [customer.customer_id]
        assert found[customer.customer_id].customer.company_name == customer.company_name


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "fault",
    [
        Fault(endpoint="customer", status=503),
        Fault(endpoint="customer", status=401),
        Fault(endpoint="customer", status=403, code="2032"),
        Fault(endpoint="customer", reset=True),
    ],
)
async def test_a_customer_that_cannot_be_asked_is_carried(fault: Fault) -> None:
    """P2: without proof, no customer counts as gone."""
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        before = azure_of(discovery, customer)
        discovery.quiet_night().absent.add(customer.customer_id)
        discovery.faults(fault)
        found = (await discovery.customers(known))[customer.customer_id]
        assert (found.left, found.failed) == (False, Reason.LISTING_FAILED)
        assert names_of(found) == found.carried == before
        assert found.countries == (customer.country,)


@pytest.mark.asyncio
async def test_a_customer_that_was_never_read_and_is_not_found_has_left_too() -> None:
    """Otherwise its failed cell would be asked about for ever."""
    async with discovering() as discovery:
        customer = with_plan(discovery)
        discovery.faults(Fault(endpoint="customer", customer=customer.customer_id, status=503))
        known = discovery.remembered((await discovery.customers()).values())
        assert customer.customer_id not in known.customers
        discovery.quiet_night().absent.add(customer.customer_id)
        assert (await discovery.customers(known))[customer.customer_id].left


@pytest.mark.asyncio
async def test_five_thousand_customers_come_in_pages_of_five_hundred() -> None:
    """Paging by seek: with the continuation header, and a link with or without /v1."""
    size = WorldSize(partners=1, customers=5000, products=1, regions=1, licence_products=1)
    async with discovering(size) as discovery:
        pages = await discovery.api.customers()
        assert pages.complete
        there = {c.customer_id for c in discovery.world.customers(discovery.partner)}
        assert {read.id.lower() for read in pages.items} == there
        assert len(there) > 4500
        asked = discovery.asked("customers")
        assert len(asked) == len(range(0, len(there), 500))
        assert {record.query for record in asked[1:]} == {"size=500&seekOperation=Next"}


@pytest.mark.asyncio
async def test_a_customer_list_that_breaks_off_names_the_customers_not_reached() -> None:
    async with discovering(WorldSize(partners=1, customers=600)) as discovery:
        whole = await list_customers(discovery.api, discovery.nothing, discovery.customer_rules())
        names = {read.id.lower() for read in whole.listed}
        assert len(names) > 500
        known = discovery.remembered(
            CustomerFound(
                customer=from_wire.customer(
                    discovery.nothing.partner_tenant_id, wire.Customer(id=name)
                )
            )
            for name in names
        )
        discovery.faults(Fault(endpoint="customers", after=1, status=503))
        broken = await list_customers(discovery.api, known, discovery.customer_rules())
        reached = {read.id.lower() for read in broken.listed}
        assert len(reached) == 500
        assert set(broken.unreached) == names - reached
        assert broken.unconfirmed == ()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("status", "error"), [(401, Unauthorized), (403, Unauthorized), (503, Unreachable)]
)
async def test_without_a_customer_list_the_partner_is_out(
    status: int, error: type[Exception]
) -> None:
    async with discovering() as discovery:
        discovery.faults(Fault(endpoint="customers", status=status))
        with pytest.raises(error):
            await discovery.customers()


@pytest.mark.asyncio
async def test_a_customer_that_is_no_longer_sold_to_is_ineligible() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        discovery.quiet_night().relationships[customer.customer_id] = "none"
        found = (await discovery.customers(known))[customer.customer_id]
        assert (found.left, found.ineligible) == (False, Reason.RELATIONSHIP_NOT_RESELLER)


@pytest.mark.asyncio
async def test_a_country_that_cannot_be_read_fails_that_customer_and_keeps_what_is_known() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="customer", customer=customer.customer_id, status=503))
        found = await discovery.customers(known)
        assert {n for n, f in found.items() if f.failed} == {customer.customer_id}
        one = found[customer.customer_id]
        assert (one.failed, one.countries) == (Reason.COUNTRY_UNREADABLE, (customer.country,))
        assert one.carried == azure_of(discovery, customer)


# Listings that failed -----------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_failed_listing_carries_everything_and_proves_nothing() -> None:
    """P2."""
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="subscriptions", status=503))
        for name, found in (await discovery.customers(known)).items():
            if found.ineligible:
                continue
            assert found.failed == Reason.LISTING_FAILED
            assert set(found.commerce_subscriptions) == {
                *known.commerce_subscriptions[name].values()
            }
            assert names_of(found) == found.carried == names_of(first[name])
            assert found.unlisted == frozenset()


@pytest.mark.asyncio
async def test_a_list_that_shows_that_it_is_cut_has_failed() -> None:
    """Here the totalCount shows that it was cut; a list was once cut at 50 without a sign."""
    async with discovering() as discovery:
        customer = with_plan(discovery)
        short = '{"totalCount": 2, "items": [{"id": "x"}], "links": {}}'
        discovery.faults(Fault(endpoint="subscriptions", body=short))
        found = (await discovery.customers(ids=(customer.customer_id,)))[customer.customer_id]
        assert found.failed == Reason.LISTING_FAILED


@pytest.mark.asyncio
async def test_subscriptions_not_listed_at_the_baseline_are_no_news_later() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        discovery.faults(Fault(endpoint="subscriptions", customer=customer.customer_id, status=503))
        first = await discovery.customers()
        assert first[customer.customer_id].unlisted == {""}
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="subscriptions", customer=customer.customer_id, status=503))
        second = await discovery.customers(known)
        assert second[customer.customer_id].unlisted == {""}
        known = discovery.remembered(second.values(), before=known)
        discovery.faults()
        third = (await discovery.customers(known))[customer.customer_id]
        assert (third.new, third.unlisted) == (frozenset(), frozenset())
        assert names_of(third) == azure_of(discovery, customer)


@pytest.mark.asyncio
async def test_a_plan_that_was_not_listed_at_the_baseline_is_no_news_later() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        broken = Fault(endpoint="entitlements", customer=customer.customer_id, status=503)
        discovery.faults(broken)
        first = await discovery.customers()
        assert len(first[customer.customer_id].unlisted) == 1
        assert first[customer.customer_id].failed == ""
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        second = (await discovery.customers(known))[customer.customer_id]
        assert names_of(second)
        assert (second.new, second.unlisted) == (frozenset(), frozenset())


@pytest.mark.asyncio
async def test_subscriptions_of_a_plan_bought_later_are_news_once_they_can_be_listed() -> None:
    async with discovering() as discovery:
        customer = with_plan(discovery)
        [plan] = [p for p in discovery.world.state(1).commerce(customer) if p.kind == "azure_plan"]
        discovery.world.state(1).absent.add(plan.commerce_subscription_id)
        known = discovery.remembered((await discovery.customers()).values())
        discovery.quiet_night().absent.discard(plan.commerce_subscription_id)
        broken = Fault(endpoint="entitlements", customer=customer.customer_id, status=503)
        discovery.faults(broken)
        second = await discovery.customers(known)
        assert second[customer.customer_id].unlisted == frozenset()
        known = discovery.remembered(second.values(), before=known)
        discovery.faults()
        third = (await discovery.customers(known))[customer.customer_id]
        assert third.new == {a.azure_subscription_id for a in plan.azure_subscriptions} & names_of(
            third
        )
        assert third.new
