"""Wave 1: which subscriptions and plans a customer holds, and which it no longer holds."""

import pytest

from auditor.sandbox import Fault
from tests.builders.discovering import discovering
from tests.service.scope.test_customers import azure_of, held_by, names_of, with_plan

# What is held -------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_short_list_of_subscriptions_removes_none() -> None:
    async with discovering() as discovery:
        first = await discovery.customers()
        known = discovery.remembered(first.values())
        discovery.quiet_night()
        discovery.faults(Fault(endpoint="subscriptions", truncate=0))
        again = await discovery.customers(known)
        for name, found in again.items():
            assert held_by(found) == held_by(first[name])
            assert names_of(found) == names_of(first[name])
            assert not found.ended | found.carried
            assert not found.unheld


@pytest.mark.asyncio
async def test_a_plan_not_found_by_id_is_no_longer_held_and_its_subscriptions_end() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        before = azure_of(discovery, customer)
        state = discovery.quiet_night()
        [plan] = [p for p in state.commerce(customer) if p.kind == "azure_plan"]
        state.absent.add(plan.commerce_subscription_id)
        found = (await discovery.customers(known))[customer.customer_id]
        assert found.ended == before - azure_of(discovery, customer)
        assert found.ended
        assert plan.commerce_subscription_id not in held_by(found)


@pytest.mark.asyncio
async def test_a_plan_that_cannot_be_asked_by_id_is_carried_with_its_subscriptions() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery)
        before = azure_of(discovery, customer)
        state = discovery.quiet_night()
        [plan] = [p for p in state.commerce(customer) if p.kind == "azure_plan"]
        state.absent.add(plan.commerce_subscription_id)
        discovery.faults(Fault(endpoint="subscription", status=503))
        found = (await discovery.customers(known))[customer.customer_id]
        assert (found.failed, found.ended) == ("", frozenset())
        assert names_of(found) == before
        assert found.carried >= before - azure_of(discovery, customer)


@pytest.mark.asyncio
async def test_a_licence_that_is_gone_or_inactive_is_no_longer_held() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        state = discovery.world.state()
        customer, licence = next(
            (customer, held)
            for customer in discovery.world.customers(discovery.partner)
            if state.is_sold_to(customer)
            for held in state.commerce(customer)
            if held.kind == "licence"
            and state.status(held) == "active"
            and sum(o.offer_id[:17] == held.offer_id[:17] for o in customer.subscriptions) == 1
        )
        name = (licence.product_id, licence.sku_id)
        second = discovery.quiet_night()
        second.statuses[licence.commerce_subscription_id] = "suspended"
        found = (await discovery.customers(known))[customer.customer_id]
        assert found.unheld == {name}
        second.absent.add(licence.commerce_subscription_id)
        found = (await discovery.customers(known))[customer.customer_id]
        assert found.unheld == {name}


# Azure subscriptions ------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_an_entitlement_list_that_became_shorter_is_asked_once_more() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery, azure=2)
        before = azure_of(discovery, customer)
        discovery.quiet_night()
        once = Fault(endpoint="entitlements", customer=customer.customer_id, truncate=0, count=1)
        discovery.faults(once)
        found = (await discovery.customers(known))[customer.customer_id]
        assert names_of(found) == before
        assert found.ended == found.new == frozenset()
        asked = [r for r in discovery.asked("entitlements") if r.customer == customer.customer_id]
        assert len(asked) == 2


@pytest.mark.asyncio
async def test_a_subscription_missing_from_two_lists_has_ended() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery, azure=2)
        gone = min(azure_of(discovery, customer))
        discovery.quiet_night().absent.add(gone)
        found = (await discovery.customers(known))[customer.customer_id]
        assert found.ended == {gone}
        assert gone not in names_of(found)


@pytest.mark.asyncio
async def test_a_subscription_missing_from_one_list_before_a_failure_is_carried() -> None:
    async with discovering() as discovery:
        known = discovery.remembered((await discovery.customers()).values())
        customer = with_plan(discovery, azure=2)
        before = azure_of(discovery, customer)
        discovery.quiet_night().absent.add(min(before))
        broken = Fault(endpoint="entitlements", customer=customer.customer_id, after=1, status=503)
        discovery.faults(broken)
        found = (await discovery.customers(known))[customer.customer_id]
        assert names_of(found) == before
        assert (found.ended, found.carried >= before) == (frozenset(), True)


@pytest.mark.asyncio
async def test_a_subscription_that_a_known_customer_gets_is_new_and_one_that_returns_is_not() -> (
    None
):
    async with discovering() as discovery:
        customer = with_plan(discovery, azure=2)
        late = max(azure_of(discovery, customer))
        discovery.world.state(1).absent.add(late)
        known = discovery.remembered((await discovery.customers()).values())
        discovery.quiet_night().absent.discard(late)
        found = await discovery.customers(known)
        assert {name: f.new for name, f in found.items() if f.new} == {customer.customer_id: {late}}

        discovery.world.state(2).absent.add(late)
        known = discovery.remembered(found.values(), before=known)
        left = discovery.remembered((await discovery.customers(known)).values(), before=known)
        assert (customer.customer_id, late) in left.left_subscriptions
        discovery.world.state(2).absent.discard(late)
        assert (await discovery.customers(left))[customer.customer_id].new == frozenset()
