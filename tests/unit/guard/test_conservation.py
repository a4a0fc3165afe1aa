"""The conservation law: which replies keep it, and that each way to break it is reported."""

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


async def checked(answer: Callable[[Request], Reply], plan: Plan = PLAN) -> CheckRun:
    async def send(request: Request) -> Reply:
        return answer(request) if request.body else AVAILABLE

    return await run_checks(plan, send)


def partly(request: Request) -> Reply:
    """Answer P1 in part, P2 with a malformed item, P3 with an error that halves the batch."""
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
    ids=["empty", "partly", "not found", "failing", "unreadable", "other product", "disagreeing"],
)
async def test_every_kind_of_answer_adds_up(answer: Callable[[Request], Reply]) -> None:
    """P24."""
    run = await checked(answer)
    run.close()
    assert run.settled


@pytest.mark.asyncio
async def test_questions_before_and_after_a_learned_region_add_up() -> None:
    """Answers from before the region was learned are read with the context they were asked in.

    Otherwise their rows are lost: the plan with the region names no SKUs for them.
    """

    def wants_a_region_of_globex(request: Request) -> Reply:
        sent = request.body.decode()
        if GLOBEX in sent and "armRegionName" not in sent:
            return reply(400, {"code": "400026", "description": "'ArmRegionName' is missing"})
        return reply()

    skus = [sku(s, "P1", region=WEST) for s in ("0001", "0002")]
    customers = [found(azure()), found(azure("a2", customer_id=GLOBEX), customer_id=GLOBEX)]
    two = Plan(bench.rules(checks={"inventory"}), [catalog(*skus)], customers=customers)

    run = await checked(wants_a_region_of_globex, two)

    run.close()
    rows = run.answers.inventory.table().select(["customer_id", "sku_id"]).to_pylist()
    assert sorted(tuple(row.values()) for row in rows) == [
        (ACME, "0001"),
        (ACME, "0002"),
        (GLOBEX, "0001"),
        (GLOBEX, "0002"),
    ]


@pytest.mark.asyncio
async def test_answers_of_an_api_from_before_it_was_gone_add_up() -> None:
    """The API is gone once a region is learned; earlier answers without a region are still read."""

    def answer(request: Request) -> Reply:
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

    run = await checked(answer, Plan(rules, [catalog(*skus)], customers=customers))

    assert run.plan.rules.by_resource_type
    run.close()
    assert len(run.answers.inventory) == 4


@pytest.mark.asyncio
async def test_a_sku_listed_in_two_letter_cases_is_one_key() -> None:
    listed = catalog(sku("000s", "P1"), sku("000S", "P1"))
    twice = Plan(bench.rules(), [listed], customers=[found(azure())])

    run = await checked(lambda _: reply(), twice)

    run.close()
    assert len(run.answers.inventory) == 1


@pytest.mark.asyncio
async def test_a_dropped_row_is_reported_with_its_check() -> None:
    """P24: whatever drops it, no snapshot is published."""
    run = await checked(lambda _: reply())
    key = next(s.key for s in run.settled if len(s.question.checks) == 2)
    run.rows[key] -= 1

    with pytest.raises(Bug) as caught:
        run.close()

    assert caught.value.exit_status == 70
    assert "contoso: inventory checks do not add up: 12 keys asked, 11 settled" in str(caught.value)
    assert f"customer_id {ACME}" in str(caught.value)
    assert "product_id P1" in str(caught.value)


@pytest.mark.asyncio
@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.FAILED, Outcome.SKIPPED])
async def test_a_lost_settled_check_is_reported(outcome: Outcome) -> None:
    """P24."""
    run = await checked(partly)
    lost = next(s for s in run.settled if s.outcome is outcome)
    run.settled.remove(lost)

    with pytest.raises(Bug, match="do not add up"):
        run.close()


@pytest.mark.asyncio
async def test_the_message_names_the_lost_check_and_not_a_partly_used_reply() -> None:
    run = await checked(partly)
    run.settled = [s for s in run.settled if s.question.checks[0].product_id != "P9"]

    with pytest.raises(Bug, match="product_id P9"):
        run.close()


@pytest.mark.asyncio
async def test_the_message_names_the_first_lost_check() -> None:
    run = await checked(lambda _: reply())
    run.settled = [s for s in run.settled if "P3" not in {c.product_id for c in s.question.checks}]

    with pytest.raises(Bug, match=r"first at kind inventory, .* product_id P3; nothing"):
        run.close()


@pytest.mark.asyncio
async def test_a_missing_and_an_extra_row_do_not_cancel_out() -> None:
    run = await checked(lambda _: reply())
    first, second = list(run.rows)[:2]
    run.rows[first] -= 1
    run.rows[second] += 1

    with pytest.raises(Bug, match="12 keys asked, 12 settled"):
        run.close()


@pytest.mark.asyncio
async def test_a_lost_availability_check_is_reported_with_its_kind() -> None:
    run = await checked(lambda _: reply())
    [settled] = [s for s in run.settled if s.question.checks[0].product_id == "CFQ7"]
    run.settled.remove(settled)

    with pytest.raises(Bug, match=r"availability checks .* product_id CFQ7"):
        run.close()


def test_a_run_without_questions_adds_up() -> None:
    Ledger("contoso").close([], {}, PLAN.skus_of)


@pytest.mark.asyncio
async def test_a_staged_answer_without_a_settled_question_is_reported(tmp_path: Path) -> None:
    """P24: also in production."""
    run = await checked(lambda _: error(500, ""))
    listed = Found(
        known=Known(partner_tenant_id=bench.P),
        customers=(),
        catalogs=(),
        covers_catalog=True,
        covers_all_countries=True,
        started_at=AT,
    )
    with Staged(tmp_path / "staged", listed, run.plan, buckets=2) as staged:
        staged.stage(run.settled[1:], lambda _: b"[]")

        with pytest.raises(Bug):
            run.ledger.close(run.settled[1:], staged.keys, run.plan.skus_of)
