"""The conservation law: what keeps it, and that each way to break it is told."""

from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import Bug
from auditor.guard.conservation import Ledger
from auditor.model import Outcome, Reply, Request
from auditor.normalize.staged import Staged
from auditor.plan.plan import Plan
from auditor.scope.found import Found
from auditor.scope.known import Known
from tests.builders import scope as bench
from tests.builders.check_pipeline import CheckRun, run_checks
from tests.builders.scope import ACME, azure, catalog, found, licence, plan, sku
from tests.unit.fetch.test_fetch import AT, error, item, items_of, reply

GLOBEX = "22222222-0000-0000-0000-000000000002"
WEST = "westeurope"
PRODUCTS = ("P1", "P2", "P3")
PLAN = Plan(
    bench.rules(batch_size=2),
    [catalog(*(sku(s, p) for p in PRODUCTS for s in ("0001", "0002", "0003")), failed={"P9"})],
    customers=[
        found(azure(), holds=[plan(), licence("l1"), licence("l2", "CFQ8", status="deleted")]),
        found(azure("a2", registration="NotRegistered"), customer_id=GLOBEX),
        found(customer_id="3", failed="listing_failed"),
    ],
)
AVAILABLE = reply(body={"items": [{"id": "A", "isPurchasable": True, "segment": "commercial"}]})


async def went(answer: Callable[[Request], Reply], plan: Plan = PLAN) -> CheckRun:
    async def send(request: Request) -> Reply:
        return answer(request) if request.body else AVAILABLE

    return await run_checks(plan, send)


def partly(request: Request) -> Reply:
    """Answer P1 in part, P2 badly, and P3 with a refusal that halves the batch."""
    asked = [product for product, _ in items_of(request)]
    if "P3" in asked:
        return error(400, "400030")
    spoiled = {"productId": "P2", "skuId": "0002", "isRestricted": "yes"}
    return reply(body=[item("P1", "0001"), spoiled])


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: reply(),
        partly,
        lambda _: error(404, "400013"),
        lambda _: error(500, ""),
        lambda _: reply(body="nonsense"),
        lambda _: reply(body=[item("P7", "0001", restricted=True)]),
        lambda _: reply(body=[item("P1", "0001"), item("P1", "0001", restricted=True)]),
    ],
    ids=["empty", "partly", "not found", "failing", "unreadable", "swapped", "disagreeing"],
)
async def test_whatever_is_answered_adds_up(answer: Callable[[Request], Reply]) -> None:
    """P24."""
    went_so = await went(answer)
    went_so.close()
    assert went_so.settled


@pytest.mark.asyncio
async def test_what_is_asked_in_two_contexts_adds_up() -> None:
    """What was answered before a region was learned is still read as it was asked.

    The rows of those answers were lost: the plan that knew the region named no SKUs for them.
    """

    def wants_a_region_of_globex(request: Request) -> Reply:
        sent = request.body.decode()
        if GLOBEX in sent and "armRegionName" not in sent:
            return reply(400, {"code": "400026", "description": "'ArmRegionName' is missing"})
        return reply()

    skus = [sku(s, "P1", region=WEST) for s in ("0001", "0002")]
    customers = [found(azure()), found(azure("a2", customer_id=GLOBEX), customer_id=GLOBEX)]
    two = Plan(bench.rules(checks={"inventory"}), [catalog(*skus)], customers=customers)

    went_so = await went(wants_a_region_of_globex, two)

    went_so.close()
    rows = went_so.answers.inventory.table().select(["customer_id", "sku_id"]).to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == [
        (ACME, "0001"),
        (ACME, "0002"),
        (GLOBEX, "0001"),
        (GLOBEX, "0002"),
    ]


@pytest.mark.asyncio
async def test_what_an_api_answered_before_it_was_gone_adds_up() -> None:
    """It is gone once a region was learned; what was answered without one is read all the same."""

    def goes(request: Request) -> Reply:
        if request.endpoint != "check_inventory":
            return reply()
        sent = request.body.decode()
        if "armRegionName" in sent:
            return error(410, "")
        if GLOBEX in sent:
            return reply(400, {"code": "400026", "description": "'ArmRegionName' is missing"})
        return reply()

    skus = [sku(s, "P1", region=WEST) for s in ("0001", "0002")]
    customers = [found(azure()), found(azure("a2", customer_id=GLOBEX), customer_id=GLOBEX)]
    rules = bench.rules(checks={"inventory"}, resource_types={bench.VIEW: "VMs"})

    went_so = await went(goes, Plan(rules, [catalog(*skus)], customers=customers))

    assert went_so.plan.rules.by_resource_type
    went_so.close()
    assert len(went_so.answers.inventory) == 4


@pytest.mark.asyncio
async def test_a_sku_listed_in_two_letter_cases_is_one_key() -> None:
    listed = catalog(sku("000s", "P1"), sku("000S", "P1"))
    twice = Plan(bench.rules(), [listed], customers=[found(azure())])

    went_so = await went(lambda _: reply(), twice)

    went_so.close()
    assert len(went_so.answers.inventory) == 1


@pytest.mark.asyncio
async def test_a_row_that_is_dropped_is_told_with_its_check() -> None:
    """P24: whatever loses it, nothing is published."""
    went_so = await went(lambda _: reply())
    key = next(s.key for s in went_so.settled if len(s.question.checks) == 2)
    went_so.rows[key] -= 1

    with pytest.raises(Bug) as told:
        went_so.close()

    assert told.value.exit_status == 70
    assert "contoso: inventory checks do not add up: 12 keys asked, 11 settled" in str(told.value)
    assert f"customer_id {ACME}" in str(told.value)
    assert "product_id P1" in str(told.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.FAILED, Outcome.SKIPPED])
async def test_a_settled_check_that_is_lost_is_told(outcome: Outcome) -> None:
    """P24."""
    went_so = await went(partly)
    lost = next(s for s in went_so.settled if s.outcome is outcome)
    went_so.settled.remove(lost)

    with pytest.raises(Bug, match="do not add up"):
        went_so.close()


@pytest.mark.asyncio
async def test_a_reply_that_was_used_in_part_is_not_blamed_for_what_is_lost_elsewhere() -> None:
    went_so = await went(partly)
    went_so.settled = [s for s in went_so.settled if s.question.checks[0].product_id != "P9"]

    with pytest.raises(Bug, match="product_id P9"):
        went_so.close()


@pytest.mark.asyncio
async def test_what_is_lost_first_is_named() -> None:
    went_so = await went(lambda _: reply())
    went_so.settled = [
        s for s in went_so.settled if "P3" not in {c.product_id for c in s.question.checks}
    ]

    with pytest.raises(Bug, match=r"first at kind inventory, .* product_id P3; nothing"):
        went_so.close()


@pytest.mark.asyncio
async def test_two_wrongs_make_no_right() -> None:
    went_so = await went(lambda _: reply())
    first, second = list(went_so.rows)[:2]
    went_so.rows[first] -= 1
    went_so.rows[second] += 1

    with pytest.raises(Bug, match="12 keys asked, 12 settled"):
        went_so.close()


@pytest.mark.asyncio
async def test_an_availability_that_is_lost_is_told_by_its_kind() -> None:
    went_so = await went(lambda _: reply())
    [settled] = [s for s in went_so.settled if s.question.checks[0].product_id == "CFQ7"]
    went_so.settled.remove(settled)

    with pytest.raises(Bug, match=r"availability checks .* product_id CFQ7"):
        went_so.close()


def test_nothing_asked_and_nothing_settled_adds_up() -> None:
    Ledger("contoso").close([], {}, PLAN.skus_of)


@pytest.mark.asyncio
async def test_a_staged_answer_that_nobody_settled_is_told(tmp_path: Path) -> None:
    """P24: in production too."""
    went_so = await went(lambda _: error(500, ""))
    listed = Found(
        known=Known(partner_tenant_id=bench.P),
        customers=(),
        catalogs=(),
        covers_catalog=True,
        covers_all_countries=True,
        started_at=AT,
    )
    with Staged(tmp_path / "staged", listed, went_so.plan, buckets=2) as staged:
        staged.stage(went_so.settled[1:], lambda _: b"[]")

        with pytest.raises(Bug):
            went_so.ledger.close(went_so.settled[1:], staged.keys, went_so.plan.skus_of)
