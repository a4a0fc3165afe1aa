"""The mass-change guard: which keys are asked again, and which answers are accepted (P6)."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.guard.mass_changes import Doubted
from auditor.model import Reply, Request, bucket_of
from auditor.scope.found import Gone
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
    State,
    kinds,
    known,
    many,
    night,
    pending_of,
    published,
    rounds,
    state_of,
    targets,
    terms,
    turned,
)

pytestmark = pytest.mark.asyncio


# The keys that are asked again --------------------------------------------------------------


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
async def test_more_than_20_flips_and_more_than_a_fifth_are_asked_again(
    tmp_path: Path,
    flips: int,
    of: int,
    is_doubted: bool,
) -> None:
    """P6: 20 keys are not more than 20, and 21 of 105 are not more than 20 %."""
    partner = await known(tmp_path, many(A, of, OPEN))
    turned(partner, SHUT, flips)
    run = await night(partner, 2)
    assert (SECOND in rounds(partner)) is is_doubted
    assert kinds(run) == {("newly_restricted", is_doubted): flips}
    doubt = Doubted(subject="inventory", customer_id=A, country="DE", flips=flips, keys=of)
    assert run.guard.doubted == ([doubt] if is_doubted else [])


async def test_a_first_answer_is_not_counted_as_a_flip(tmp_path: Path) -> None:
    partner = Partner(tmp_path, many(A, 30))
    await night(partner, 1)
    assert set(rounds(partner)) == {0}


async def test_a_change_of_reasons_is_not_a_flip(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, ("restricted", "QuotaId", "westeurope"))
    run = await night(partner, 2)
    assert set(rounds(partner)) == {0}
    assert kinds(run) == {("restriction_changed", False): 30}


async def test_a_return_to_the_catalog_is_not_a_flip(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, GONE))
    turned(partner, SHUT)
    run = await night(partner, 2)
    assert set(rounds(partner)) == {0}
    assert kinds(run) == {("entered_catalog", False): 30}


async def test_each_customer_is_counted_separately(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN) | many(B, 30, OPEN))
    turned(partner, SHUT, 15, A)
    turned(partner, SHUT, 15, B)
    run = await night(partner, 2)
    assert kinds(run) == {("newly_restricted", False): 30}


@pytest.mark.parametrize(
    ("of", "state", "kind"),
    [(many, SHUT, "newly_restricted"), (terms, WITHHELD, "no_longer_purchasable")],
)
async def test_answers_of_another_customer_than_the_doubted_one_are_accepted(
    tmp_path: Path, of: Callable[..., dict[Key, State]], state: State, kind: str
) -> None:
    """The two share a bucket, but the doubt concerns only one of them."""
    beside = "c-c"
    assert bucket_of(B, 2) == bucket_of(beside, 2)
    start = {SHUT: OPEN, WITHHELD: OFFERED}[state]
    partner = await known(tmp_path, of(B, 30, start) | of(beside, 30, start))
    turned(partner, state, customer=B)
    turned(partner, state, 5, beside)
    run = await night(partner, 2)
    assert {r.customer_id for r in partner.asked if r.round == SECOND} == {B}
    assert kinds(run) == {(kind, True): 30, (kind, False): 5}


async def test_answers_of_another_country_than_the_doubted_one_are_accepted(tmp_path: Path) -> None:
    partner = Partner(tmp_path, many(A, 30, OPEN))
    partner.countries = ("DE", "FR")
    await night(partner, 1)

    def faulty(request: Request) -> None:
        turned(partner, OPEN)
        turned(partner, SHUT, 30 if ("country", "DE") in request.params else 5)

    partner.faulty = faulty
    run = await night(partner, 2)
    assert kinds(run) == {("newly_restricted", True): 30, ("newly_restricted", False): 5}


async def test_inventory_and_availability_are_counted_separately(tmp_path: Path) -> None:
    """By customer they are different cells, so the same holds by country; see below."""
    partner = await known(tmp_path, many(A, 15, OPEN) | terms(A, 15))
    turned(partner, SHUT, 15)
    for key in partner.keys(A)[15:]:
        partner.truth[key] = WITHHELD
    await night(partner, 2)
    assert set(rounds(partner)) == {0}


async def test_only_checks_with_flipped_keys_are_asked_again(tmp_path: Path) -> None:
    """The flips are in product DZH1. DZH2 is in the same batch; customer B has its own batch."""
    truth = many(A, 30, OPEN) | many(A, 2, OPEN, "DZH2") | many(B, 30, OPEN)
    partner = await known(tmp_path, truth)
    turned(partner, SHUT, 30)
    run = await night(partner, 2)
    [again] = [request for request in partner.asked if request.round == SECOND]
    assert {(key.customer, key.product) for key in targets(again, partner.truth)} == {(A, "DZH1")}
    assert kinds(run) == {("newly_restricted", True): 30}


async def test_skus_that_left_the_catalog_are_not_counted(tmp_path: Path) -> None:
    """They are no longer asked about, and each is one change of the catalog."""
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
    assert kinds(run) == {("left_catalog", False): 29}
    assert {row["subject"] for row in partner.changes()} == {"catalog"}


# The second answers -------------------------------------------------------------------------


async def test_a_flip_answered_twice_is_suspect_and_the_old_verdict_is_kept(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    before = partner.standing()
    turned(partner, OPEN)
    run = await night(partner, 2)
    assert kinds(run) == {("restriction_lifted", True): 30}
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


async def test_the_same_answer_on_the_next_night_makes_the_change(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    await night(partner, 2)
    partner.asked.clear()
    run = await night(partner, 3)
    assert set(rounds(partner)) == {0}
    assert kinds(run) == {("restriction_lifted", False): 30}
    assert published(run).changes == {"restriction_lifted": 30}
    rows = [row for row in partner.changes() if row["snapshot_id"] == run.snapshot_id]
    assert {row["gap_snapshots"] for row in rows} == {1}
    assert {state_of(row) for row in partner.standing().values()} == {OPEN}
    ids = [row["event_id"] for row in partner.changes()]
    assert len(set(ids)) == len(ids) == 60
    calm = await night(partner, 4)
    assert kinds(calm) == {}


async def test_the_old_answer_on_the_next_night_drops_the_pending_change(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    await night(partner, 2)
    turned(partner, SHUT)
    run = await night(partner, 3)
    assert kinds(run) == {}
    assert pending_of(partner) == {""}
    turned(partner, OPEN)
    again = await night(partner, 4)
    assert kinds(again) == {("restriction_lifted", True): 30}


async def test_a_third_verdict_on_the_next_night_is_doubted_too(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, GONE)
    await night(partner, 2)
    turned(partner, SHUT)
    run = await night(partner, 3)
    assert kinds(run) == {("newly_restricted", True): 30}
    assert pending_of(partner) == {"restricted"}


@pytest.mark.parametrize("reason", [("QuotaId", "westeurope"), (SHUT[1], "NorthEurope")])
async def test_the_same_verdict_for_another_reason_is_another_answer(
    tmp_path: Path, reason: tuple[str, str]
) -> None:
    partner = await known(tmp_path, many(A, 30, OPEN))
    turned(partner, SHUT)
    await night(partner, 2)
    partner.asked.clear()
    turned(partner, ("restricted", *reason))
    run = await night(partner, 3)
    assert SECOND in rounds(partner)
    assert kinds(run) == {("newly_restricted", True): 30}
    turned(partner, ("restricted", reason[0].lower(), reason[1].upper()))
    last = await night(partner, 4)
    assert kinds(last) == {("newly_restricted", False): 30}


async def test_a_pending_change_stays_pending_without_an_answer(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    second = await night(partner, 2)
    partner.faulty = lambda _: Reply(status=503, sent_at=partner.now)
    assert kinds(await night(partner, 3)) == {}
    waiting = partner.store.sql("SELECT DISTINCT pending_snapshot_id AS s FROM current_inventory")
    assert waiting.column("s").to_pylist() == [second.snapshot_id]
    partner.faulty = lambda _: None
    assert kinds(await night(partner, 4)) == {("restriction_lifted", False): 30}


async def test_a_different_second_answer_fails_the_check(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    partner.faulty = lambda request: None if request.round == SECOND else b"[]"
    run = await night(partner, 2)
    assert kinds(run) == {}
    assert pending_of(partner) == {""}
    assert {row["checked_snapshot_id"] for row in partner.standing().values()} != {run.snapshot_id}
    checks = partner.store.sql(
        "SELECT outcome, reason, sku_id FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [("failed", "unstable", "")]
    assert published(run).checks.failed == 1


async def test_only_the_skus_that_are_answered_differently_fail(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN, 29)

    def faulty(request: Request) -> bytes | None:
        if request.round != SECOND:
            return None
        items = [
            {"productId": k.product, "skuId": k.sku, "isRestricted": False, "restrictions": []}
            for k in partner.truth
            if k.sku > "0004"
        ]
        return json.dumps(items).encode()

    partner.faulty = faulty
    run = await night(partner, 2)
    assert kinds(run) == {("restriction_lifted", True): 24}
    checks = partner.store.sql(
        "SELECT sku_id, outcome, reason FROM current_check_outcome WHERE kind = 'inventory'"
        " ORDER BY sku_id"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [
        ("", "answered", ""),
        *((f"000{n}", "failed", "unstable") for n in range(5)),
    ]
    rows = {key.sku: row for key, row in partner.standing().items()}
    assert rows["0029"]["checked_snapshot_id"] == run.snapshot_id  # this SKU did not flip
    assert partner.store.arrow("latest_restriction").num_rows == 30


async def test_the_other_checks_of_a_batch_stay_answered(tmp_path: Path) -> None:
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


async def test_a_failed_second_question_keeps_the_known_verdict(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    failed = Reply(status=503, cause="", sent_at=partner.now)
    partner.faulty = lambda request: failed if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(run) == {}
    assert {state_of(row) for row in partner.standing().values()} == {SHUT}
    [check] = partner.store.sql(
        "SELECT outcome, reason, http_status FROM current_check_outcome WHERE kind = 'inventory'"
    ).to_pylist()
    assert tuple(check.values()) == ("failed", "http_503", 503)


async def test_keys_that_the_second_reply_leaves_unanswered_fail(tmp_path: Path) -> None:
    partner = await known(tmp_path, many(A, 30))
    turned(partner, OPEN)
    spoiled = [
        {"productId": "DZH1", "skuId": f"{n:04}", "isRestricted": False if n else "?"}
        for n in range(30)
    ]
    body = json.dumps(spoiled).encode()
    partner.faulty = lambda request: body if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(run) == {("restriction_lifted", True): 29}
    checks = partner.store.sql(
        "SELECT sku_id, reason FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert [tuple(c.values()) for c in checks] == [("0000", "spoiled_item")]


@pytest.mark.parametrize("body", [b"[]", b"", b" \r\n"])
async def test_an_empty_body_lifts_no_restriction_in_one_night(tmp_path: Path, body: bytes) -> None:
    """P6."""
    partner = await known(tmp_path, many(A, 30) | many(B, 30))
    partner.faulty = lambda _: body
    run = await night(partner, 2)
    assert not [kind for kind, suspect in kinds(run) if not suspect]
    assert {state_of(row) for row in partner.standing().values()} == {SHUT}
    partner.faulty = lambda _: None
    run = await night(partner, 3)
    assert kinds(run) == {}
    assert pending_of(partner) == {""}
