"""Every row of the error table: the sandbox sends the error, the client acts as the row says."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import pytest

from auditor.errors import Does, PartnerCenterError, Unauthorized
from auditor.fetch.fetch import Fetch
from auditor.model import Check, CheckKind, Outcome, Question, Reason, Settled
from auditor.partner_center.breaker import CUSTOMER_OPENS_AFTER
from auditor.partner_center.error_table import ANY, INVENTORY, TABLE, UNANSWERED, row_of, steps
from auditor.partner_center.transport import Transport
from auditor.plan.plan import Plan
from auditor.sandbox.world.model import SAVINGS_PLAN
from auditor.scope.found import CustomerFound
from auditor.scope.offers import REGISTRATION_UNKNOWN
from tests.builders import scope as bench
from tests.builders.discovering import VIEW, Discovery
from tests.builders.error_walking import (
    ATTEMPTS,
    SENDS,
    SHORT,
    TIMEOUT,
    UNSENT,
    Walk,
    fault,
    rows_of,
    walking,
)

# Wave 1 -------------------------------------------------------------------------------------


async def the_customer(walk: Walk, discovery: Discovery) -> CustomerFound:
    found = await discovery.customers(walk.known, ids=(walk.customer_id,))
    return found[walk.customer_id]


async def a_list_of_customers(walk: Walk, discovery: Discovery) -> Does:
    try:
        await discovery.customers(walk.known)
    except Unauthorized:
        return Does.PARTNER_OUT
    except PartnerCenterError:
        return Does.PAGES_FAILED
    raise AssertionError("it was read")


async def a_customer(walk: Walk, discovery: Discovery) -> Does:
    found = await the_customer(walk, discovery)
    assert found.left != bool(found.failed)
    return Does.LEFT if found.left else Does.CUSTOMER_FAILED


async def what_a_customer_holds(walk: Walk, discovery: Discovery) -> Does:
    found = await the_customer(walk, discovery)
    assert (found.failed, found.left) == (Reason.LISTING_FAILED, False)
    assert walk.azure_id in found.carried
    return Does.CUSTOMER_FAILED


async def a_plan(walk: Walk, discovery: Discovery) -> Does:
    found = await the_customer(walk, discovery)
    assert not found.failed
    assert (walk.azure_id in found.ended) != (walk.azure_id in found.carried)
    return Does.ENDED if walk.azure_id in found.ended else Does.CARRIED


async def a_registration(walk: Walk, discovery: Discovery) -> Does:
    found = await the_customer(walk, discovery)
    [status] = {s.registration_status for s in found.azure_subscriptions}
    assert status == REGISTRATION_UNKNOWN
    return Does.CARRIED


async def the_catalog(walk: Walk, discovery: Discovery) -> Does:
    try:
        found = await discovery.catalog(walk.known)
    except Unauthorized:
        return Does.PARTNER_OUT
    gone = {(g.product_id, g.sku_id) for g in found.gone if g.sku_id}
    carried = {sku.name for sku in found.carried} - walk.savings_plans
    assert gone | carried == walk.known_skus - walk.savings_plans
    assert not (gone and carried)
    if found.forbidden:
        assert {f.view for f in found.forbidden} == {"AzureReservationsVM"}
        return Does.PASSED_OVER
    return Does.LEFT_CATALOG if gone else Does.CARRIED


async def savings_plans(walk: Walk, discovery: Discovery) -> Does:
    also = {"also_listed": (SAVINGS_PLAN,), "customers": walk.customers}
    found = await discovery.catalog(walk.known, **also)  # type: ignore[arg-type] # as named
    gone = {(g.product_id, g.sku_id) for g in found.gone if g.sku_id}
    carried = {sku.name for sku in found.carried}
    assert walk.savings_plans in (gone, carried)
    return Does.LEFT_CATALOG if gone else Does.CARRIED


WAVE_1: Mapping[str, Callable[[Walk, Discovery], Awaitable[Does]]] = {
    "list_customers": a_list_of_customers,
    "get_customer": a_customer,
    "list_subscriptions": what_a_customer_holds,
    "get_subscription": a_plan,
    "list_azure_entitlements": a_plan,
    "get_registration_status": a_registration,
    "list_products": the_catalog,
    "get_product": the_catalog,
    "list_skus": the_catalog,
    "get_sku": the_catalog,
    "get_customer_product": savings_plans,
    "list_customer_skus": savings_plans,
    "get_customer_sku": savings_plans,
}


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", WAVE_1)
async def test_discovery_does_as_the_table_says(endpoint: str) -> None:
    async with walking() as walk:
        for status, code in rows_of(endpoint):
            async with walk.discovering() as (discovery, _):
                short = [SHORT[endpoint]] if endpoint in SHORT else []
                discovery.faults(*short, fault(endpoint, status, code))
                discovery.sandbox.log.clear()
                end = await WAVE_1[endpoint](walk, discovery)
                done = steps(endpoint, status, code)
                assert end == done[-1], (status, code)
                assert most_attempts(discovery, endpoint) == attempts(done), (status, code)


def attempts(done: tuple[Does, ...]) -> int:
    return max((ATTEMPTS.get(step, 1) for step in done), default=1)


def most_attempts(discovery: Discovery, endpoint: str) -> int:
    asked = discovery.asked(SENDS[endpoint])
    return max(Counter((one.method, one.path, one.query, one.targets) for one in asked).values())


# Wave 2 -------------------------------------------------------------------------------------


def question(walk: Walk, discovery: Discovery, endpoint: str) -> Question:
    """Return a batch of checks of the endpoint; a question about availability has one check."""
    known = walk.known.skus[discovery.country, "AzurePlan"].values()
    skus = sorted(sku.name for sku in known if sku.inventory_variables == bench.BOTH)
    named = [
        Check(
            kind=CheckKind.INVENTORY if endpoint in INVENTORY else CheckKind.AVAILABILITY,
            partner_tenant_id=discovery.partner.partner_tenant_id,
            customer_id="" if endpoint == "list_availabilities" else walk.customer_id,
            country="" if endpoint == "list_customer_availabilities" else discovery.country,
            azure_subscription_id=walk.azure_id if endpoint in INVENTORY else "",
            reservation_scope="" if endpoint == "list_customer_availabilities" else "AzurePlan",
            product_id=product_id,
            sku_id=sku_id,
        )
        for product_id, sku_id in skus[: 3 if endpoint in INVENTORY else 1]
    ]
    by_type = endpoint == "check_inventory_by_resource_type"
    return Question(
        checks=tuple(named),
        variables=("CustomerId", "AzureSubscriptionId"),
        resource_type="VirtualMachines" if by_type else "",
    )


async def settled(walk: Walk, transport: Transport, asked: Question) -> list[Settled]:
    """Return how one question is settled; it may move to the other API."""
    rules = bench.rules(resource_types={VIEW: "VirtualMachines"})
    plan = Plan(rules, [walk.catalog], customers=())
    fetch = Fetch(transport.send, lambda *_, **__: None, lifecycle=False, at_once=1)
    return list((await fetch.ask(plan, [asked])).settled)


async def settled_by(walk: Walk, endpoint: str, status: int, code: str) -> list[Settled]:
    async with walk.discovering() as (discovery, transport):
        discovery.faults(fault(endpoint, status, code))
        discovery.sandbox.log.clear()
        asked = question(walk, discovery, endpoint)
        parts = await settled(walk, transport, asked)
        done = steps(endpoint, status, code)
        seen = discovery.sandbox.log.of()
        assert most_attempts(discovery, endpoint) == attempts(done), (status, code)
        if Does.MOVED in done:
            assert [one.endpoint for one in seen] == [*["check_inventory"] * 2, "by_resource_type"]
        sizes = {len(one.targets) for one in seen}
        assert sizes == ({3, 2, 1} if Does.HALVED in done else {len(seen[0].targets)}), code
        methods = ["GET", "POST"] if Does.POSTED in done else [seen[0].method]
        assert list(dict.fromkeys(one.method for one in seen)) == methods
        assert [c for part in parts for c in part.question.checks] == list(asked.checks)
        assert {part.request_id for part in parts} <= {one.request_id for one in seen}
        return parts


CHECKS = [endpoint for endpoint in UNANSWERED if endpoint not in WAVE_1]


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", CHECKS)
async def test_checks_do_as_the_table_says(endpoint: str) -> None:
    async with walking() as walk:
        for status, code in rows_of(endpoint):
            if code == TIMEOUT:
                continue  # another test covers it
            done = steps(endpoint, status, code)
            for part in await settled_by(walk, endpoint, status, code):
                if Does.MOVED in done:
                    assert (part.outcome, part.http_status) == (Outcome.ANSWERED, 200)
                    continue
                is_answer = done[-1] is Does.NOT_IN_CATALOG
                outcome = Outcome.ANSWERED if is_answer else Outcome.FAILED
                assert (part.outcome, part.not_found) == (outcome, is_answer), (status, code)
                assert bool(part.reason) is not is_answer
                assert part.http_status == status
                assert part.error_code == ("" if status in {0, 429} else code)


@pytest.mark.asyncio
@pytest.mark.parametrize("endpoint", INVENTORY)
async def test_a_batch_that_times_out_is_halved(endpoint: str) -> None:
    """Every call hangs, so a short timeout is enough; in the end the breaker stops the calls."""
    async with walking() as walk, walk.discovering(timeout_s=0.05) as (discovery, transport):
        discovery.faults(fault(endpoint, 0, TIMEOUT))
        parts = await settled(walk, transport, question(walk, discovery, endpoint))
        assert steps(endpoint, 0, TIMEOUT) == (Does.RETRIED, Does.HALVED, Does.FAILED)
        assert {part.outcome for part in parts} == {Outcome.FAILED}
        assert [part.reason for part in parts] == [TIMEOUT, "breaker", "breaker"]
        assert [len(part.question.checks) for part in parts] == [1, 1, 1]
        assert discovery.sandbox.log.most_in_flight == CUSTOMER_OPENS_AFTER


def test_the_sandbox_has_a_name_for_every_endpoint() -> None:
    assert SENDS.keys() == UNANSWERED.keys() == set(WAVE_1) | set(CHECKS)


def test_every_row_is_sent() -> None:
    sent = {row_of(name, s, c) for name in UNANSWERED for s, c in rows_of(name)}
    left = {(row.status, row.code) for row in TABLE.values() if row not in sent}
    assert left == {(1, ANY), *((0, cause) for cause in UNSENT)}
