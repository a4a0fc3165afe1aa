"""The mass-change guard: what is asked once more, what is believed of it, what waits (P6)."""

import itertools
import json
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import scope_bench as bench
from guard_bench import (
    FIRST,
    GONE,
    OFFERED,
    OPEN,
    SECOND,
    SHUT,
    WITHHELD,
    Key,
    Partner,
    Run,
    State,
    item,
    many,
    night,
    rounds,
    state_of,
    targets,
    terms,
)

from auditor.errors import Bug
from auditor.fetch import Fetch
from auditor.guard import Doubted, Guard
from auditor.model import Gone, Question, Reply, Request, Settled, Unasked
from auditor.publish import Published
from auditor.quarantine import Quarantine

A, B = "c-a", "c-b"
pytestmark = pytest.mark.asyncio


def turned(partner: Partner, state: State, count: int | None = None, customer: str = A) -> None:
    """Let that many keys of a customer have another state from now on."""
    for key in partner.keys(customer)[:count]:
        partner.truth[key] = state


def published(run: Run) -> Published:
    assert run.published is not None
    return run.published


def kinds(partner: Partner, run: Run) -> dict[tuple[str, bool], int]:
    """Count what a run published by kind and whether it is suspect."""
    found: dict[tuple[str, bool], int] = {}
    for row in partner.changes():
        if row["snapshot_id"] == run.snapshot_id:
            name = (row["kind"], row["suspect"])
            found[name] = found.get(name, 0) + 1
    return found


async def known(folder: Path, truth: dict[Key, State]) -> Partner:
    """Return a partner of whom one night is known."""
    partner = Partner(folder, truth)
    await night(partner, 1)
    partner.asked.clear()
    return partner


# What is asked once more --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flips", "of", "is_doubted"),
    [
        (20, 20, False),
        (21, 21, True),
        (21, 104, True),
        (21, 105, False),
        (22, 105, True),
    ],
)
async def test_more_than_20_keys_and_more_than_a_fifth_are_asked_once_more(
    tmp_path: Path,
    flips: int,
    of: int,
    is_doubted: bool,
) -> None:
    """P6: 20 keys are not more than 20, 21 of 105 not more than 20 %."""
    partner = await known(tmp_path, many(A, of, OPEN))
    turned(partner, SHUT, flips)
    run = await night(partner, 2)
    assert (SECOND in rounds(partner)) is is_doubted
    assert kinds(partner, run) == {("newly_restricted", is_doubted): flips}
    doubt = Doubted(subject="inventory", customer_id=A, country="DE", flips=flips, keys=of)
    assert run.guard.doubted == ([doubt] if is_doubted else [])


async def test_a_first_answer_is_not_counted(tmp_path: Path) -> None:
    partner = Partner(tmp_path, many(A, 30))
    await night(partner, 1)
    assert set(rounds(partner)) == {0}


async def test_other_reasons_for_a_restriction_are_no_flips(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, ("restricted", "QuotaId", "westeurope"))
    run = await night(partner, 2)
    assert kinds(partner, run) == {("restriction_changed", False): 30}


async def test_coming_back_into_the_catalog_is_no_flip(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, GONE))
    turned(partner, SHUT)
    run = await night(partner, 2)
    assert kinds(partner, run) == {("entered_catalog", False): 30}


async def test_each_customer_is_counted_by_itself(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN) | many(B, 30, OPEN))
    turned(partner, SHUT, 15, A)
    turned(partner, SHUT, 15, B)
    run = await night(partner, 2)
    assert kinds(partner, run) == {("newly_restricted", False): 30}


async def test_inventory_and_availability_are_counted_apart(tmp_path: Path) -> None:
    """By customer they are cells of their own, so this holds by country as well: see below."""
    partner = await known(tmp_path, many(A, 15, OPEN) | terms(A, 15))
    turned(partner, SHUT, 15)
    for key in partner.keys(A)[15:]:
        partner.truth[key] = WITHHELD
    await night(partner, 2)
    assert set(rounds(partner)) == {0}


async def test_only_checks_with_such_keys_are_asked_once_more(tmp_path: Path) -> None:
    """What turned is in product DZH1; DZH2 is in the same batch, DZH3 in another customer's."""
    truth = many(A, 30, OPEN) | many(A, 2, OPEN, "DZH2") | many(B, 30, OPEN)
    partner = await known(tmp_path, truth)
    turned(partner, SHUT, 30)
    run = await night(partner, 2)
    [again] = [request for request in partner.asked if request.round == SECOND]
    assert {(key.customer, key.product) for key in targets(again, partner.truth)} == {(A, "DZH1")}
    assert kinds(partner, run) == {("newly_restricted", True): 30}


async def test_skus_that_the_catalog_itself_says_are_gone_are_not_counted(tmp_path: Path) -> None:
    """They are no longer asked about, and make one change each of the catalog's own."""
    partner = await known(tmp_path, many(A, 30, OPEN))
    gone = [
        Gone(
            country="DE",
            reservation_scope="AzurePlan",
            product_id=key.product,
            sku_id=key.sku,
            at=FIRST + timedelta(days=1),
        )
        for key in partner.keys()[1:]
    ]
    partner.truth = dict([*partner.truth.items()][:1])
    run = await night(partner, 2, gone=tuple(gone))
    assert set(rounds(partner)) == {0}
    assert kinds(partner, run) == {("left_catalog", False): 29}
    assert {row["subject"] for row in partner.changes()} == {"catalog"}


# What a second answer makes of it -----------------------------------------------------------


async def test_told_twice_it_is_suspect_and_the_last_verdict_stands(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    before = partner.standing()
    turned(partner, OPEN)
    run = await night(partner, 2)
    assert kinds(partner, run) == {("restriction_lifted", True): 30}
    assert published(run).changes == {}
    for key, row in partner.standing().items():
        assert state_of(row) == SHUT
        same = (
            "checked_at",
            "checked_snapshot_id",
            "verdict_since_at",
            "verdict_since_snapshot_id",
        )
        assert {name: row[name] for name in same} == {name: before[key][name] for name in same}
    pending = partner.store.sql(
        "SELECT DISTINCT pending_verdict, pending_reason_codes, pending_snapshot_id"
        " FROM current_inventory"
    ).to_pylist()
    assert [tuple(row.values()) for row in pending] == [("unrestricted", "", run.snapshot_id)]
    restrictions = partner.store.arrow("latest_restriction")
    assert restrictions.num_rows == 30


async def test_the_next_night_that_says_the_same_makes_the_change(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    await night(partner, 2)
    partner.asked.clear()
    run = await night(partner, 3)
    assert set(rounds(partner)) == {0}
    assert kinds(partner, run) == {("restriction_lifted", False): 30}
    assert published(run).changes == {"restriction_lifted": 30}
    rows = [row for row in partner.changes() if row["snapshot_id"] == run.snapshot_id]
    assert {row["gap_snapshots"] for row in rows} == {1}
    assert {state_of(row) for row in partner.standing().values()} == {OPEN}
    ids = [row["event_id"] for row in partner.changes()]
    assert len(set(ids)) == len(ids) == 60
    calm = await night(partner, 4)
    assert kinds(partner, calm) == {}


async def test_the_old_answer_again_drops_what_waited(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    await night(partner, 2)
    turned(partner, SHUT)
    run = await night(partner, 3)
    assert kinds(partner, run) == {}
    assert pending_of(partner) == {""}
    turned(partner, OPEN)
    again = await night(partner, 4)
    assert kinds(partner, again) == {("restriction_lifted", True): 30}


async def test_a_third_answer_is_doubted_like_any_other(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, GONE)
    await night(partner, 2)
    turned(partner, SHUT)
    run = await night(partner, 3)
    assert kinds(partner, run) == {("newly_restricted", True): 30}
    assert pending_of(partner) == {"restricted"}


async def test_the_same_verdict_for_another_reason_is_another_answer(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    await night(partner, 2)
    turned(partner, ("restricted", "QuotaId", "westeurope"))
    run = await night(partner, 3)
    assert kinds(partner, run) == {("newly_restricted", True): 30}
    turned(partner, ("restricted", "quotaid", "WestEurope"))
    last = await night(partner, 4)
    assert kinds(partner, last) == {("newly_restricted", False): 30}


async def test_what_is_not_answered_goes_on_waiting(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    second = await night(partner, 2)
    partner.faulty = lambda _: Reply(status=503, sent_at=partner.now)
    assert kinds(partner, await night(partner, 3)) == {}
    waiting = partner.store.sql("SELECT DISTINCT pending_snapshot_id AS s FROM current_inventory")
    assert waiting.column("s").to_pylist() == [second.snapshot_id]
    partner.faulty = lambda _: None
    assert kinds(partner, await night(partner, 4)) == {("restriction_lifted", False): 30}


def pending_of(partner: Partner) -> set[str]:
    query = (
        "SELECT pending_verdict AS p FROM current_inventory"
        " UNION ALL SELECT pending_verdict FROM current_availability"
    )
    return set(partner.store.sql(query).column("p").to_pylist())


async def test_told_differently_nothing_is_believed(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    partner.faulty = lambda request: None if request.round == SECOND else b"[]"
    run = await night(partner, 2)
    assert kinds(partner, run) == {}
    assert pending_of(partner) == {""}
    assert {row["checked_snapshot_id"] for row in partner.standing().values()} != {run.snapshot_id}
    checks = partner.store.sql(
        "SELECT outcome, reason, sku_id FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [("failed", "unstable", "")]
    assert published(run).checks.failed == 1


async def test_of_a_product_only_the_skus_told_differently_fail(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN, 29)

    def faulty(request: Request) -> bytes | None:
        if request.round != SECOND:
            return None
        said = [
            {"productId": k.product, "skuId": k.sku, "isRestricted": False, "restrictions": []}
            for k in partner.truth
            if k.sku > "0004"
        ]
        return json.dumps(said).encode()

    partner.faulty = faulty
    run = await night(partner, 2)
    assert kinds(partner, run) == {("restriction_lifted", True): 24}
    checks = partner.store.sql(
        "SELECT sku_id, outcome, reason FROM current_check_outcome WHERE kind = 'inventory'"
        " ORDER BY sku_id"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [
        ("", "answered", ""),
        *((f"000{n}", "failed", "unstable") for n in range(5)),
    ]
    stands = {key.sku: row for key, row in partner.standing().items()}
    assert stands["0029"]["checked_snapshot_id"] == run.snapshot_id  # nobody doubted it
    assert partner.store.arrow("latest_restriction").num_rows == 30


async def test_of_a_batch_the_other_checks_stay_answered(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN) | many(A, 2, OPEN, "DZH2"))
    turned(partner, SHUT, 30)
    partner.faulty = lambda request: b"[]" if request.round == SECOND else None
    await night(partner, 2)
    checks = partner.store.sql(
        "SELECT product_id, outcome, reason FROM current_check_outcome WHERE kind = 'inventory'"
        " ORDER BY product_id"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [
        ("DZH1", "failed", "unstable"),
        ("DZH2", "answered", ""),
    ]


async def test_a_second_question_that_fails_leaves_what_was_known(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    failed = Reply(status=503, cause="", sent_at=partner.now)
    partner.faulty = lambda request: failed if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(partner, run) == {}
    assert {state_of(row) for row in partner.standing().values()} == {SHUT}
    [check] = partner.store.sql(
        "SELECT outcome, reason, http_status FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert tuple(check.values()) == ("failed", "http_503", 503)


async def test_where_the_second_reply_leaves_some_untold_they_fail_for_that(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    spoiled = [
        {"productId": "DZH1", "skuId": f"{n:04}", "isRestricted": False if n else "?"}
        for n in range(30)
    ]
    body = json.dumps(spoiled).encode()
    partner.faulty = lambda request: body if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(partner, run) == {("restriction_lifted", True): 29}
    checks = partner.store.sql(
        "SELECT sku_id, reason FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [("0000", "spoiled_item")]


@pytest.mark.parametrize("body", [b"[]", b"", b" \r\n"])
async def test_an_empty_body_lifts_nothing_in_one_night(tmp_path: Path, body: bytes) -> None:
    """P6."""
    partner = await known(tmp_path, many(A, 30) | many(B, 30))
    partner.faulty = lambda _: body
    run = await night(partner, 2)
    assert not [kind for kind, suspect in kinds(partner, run) if not suspect]
    assert {state_of(row) for row in partner.standing().values()} == {SHUT}
    partner.faulty = lambda _: None
    run = await night(partner, 3)
    assert kinds(partner, run) == {}
    assert pending_of(partner) == {""}


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
    assert kinds(partner, run) == {("newly_restricted", True): 141}
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


# Availability -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"), [(WITHHELD, "no_longer_purchasable"), (GONE, "left_catalog")]
)
async def test_terms_are_held_and_confirmed_likewise(
    tmp_path: Path, state: State, kind: str
) -> None:
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, state)
    run = await night(partner, 2)
    assert kinds(partner, run) == {(kind, True): 30}
    assert {state_of(row)[0] for row in partner.standing().values()} == {"purchasable"}
    assert pending_of(partner) == {state[0]}
    partner.faulty = lambda _: Reply(status=503, sent_at=partner.now)
    assert kinds(partner, await night(partner, 3)) == {}
    partner.faulty = lambda _: None
    partner.asked.clear()
    run = await night(partner, 4)
    assert set(rounds(partner)) == {0}
    assert kinds(partner, run) == {(kind, False): 30}
    assert {state_of(row)[0] for row in partner.standing().values()} == {state[0]}
    assert pending_of(partner) == {""}


async def test_terms_as_they_were_drop_what_waited(tmp_path: Path) -> None:
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, GONE)
    await night(partner, 2)
    turned(partner, OFFERED)
    assert kinds(partner, await night(partner, 3)) == {}
    assert pending_of(partner) == {""}


async def test_a_404_that_is_told_twice_is_suspect(tmp_path: Path) -> None:
    partner = await known(tmp_path, terms(A, 30))
    gone = Reply(status=404, body=b'{"code":400013,"description":"no"}', sent_at=partner.now)
    partner.faulty = lambda request: None if "inventory" in request.endpoint else gone
    run = await night(partner, 2)
    assert kinds(partner, run) == {("left_catalog", True): 30}


async def test_one_term_told_differently_fails_its_whole_check(tmp_path: Path) -> None:
    """A check has one outcome, and a term is no check: the other terms of it are carried too."""
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, GONE)

    def faulty(request: Request) -> None:
        if request.round == SECOND and "/0000/" in request.path:
            partner.truth[Key(A, "CFQ7", "0000", "cycle3")] = OFFERED

    partner.faulty = faulty
    run = await night(partner, 2)
    assert kinds(partner, run) == {("left_catalog", True): 25}
    [check] = partner.store.sql(
        "SELECT sku_id, reason FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert tuple(check.values()) == ("0000", "unstable")


async def test_each_part_of_a_terms_key_tells_it_from_others(tmp_path: Path) -> None:
    """Of two customers 27 terms of 32 turn; of one of them, a check is told differently."""
    names = itertools.product(("CFQ7", "CFQ8"), ("0001", "0002", "0003", "0004"))
    cycles = ("P1Y/monthly", "P1Y/annual", "P3Y/monthly", "P3Y/annual")
    truth = {
        Key(customer, product, sku, cycle): OFFERED
        for product, sku in names
        for cycle in cycles
        for customer in ("c-a", "c-b", "c-c")
    }
    partner = await known(tmp_path, truth)
    for key in partner.keys("c-a") + partner.keys("c-b"):
        stays = key[1::2] == ("CFQ8", "P3Y/annual") or key[1:] == ("CFQ7", "0001", "P1Y/monthly")
        partner.truth[key] = OFFERED if stays else WITHHELD

    def faulty(request: Request) -> None:
        if request.round == SECOND and request.customer_id == "c-b":
            partner.truth[Key("c-b", "CFQ8", "0003", "P3Y/monthly")] = OFFERED

    partner.faulty = faulty
    run = await night(partner, 2)
    assert sorted((d.customer_id, d.flips, d.keys) for d in run.guard.doubted) == [
        ("c-a", 27, 32),
        ("c-b", 27, 32),
    ]
    assert kinds(partner, run) == {("no_longer_purchasable", True): 2 * 27 - 3}
    failed = partner.store.sql(
        "SELECT customer_id, product_id, sku_id FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert [tuple(check.values()) for check in failed] == [("c-b", "CFQ8", "0003")]


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
    assert kinds(partner, on_demand) == {("restriction_lifted", True): 30}
    assert kinds(partner, nightly) == {("restriction_lifted", False): 30}


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
        assert kinds(partner, await night(partner, 3)) == {("left_catalog", False): 30}


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
        assert kinds(partner, nightly) == {}
        assert pending_of(partner) == {""}


# Many buckets -------------------------------------------------------------------------------


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
    assert kinds(partner, run) == {("newly_restricted", True): 180}
    assert {one.customer_id for one in run.guard.doubted} == set(customers)


async def test_a_run_that_asks_nothing_doubts_nothing(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    partner.night(2)
    run = Run(partner)
    assert run.guard.questions([]) == []
    run.abandon()


# By country ---------------------------------------------------------------------------------

SHOWN = {"availability": "all", "segments": ("commercial", "nonprofit")}


def shown(count: int, state: State = OFFERED) -> dict[Key, State]:
    """Return a term of each of so many SKUs, for whoever is in the country."""
    return {Key("", "DZH1", f"{n:04}", "monthly"): state for n in range(count)}


async def by_country(folder: Path) -> Partner:
    partner = Partner(folder, many(A, 30) | shown(30))
    await night(partner, 1, rules=SHOWN)
    partner.asked.clear()
    assert len([key for key in partner.standing() if not key.customer]) == 30
    for key in shown(30):
        partner.truth[key] = WITHHELD
    return partner


async def test_a_country_is_a_cell_of_its_own(tmp_path: Path) -> None:
    partner = await by_country(tmp_path)
    run = await night(partner, 2, rules=SHOWN)
    assert kinds(partner, run) == {("no_longer_purchasable", True): 30}
    [doubt] = run.guard.doubted
    assert (doubt.subject, doubt.customer_id, doubt.country) == ("availability", "", "DE")
    run = await night(partner, 3, rules=SHOWN)
    assert kinds(partner, run) == {("no_longer_purchasable", False): 30}


async def test_what_turns_in_one_country_turns_in_no_other(tmp_path: Path) -> None:
    partner = Partner(tmp_path, shown(30) | many(A, 30))
    partner.countries = ("DE", "FR")
    await night(partner, 1, rules=SHOWN)

    def faulty(request: Request) -> None:
        state = WITHHELD if ("country", "DE") in request.params else OFFERED
        partner.truth.update(shown(30, state))

    partner.faulty = faulty
    run = await night(partner, 2, rules=SHOWN)
    [doubt] = run.guard.doubted
    assert (doubt.country, doubt.flips, doubt.keys) == ("DE", 30, 30)
    assert kinds(partner, run) == {("no_longer_purchasable", True): 30}


@pytest.mark.parametrize("place", [0, 1])
async def test_of_two_segments_of_a_check_one_that_fails_fails_it(
    tmp_path: Path, place: int
) -> None:
    partner = await by_country(tmp_path)

    def faulty(request: Request) -> Reply | None:
        again = [r.path for r in partner.asked if r.round == SECOND and r.path == request.path]
        if request.round == SECOND and len(again) == place + 1 and "/0007/" in request.path:
            return Reply(status=503, sent_at=partner.now)
        return None

    partner.faulty = faulty
    run = await night(partner, 2, rules=SHOWN)
    counts = kinds(partner, run)
    outcomes = partner.store.sql(
        "SELECT sku_id, outcome FROM current_check_outcome"
        " WHERE customer_id = '' AND outcome <> 'answered'"
    ).to_pylist()
    if counts == {("no_longer_purchasable", True): 30}:  # it was the segment without the term
        assert outcomes == []
    else:
        assert counts == {("no_longer_purchasable", True): 29}
        assert [tuple(row.values()) for row in outcomes] == [("0007", "failed")]


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
    assert kinds(partner, run) == {("newly_restricted", True): 30}


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
    assert kinds(partner, run) == {("newly_restricted", True): 30}


async def test_what_has_no_resource_type_there_is_not_believed(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    partner.faulty = gone_by_then
    run = await night(partner, 2)
    assert kinds(partner, run) == {}
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
    assert kinds(partner, run) == {("restriction_lifted", True): 30}
    quarantine = Quarantine()
    quarantine.settle([*run.checking.settled, *run.checking.again], run.body)
    [second] = [request for request in partner.asked if request.round == SECOND]
    assert quarantine.keys == {second.key()}


# The conservation law -----------------------------------------------------------------------


class Losing(Fetch):
    """Loses what became of the questions of one round."""

    lost = 0

    async def ask(
        self, questions: Iterable[Question | Unasked]
    ) -> AsyncGenerator[tuple[Settled, ...]]:
        async for parts in super().ask(questions):
            if all(part.question.round != self.lost for part in parts):
                yield parts


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
