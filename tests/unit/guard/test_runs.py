"""The mass-change guard in runs that cross, move to another API, or do not add up (P6)."""

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


# Runs that cross ----------------------------------------------------------------------------


async def test_what_another_run_published_meanwhile_confirms_or_is_confirmed(
    tmp_path: Path,
) -> None:
    """P9: the nightly run asked later than the one for a customer, and says the same."""
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


async def test_an_answer_asked_for_before_what_waits_does_not_drop_it(tmp_path: Path) -> None:
    """P9: the nightly run asked when all was as before; it publishes last."""
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


async def test_a_doubted_answer_older_than_what_is_known_by_then_is_dropped(tmp_path: Path) -> None:
    """P9: between the two answers of the nightly run and its end, another one knows better."""
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
    ("subject", "state", "later", "waits"),
    [
        (many(A, 30), OPEN, GONE, "not_in_catalog"),
        (many(A, 30), OPEN, SHUT, ""),
        (terms(A, 30), WITHHELD, GONE, "not_in_catalog"),
        (terms(A, 30), WITHHELD, OFFERED, ""),
    ],
)
async def test_an_answer_asked_for_before_what_is_known_or_waits_is_not_asked_for_again(
    tmp_path: Path, subject: dict[Key, State], state: State, later: State, waits: str
) -> None:
    """P9: it cannot count any more, whatever a second answer would say."""
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
    assert pending_of(partner) == {waits}


# Many keys and buckets ----------------------------------------------------------------------


async def test_each_part_of_a_key_tells_it_from_others(tmp_path: Path) -> None:
    """Of 144 keys told twice, those of one product in one context are told differently."""
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
        said = [item(key, SHUT) for key in partner.keys("c-b") if key.product == "DZH2"]
        return json.dumps(said).encode()

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


async def test_buckets_that_are_too_much_together_are_looked_at_in_turn(tmp_path: Path) -> None:
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


async def test_the_catalog_of_a_scope_that_is_not_looked_at_is_carried(tmp_path: Path) -> None:
    partner = Partner(tmp_path, many(A, 3))
    partner.catalog = {"scope": ""}
    await night(partner, 1, rules={"reservation_scopes": ("",)}, scope="")
    partner.catalog = {}
    await night(partner, 2)
    scopes = partner.store.sql(
        "SELECT reservation_scope AS s, count(*) AS n FROM current_sku GROUP BY ALL ORDER BY s"
    )
    assert scopes.to_pylist() == [{"s": "", "n": 3}, {"s": "AzurePlan", "n": 3}]


async def test_a_run_that_asks_nothing_doubts_nothing(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    partner.night(2)
    run = Run(partner)
    assert run.guard.questions([]) == []
    run.abandon()


# By resource type ---------------------------------------------------------------------------

BY_TYPE = {"resource_types": {bench.VIEW: "VirtualMachines"}}
NEW_API = "check_inventory_by_resource_type"


async def test_where_inventory_is_asked_by_resource_type_it_is_asked_so_again(
    tmp_path: Path,
) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    run = await night(partner, 2, rules={**BY_TYPE, "inventory_api": "by_resource_type"})
    assert [(r.endpoint, r.round) for r in partner.asked] == [(NEW_API, 0), (NEW_API, SECOND)]
    assert kinds(run) == {("newly_restricted", True): 30}


def gone_by_then(request: Request) -> Reply | None:
    """Let checkInventory go before the second questions."""
    is_gone = request.round >= SECOND and request.endpoint == "check_inventory"
    return Reply(status=410, sent_at=FIRST) if is_gone else None


async def test_an_api_that_goes_between_is_asked_elsewhere_again(tmp_path: Path) -> None:
    """Four questions, and none of them twice: the bench sees to that."""
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


async def test_what_has_no_resource_type_there_is_not_believed(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    partner.faulty = gone_by_then
    run = await night(partner, 2)
    assert kinds(run) == {}
    [check] = partner.store.sql(
        "SELECT outcome, reason, sku_id FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert tuple(check.values()) == ("skipped", "resource_type_unknown", "")


# Beside it ----------------------------------------------------------------------------------


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


async def test_what_of_a_second_reply_cannot_be_used_is_recorded_though_it_is_believed(
    tmp_path: Path,
) -> None:
    """P24."""
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    names = [("DZH1", key.sku) for key in partner.keys(A)] + [("DZH9", "0001")]
    said = [{"productId": p, "skuId": s, "isRestricted": False} for p, s in names]
    body = json.dumps(said).encode()
    partner.faulty = lambda request: body if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(run) == {("restriction_lifted", True): 30}
    quarantine = Quarantine()
    quarantine.settle([*run.checking.settled, *run.checking.second_answers], run.body)
    [second] = [request for request in partner.asked if request.round == SECOND]
    assert quarantine.keys == {second.key()}


# The conservation law -----------------------------------------------------------------------


class Losing(Fetch):
    """Loses what became of the questions of one round."""

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
    """Loses what became of the second questions."""

    lost = SECOND


@pytest.mark.parametrize("fetch", [Losing, LosingAgain])
async def test_what_does_not_add_up_ends_the_run(tmp_path: Path, fetch: type[Fetch]) -> None:
    """P24: the second questions too, in production too."""
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    with pytest.raises(Bug, match="inventory checks do not add up: 30 keys asked, 0 settled"):
        await night(partner, 2, fetch=fetch)
    assert partner.changes() == []


class Trusting(Guard):
    """Fails nothing, whatever was told differently."""

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        del second
        yield from settled


class Forgetful(Guard):
    """Leaves out what was asked once more."""

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        yield from (s for s in super().believed(settled, second) if s.question.round != SECOND)


@pytest.mark.parametrize(
    ("guard", "subject", "told"),
    [
        (Trusting, many(A, 30, OPEN), "inventory checks do not add up: 30 keys asked, 0 settled"),
        (Forgetful, many(A, 30, OPEN), "inventory checks do not add up: 30 keys asked, 0 settled"),
        (Forgetful, terms(A, 30), "availability checks do not add up: 6 keys asked, 0 settled"),
    ],
)
async def test_what_is_believed_in_the_end_adds_up_too(
    tmp_path: Path, guard: type[Guard], subject: dict[Key, State], told: str
) -> None:
    """P24."""
    partner = await known(tmp_path, subject)
    turned(partner, GONE)
    partner.faulty = lambda request: None if request.round != SECOND else b"nonsense"
    with pytest.raises(Bug, match=told):
        await night(partner, 2, guard=guard)
    assert partner.changes() == []
