"""The mass-change guard in runs that overlap, change the API, or do not add up (P6)."""

import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from auditor.errors import Bug
from auditor.fetch.fetch import Fetch, Fetched
from auditor.guard.mass_changes import Guard
from auditor.journal.quarantine import Quarantine
from auditor.model import Question, Reply, Request, Settled, Unasked
from auditor.plan.plan import Plan
from tests.builders import scope as bench
from tests.builders.guard import (
    FIRST,
    GONE,
    OFFERED,
    OPEN,
    SECOND,
    SHUT,
    WITHHELD,
    A,
    B,
    Key,
    Partner,
    Run,
    State,
    item,
    kinds,
    known,
    many,
    night,
    pending_of,
    published,
    terms,
    turned,
)

pytestmark = pytest.mark.asyncio


# Runs that overlap --------------------------------------------------------------------------


async def test_a_pending_change_is_confirmed_by_a_run_that_asked_later(tmp_path: Path) -> None:
    """P9: the nightly run asked later than the on-demand run and got the same answer."""
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    partner.night(2)
    nightly, on_demand = Run(partner), Run(partner, [A])
    await on_demand.ask()
    await on_demand.check()
    await nightly.ask()
    await nightly.check()
    on_demand.publish()
    nightly.publish()
    assert kinds(on_demand) == {("restriction_lifted", True): 30}
    assert kinds(nightly) == {("restriction_lifted", False): 30}


async def test_an_answer_from_before_a_pending_change_does_not_drop_it(tmp_path: Path) -> None:
    """P9: the nightly run asked before the change and publishes last."""
    for subject in (many(A, 30), terms(A, 30)):
        folder = tmp_path / next(iter(subject)).product
        partner = await known(folder, subject)
        partner.night(2)
        nightly = Run(partner)
        await nightly.ask()
        await nightly.check()
        turned(partner, GONE)
        on_demand = Run(partner, [A])
        await on_demand.ask()
        await on_demand.check()
        on_demand.publish()
        nightly.publish()
        assert pending_of(partner) == {"not_in_catalog"}
        assert kinds(await night(partner, 3)) == {("left_catalog", False): 30}


async def test_a_doubted_answer_older_than_the_known_one_is_dropped(tmp_path: Path) -> None:
    """P9: after the nightly run got its two answers, another run publishes a newer one."""
    for subject, state in ((many(A, 30), SHUT), (terms(A, 30), OFFERED)):
        partner = await known(tmp_path / next(iter(subject)).product, subject)
        turned(partner, GONE)
        partner.night(2)
        nightly = Run(partner)
        await nightly.ask()
        await nightly.check()
        turned(partner, state)
        on_demand = Run(partner, [A])
        await on_demand.ask()
        await on_demand.check()
        on_demand.publish()
        nightly.publish()
        assert kinds(nightly) == {}
        assert pending_of(partner) == {""}


@pytest.mark.parametrize(
    ("subject", "state", "later", "pending"),
    [
        (many(A, 30), OPEN, GONE, "not_in_catalog"),
        (many(A, 30), OPEN, SHUT, ""),
        (terms(A, 30), WITHHELD, GONE, "not_in_catalog"),
        (terms(A, 30), WITHHELD, OFFERED, ""),
    ],
)
async def test_an_answer_older_than_a_known_or_pending_one_is_not_asked_again(
    tmp_path: Path, subject: dict[Key, State], state: State, later: State, pending: str
) -> None:
    """P9: it can no longer count, whatever the second answer is."""
    partner = await known(tmp_path, subject)
    turned(partner, state)
    partner.night(2)
    nightly = Run(partner)
    await nightly.ask()
    turned(partner, later)
    on_demand = Run(partner, [A])
    await on_demand.ask()
    await on_demand.check()
    on_demand.publish()
    partner.asked.clear()
    await nightly.check()
    assert partner.asked == []
    nightly.publish()
    assert kinds(nightly) == {}
    assert pending_of(partner) == {pending}


# Many keys and buckets ----------------------------------------------------------------------


async def test_keys_that_differ_in_one_part_are_kept_apart(tmp_path: Path) -> None:
    """144 keys are asked twice; those of one product in one context are answered differently."""
    customers = ("c-a", "c-b", "c-c")
    truth: dict[Key, State] = {}
    for customer, product in itertools.product(customers, ("DZH1", "DZH2")):
        truth |= many(customer, 3, OPEN, product)
    partner = Partner(tmp_path, truth)
    partner.countries, partner.subscriptions = ("DE", "FR"), ("a", "b")
    partner.catalog = {"variables": f"{bench.BOTH};ArmRegionName", "region": ""}
    rules = {"arm_regions": ("northeurope", "westeurope")}
    await night(partner, 1, rules=rules)
    turned(partner, SHUT, customer="")

    def faulty(request: Request) -> bytes | None:
        text = f"{request.params}{request.body.decode()}"
        there = ("'FR'", '"b-c-b"', '"westeurope"')
        if request.round != SECOND or not all(part in text for part in there):
            return None
        items = [item(key, SHUT) for key in partner.keys("c-b") if key.product == "DZH2"]
        return json.dumps(items).encode()

    partner.faulty = faulty
    run = await night(partner, 2, rules=rules)
    assert kinds(run) == {("newly_restricted", True): 141}
    failed = partner.store.sql(
        "SELECT customer_id, country, azure_subscription_id, arm_region, product_id, sku_id, reason"
        " FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    where = ("c-b", "FR", "b-c-b", "westeurope", "DZH1")
    assert {tuple(check.values()) for check in failed} == {
        (*where, key.sku, "unstable") for key in many("c-b", 3)
    }
    assert partner.store.sql(
        "SELECT pending_verdict AS v, count(*) AS n FROM current_inventory GROUP BY ALL ORDER BY v"
    ).to_pylist() == [{"v": "", "n": 3}, {"v": "restricted", "n": 141}]


async def test_buckets_too_large_together_are_processed_one_after_another(tmp_path: Path) -> None:
    customers = [f"c-{n}" for n in range(6)]
    truth = {key: s for name in customers for key, s in many(name, 30, OPEN).items()}
    partner = await known(tmp_path, truth)
    for name in customers:
        turned(partner, SHUT, customer=name)
    partner.night(2)
    run = Run(partner)
    run.guard.at_once = 1
    await run.ask()
    await run.check()
    run.publish()
    assert kinds(run) == {("newly_restricted", True): 180}
    assert {one.customer_id for one in run.guard.doubted} == set(customers)


async def test_the_catalog_of_a_scope_that_is_not_asked_is_carried(tmp_path: Path) -> None:
    partner = Partner(tmp_path, many(A, 3))
    partner.catalog = {"scope": ""}
    await night(partner, 1, rules={"reservation_scopes": ("",)}, scope="")
    partner.catalog = {}
    await night(partner, 2)
    scopes = partner.store.sql(
        "SELECT reservation_scope AS s, count(*) AS n FROM current_sku GROUP BY ALL ORDER BY s"
    )
    assert scopes.to_pylist() == [{"s": "", "n": 3}, {"s": "AzurePlan", "n": 3}]


async def test_a_run_without_questions_has_no_doubts(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    partner.night(2)
    run = Run(partner)
    assert run.guard.questions([]) == []
    run.abandon()


# By resource type ---------------------------------------------------------------------------

BY_TYPE = {"resource_types": {bench.VIEW: "VirtualMachines"}}
NEW_API = "check_inventory_by_resource_type"


async def test_the_second_question_uses_the_resource_type_too(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    run = await night(partner, 2, rules={**BY_TYPE, "inventory_api": "by_resource_type"})
    assert [(r.endpoint, r.round) for r in partner.asked] == [(NEW_API, 0), (NEW_API, SECOND)]
    assert kinds(run) == {("newly_restricted", True): 30}


def gone_by_then(request: Request) -> Reply | None:
    """Answer 410 for checkInventory from the second questions on."""
    is_gone = request.round >= SECOND and request.endpoint == "check_inventory"
    return Reply(status=410, sent_at=FIRST) if is_gone else None


async def test_second_questions_move_when_the_first_api_is_gone(tmp_path: Path) -> None:
    """Four different questions; the test builder fails if one is sent twice."""
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    partner.faulty = gone_by_then
    run = await night(partner, 2, rules=BY_TYPE)
    old = "check_inventory"
    assert [(r.endpoint, r.round) for r in partner.asked] == [
        (old, 0),
        (old, SECOND),
        (old, SECOND + 1),
        (NEW_API, SECOND),
    ]
    assert kinds(run) == {("newly_restricted", True): 30}


async def test_a_check_without_a_resource_type_is_not_accepted(tmp_path: Path) -> None:
    """Only the old API could answer it, and that is gone."""
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    partner.faulty = gone_by_then
    run = await night(partner, 2)
    assert kinds(run) == {}
    [check] = partner.store.sql(
        "SELECT outcome, reason, sku_id FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert tuple(check.values()) == ("failed", "http_410", "")


# Other checks and the quarantine ------------------------------------------------------------


async def test_other_checks_that_failed_stay_failed(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30) | many(B, 30))

    def faulty(request: Request) -> Reply | bytes | None:
        if request.customer_id == B:
            return Reply(status=503, sent_at=partner.now)
        return None if request.round == SECOND else b"[]"

    partner.faulty = faulty
    run = await night(partner, 2)
    checks = partner.store.sql(
        "SELECT customer_id, reason FROM current_check_outcome WHERE outcome = 'failed'"
        " ORDER BY customer_id"
    ).to_pylist()
    assert [tuple(row.values()) for row in checks] == [(A, "unstable"), (B, "http_503")]
    assert published(run).checks.failed == 2


async def test_unused_items_of_an_accepted_second_reply_are_quarantined(tmp_path: Path) -> None:
    """P24."""
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    names = [("DZH1", key.sku) for key in partner.keys(A)] + [("DZH9", "0001")]
    items = [{"productId": p, "skuId": s, "isRestricted": False} for p, s in names]
    body = json.dumps(items).encode()
    partner.faulty = lambda request: body if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(run) == {("restriction_lifted", True): 30}
    quarantine = Quarantine()
    quarantine.settle([*run.checking.settled, *run.checking.second_answers], run.body)
    [second] = [request for request in partner.asked if request.round == SECOND]
    assert quarantine.keys == {second.key()}


# The conservation law -----------------------------------------------------------------------


class Losing(Fetch):
    """Loses the settled questions of one round."""

    lost = 0

    async def ask(
        self,
        plan: Plan,
        questions: Iterable[Question | Unasked],
        follow: Callable[[tuple[Settled, ...]], None] = lambda _: None,
    ) -> Fetched:
        fetched = await super().ask(plan, questions, follow)
        kept = tuple(part for part in fetched.settled if part.question.round != self.lost)
        return msgspec.structs.replace(fetched, settled=kept)


class LosingAgain(Losing):
    """Loses the settled second questions."""

    lost = SECOND


@pytest.mark.parametrize("fetch", [Losing, LosingAgain])
async def test_a_run_that_does_not_add_up_ends(tmp_path: Path, fetch: type[Fetch]) -> None:
    """P24: this includes the second questions, and it holds in production."""
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    with pytest.raises(Bug, match="inventory checks do not add up: 30 keys asked, 0 settled"):
        await night(partner, 2, fetch=fetch)
    assert partner.changes() == []


class Trusting(Guard):
    """Accepts every first answer, whatever the second answers are."""

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        del second
        yield from settled


class Forgetful(Guard):
    """Leaves out the questions that were asked again."""

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        yield from (s for s in super().believed(settled, second) if s.question.round != SECOND)


@pytest.mark.parametrize(
    ("guard", "subject", "message"),
    [
        (Trusting, many(A, 30, OPEN), "inventory checks do not add up: 30 keys asked, 0 settled"),
        (Forgetful, many(A, 30, OPEN), "inventory checks do not add up: 30 keys asked, 0 settled"),
        (Forgetful, terms(A, 30), "availability checks do not add up: 6 keys asked, 0 settled"),
    ],
)
async def test_the_accepted_answers_must_add_up_too(
    tmp_path: Path, guard: type[Guard], subject: dict[Key, State], message: str
) -> None:
    """P24."""
    partner = await known(tmp_path, subject)
    turned(partner, GONE)
    partner.faulty = lambda request: None if request.round != SECOND else b"nonsense"
    with pytest.raises(Bug, match=message):
        await night(partner, 2, guard=guard)
    assert partner.changes() == []
