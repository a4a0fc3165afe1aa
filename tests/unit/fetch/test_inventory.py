"""Which inventory API is asked, and how a missing context item is learned."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from auditor.fetch.fetch import Fetch, Fetched
from auditor.model import Outcome, Reason, Reply, Request, Settled
from auditor.plan.plan import Plan
from auditor.scope.found import CatalogFound
from tests.builders import scope as bench
from tests.builders.scope import ACME, azure, catalog, found, sku
from tests.unit.fetch.test_fetch import Server, error, fetching, items_of, reply
from tests.unit.fetch.test_parts import parts_of

OLD, NEW = "check_inventory", "check_inventory_by_resource_type"
TYPES = {bench.VIEW: "VMs"}
WEST, EAST = "westeurope", "eastus"


def plan_of(
    *skus: tuple[str, str, str], views: dict[str, str] | None = None, **rules: object
) -> Plan:
    """Return a plan for one customer; each SKU is a (product, SKU, region)."""
    listed = [sku(sku_id, product_id, region=region) for product_id, sku_id, region in skus]
    of: CatalogFound = catalog(*listed)
    if views is not None:
        of = msgspec.structs.replace(of, views=views)
    plain: dict[str, object] = {"resource_types": TYPES, "batch_size": 8}
    return Plan(bench.rules(**{**plain, **rules}), [of], customers=[found(azure())])


SMALL = (("P1", "0001", WEST), ("P2", "0001", WEST))


async def fetched(fetch: Fetch, plan: Plan) -> Fetched:
    """Ask every question, and ask the waiting ones again."""
    settled: list[Settled] = []
    questions = list(plan.questions())
    while questions:
        result = await fetch.ask(plan, questions)
        settled += result.settled
        plan, questions = fetch.once_more(result.plan)
    return Fetched(settled=tuple(settled), waiting=(), plan=plan)


async def asked(fetch: Fetch, plan: Plan) -> tuple[Settled, ...]:
    return (await fetched(fetch, plan)).settled


def gone(status: int, code: str = "") -> Callable[[Request], Reply]:
    """Return the answers of a server whose first API is gone."""

    def answer(request: Request) -> Reply:
        if request.endpoint == OLD:
            return error(status, code) if code else reply(status, b"gone".decode())
        return reply()

    return answer


# Which API ----------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "code"), [(404, ""), (404, "1000"), (410, ""), (410, "x")])
async def test_auto_moves_after_the_first_api_answered_twice_that_it_is_gone(
    status: int, code: str
) -> None:
    server, events = Server(gone(status, code)), list[str]()
    plan = plan_of(*SMALL, ("P3", "0001", WEST), batch_size=1)
    result = await fetched(fetching(server.send, events=events), plan)
    assert {part.outcome for part in result.settled} == {Outcome.ANSWERED}
    assert [r.endpoint for r in server.asked] == [OLD, OLD, NEW, NEW, NEW]
    assert [r.round for r in server.asked[:2]] == [0, 1]
    assert events == ["inventory_api.moved"]
    assert result.plan.rules.is_route_gone
    assert [q.resource_type for q in result.plan.questions()] == ["VMs"] * 3  # type: ignore[union-attr] # all are questions


@pytest.mark.asyncio
async def test_concurrent_calls_move_to_the_other_api_together() -> None:
    server, events = Server(gone(410)), list[str]()
    plan = plan_of(*((f"P{n}", "0001", WEST) for n in range(9)), batch_size=1)
    await asked(fetching(server.send, events=events, at_once=9), plan)
    assert events == ["inventory_api.moved"]
    assert [r.round for r in server.asked].count(1) == 1


@pytest.mark.asyncio
@pytest.mark.parametrize("code", ["400013", "400018", "20003", "60003"])
async def test_a_404_about_a_product_or_sku_does_not_change_the_api(code: str) -> None:
    server = Server(error(404, code))
    [settled] = await asked(fetching(server.send), plan_of(("P1", "0001", WEST)))
    outcome = Outcome.ANSWERED if code == "400013" else Outcome.FAILED
    assert (settled.outcome, settled.error_code) == (outcome, code)
    assert [r.endpoint for r in server.asked] == [OLD]


@pytest.mark.asyncio
async def test_a_single_gone_reply_does_not_change_the_api() -> None:
    replies = [error(410, ""), reply(), reply()]
    server = Server(lambda _: replies.pop(0))
    result = await fetched(fetching(server.send), plan_of(*SMALL, batch_size=1))
    assert [part.outcome for part in result.settled] == [Outcome.FAILED, Outcome.ANSWERED]
    assert not result.plan.rules.is_route_gone


@pytest.mark.asyncio
async def test_a_configured_api_is_never_changed() -> None:
    server = Server(gone(410))
    plan = plan_of(*SMALL, inventory_api="check_inventory", is_route_gone=True)
    [settled] = await asked(fetching(server.send), plan)
    assert settled.reason == "http_410"
    assert [r.endpoint for r in server.asked] == [OLD]


@pytest.mark.asyncio
async def test_a_moved_check_without_a_resource_type_is_skipped() -> None:
    server = Server(gone(410))
    plan = plan_of(*SMALL, views={"P1": bench.VIEW, "P2": "Other"})
    settled = await asked(fetching(server.send), plan)
    assert parts_of(settled) == {
        ("P1", ""): (Outcome.ANSWERED, ""),
        ("P2", ""): (Outcome.SKIPPED, Reason.RESOURCE_TYPE_UNKNOWN),
    }


def at(statuses: Mapping[str, int]) -> Callable[[Request], Reply]:
    """Return a server with these statuses by endpoint; 404 is that of a gateway."""

    def answer(request: Request) -> Reply:
        status = statuses.get(request.endpoint, 200)
        return reply() if status == 200 else reply(status, "<html>not here</html>")

    return answer


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [404, 503])
async def test_auto_does_not_move_before_the_newer_api_has_answered(status: int) -> None:
    """Two replies a question: what is left of the night may still find either API back."""
    server, events = Server(at({OLD: 404, NEW: status})), list[str]()
    result = await fetched(fetching(server.send, events=events), plan_of(*SMALL, batch_size=1))
    assert [(p.outcome, p.reason) for p in result.settled] == [
        (Outcome.FAILED, f"http_{status}")
    ] * 2
    assert [r.endpoint for r in server.asked] == [OLD, OLD, NEW, OLD, NEW]
    assert events == ["inventory_api.none_answers"]
    assert not result.plan.rules.is_route_gone


@pytest.mark.asyncio
async def test_a_night_in_which_both_are_gone_goes_on_with_whichever_is_back_first() -> None:
    skus = [(f"P{n}", "0001", WEST) for n in range(4)]
    for back in (OLD, NEW):
        statuses = {OLD: 404, NEW: 404}
        server = Server(at(statuses))
        fetch, plan = fetching(server.send), plan_of(*skus, batch_size=1)
        questions = list(plan.questions())
        first = await fetch.ask(plan, questions[:2])
        assert {p.outcome for p in first.settled} == {Outcome.FAILED}
        statuses[back] = 200
        second = await fetch.ask(first.plan, questions[2:])
        assert {p.outcome for p in second.settled} == {Outcome.ANSWERED}
        assert second.plan.rules.is_route_gone == (back == NEW)
        assert server.asked[-1].endpoint == back


@pytest.mark.asyncio
async def test_what_has_no_resource_type_has_failed_while_no_api_answers() -> None:
    server = Server(at({OLD: 404, NEW: 404}))
    plan = plan_of(*SMALL, views={"P1": bench.VIEW, "P2": "Other"})
    assert parts_of(await asked(fetching(server.send), plan)) == {
        ("P1", ""): (Outcome.FAILED, "http_404"),
        ("P2", ""): (Outcome.FAILED, "http_404"),
    }


@pytest.mark.asyncio
async def test_who_has_moved_goes_back_once_checkinventory_answers() -> None:
    """One question finds out, and what only checkInventory knows is asked again."""
    server, events = Server(at({})), list[str]()
    fetch = fetching(server.send, events=events)
    views = {"P1": bench.VIEW, "P2": "Other"}
    plan = await fetch.choose_api(plan_of(*SMALL, views=views, is_route_gone=True))
    assert not plan.rules.is_route_gone
    assert [r.endpoint for r in server.asked] == [OLD]
    assert events == ["inventory_api.tried", "inventory_api.moved"]
    settled = await asked(fetch, plan)
    assert {part.outcome for part in settled} == {Outcome.ANSWERED}
    assert {r.endpoint for r in server.asked} == {OLD}
    assert server.asked[0] == server.asked[1]  # so the journal has its reply


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "tries"), [(404, 1), (410, 1), (503, 3), (400, 3)])
async def test_who_has_moved_stays_while_checkinventory_does_not_answer(
    status: int, tries: int
) -> None:
    """An error that is not "gone" may be that of one customer, so a few are tried."""
    server, events = Server(at({OLD: status})), list[str]()
    customers = [
        found(azure(), customer_id=f"{n:08}-0000-0000-0000-000000000001") for n in range(5)
    ]
    of = plan_of(*SMALL, is_route_gone=True)
    of = Plan(of.rules, of.catalogs.values(), customers=customers)
    fetch = fetching(server.send, events=events)
    plan = await fetch.choose_api(of)
    assert plan.rules.is_route_gone
    assert [r.endpoint for r in server.asked] == [OLD] * tries
    assert events == ["inventory_api.tried"]
    settled = await asked(fetch, plan)
    assert {part.outcome for part in settled} == {Outcome.ANSWERED}
    assert {r.endpoint for r in server.asked[tries:]} == {NEW}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "rules",
    [
        {"is_route_gone": False},
        {"is_route_gone": True, "inventory_api": "by_resource_type"},
        {"is_route_gone": True, "inventory_api": "check_inventory"},
        {"is_route_gone": True, "checks": frozenset({"availability"})},
    ],
    ids=["not moved", "new", "old", "no inventory"],
)
async def test_otherwise_nothing_is_tried(rules: dict[str, Any]) -> None:
    server = Server(at({}))
    plan = plan_of(*SMALL, **rules)
    assert await fetching(server.send).choose_api(plan) is plan
    assert server.asked == []


# Learned context items ----------------------------------------------------------------------------


def demanding(product_id: str, variable: str = "ArmRegionName") -> Callable[[Request], Reply]:
    """Return the answers of a server that needs a region for one product, unlike the catalog."""

    def answer(request: Request) -> Reply:
        context = msgspec.json.decode(request.body)["InventoryContext"]
        lacks = "armRegionName" not in context
        if lacks and any(product == product_id for product, _ in items_of(request)):
            text = f"The required inventory context item '{variable}' is missing."
            return reply(400, {"code": "400026", "description": text})
        return reply()

    return answer


MANY = tuple((f"P{n}", "0001", WEST) for n in range(7))


@pytest.mark.asyncio
async def test_a_missing_item_is_learned_and_the_checks_are_planned_again() -> None:
    server, events = Server(demanding("P3")), list[str]()
    fetch = fetching(server.send, events=events)
    result = await fetched(fetch, plan_of(*MANY, ("P3", "0002", EAST)))
    settled = result.settled
    assert parts_of(settled) == {
        **{(f"P{n}", ""): (Outcome.ANSWERED, "") for n in range(7) if n != 3},
        ("P3", "0001"): (Outcome.ANSWERED, ""),
        ("P3", "0002"): (Outcome.ANSWERED, ""),
    }
    regions = {c.sku_id: c.arm_region for p in settled for c in p.question.checks if c.sku_id}
    assert regions == {"0001": WEST, "0002": EAST}
    assert events == ["context.learned"]
    [of] = result.plan.catalogs.values()
    assert of.learned == {"P3": ("ArmRegionName",)}


@pytest.mark.asyncio
async def test_a_learned_item_costs_only_the_first_customer_refusals() -> None:
    customers = [
        found(azure(), customer_id=f"{n:08}-0000-0000-0000-000000000001") for n in range(20)
    ]
    plan = plan_of(*MANY)
    plan = Plan(plan.rules, plan.catalogs.values(), customers=customers)
    server = Server(demanding("P3"))
    settled = await asked(fetching(server.send), plan)
    assert {part.outcome for part in settled} == {Outcome.ANSWERED}
    refused = [r for r in server.asked if demanding("P3")(r).status == 400]
    assert len(refused) == 4  # batches of 7, 4, 2 and 1 items, all of the first customer
    assert len(server.asked) == len(refused) + 3 + 19 + 20


@pytest.mark.asyncio
@pytest.mark.parametrize("variable", ["CustomerId", "SomethingNew"])
async def test_an_item_that_was_sent_or_is_unknown_is_not_learned(variable: str) -> None:
    server = Server(demanding("P1", variable))
    result = await fetched(fetching(server.send), plan_of(*SMALL))
    assert parts_of(result.settled)["P1", ""] == (Outcome.FAILED, "http_400")
    assert [of.learned for of in result.plan.catalogs.values()] == [{}]


@pytest.mark.asyncio
async def test_a_check_refused_again_after_learning_has_failed() -> None:
    def never_content(request: Request) -> Reply:
        named = ("ArmRegionName", "CustomerId")["armRegionName" in request.body.decode()]
        return reply(400, {"code": "400026", "description": f"'{named}' is missing"})

    server = Server(never_content)
    [settled] = await asked(fetching(server.send), plan_of(("P1", "0001", WEST)))
    assert (settled.outcome, settled.error_code) == (Outcome.FAILED, "400026")
    assert len(server.asked) == 2


@pytest.mark.asyncio
async def test_a_check_without_a_region_is_skipped_when_one_is_learned() -> None:
    server = Server(demanding("P1"))
    settled = await asked(fetching(server.send), plan_of(("P1", "0001", ""), arm_regions=None))
    assert [(part.outcome, part.reason) for part in settled] == [
        (Outcome.SKIPPED, "arm_region_unknown")
    ]


@pytest.mark.asyncio
async def test_a_check_that_is_found_to_need_a_customer_is_asked_for_each() -> None:
    def wants_a_customer(request: Request) -> Reply:
        if "customerId" in request.body.decode():
            return reply()
        return reply(400, {"code": "400026", "description": "'CustomerId' is missing"})

    server = Server(wants_a_customer)
    listed = catalog(sku("0001", "P1", variables=""))
    plan = Plan(bench.rules(), [listed], customers=[found(azure())])
    [settled] = await asked(fetching(server.send), plan)
    [check] = settled.question.checks
    assert (settled.outcome, check.customer_id) == (Outcome.ANSWERED, ACME)
