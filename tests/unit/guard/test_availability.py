"""The mass-change guard for the terms of availabilities, by customer and by country (P6)."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from auditor.guard.mass_changes import Guard
from auditor.model import Reply, Request, Settled
from tests.builders.guard import (
    GONE,
    OFFERED,
    SECOND,
    WITHHELD,
    A,
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
    terms,
    turned,
)

pytestmark = pytest.mark.asyncio


# Availability -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "kind"), [(WITHHELD, "no_longer_purchasable"), (GONE, "left_catalog")]
)
async def test_a_mass_change_of_terms_is_held_back_and_then_confirmed(
    tmp_path: Path, state: State, kind: str
) -> None:
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, state)
    run = await night(partner, 2)
    assert kinds(run) == {(kind, True): 30}
    assert {state_of(row)[0] for row in partner.standing().values()} == {"purchasable"}
    assert pending_of(partner) == {state[0]}
    partner.faulty = lambda _: Reply(status=503, sent_at=partner.now)
    assert kinds(await night(partner, 3)) == {}
    partner.faulty = lambda _: None
    partner.asked.clear()
    run = await night(partner, 4)
    assert set(rounds(partner)) == {0}
    assert kinds(run) == {(kind, False): 30}
    assert {state_of(row)[0] for row in partner.standing().values()} == {state[0]}
    assert pending_of(partner) == {""}


async def test_terms_with_the_old_answer_drop_the_pending_change(tmp_path: Path) -> None:
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, GONE)
    await night(partner, 2)
    turned(partner, OFFERED)
    assert kinds(await night(partner, 3)) == {}
    assert pending_of(partner) == {""}


async def test_a_404_that_is_answered_twice_is_suspect(tmp_path: Path) -> None:
    partner = await known(tmp_path, terms(A, 30))
    gone = Reply(status=404, body=b'{"code":400013,"description":"no"}', sent_at=partner.now)
    partner.faulty = lambda request: None if "inventory" in request.endpoint else gone
    run = await night(partner, 2)
    assert kinds(run) == {("left_catalog", True): 30}


@pytest.mark.parametrize("state", [GONE, WITHHELD])
async def test_a_second_question_that_fails_confirms_no_term(tmp_path: Path, state: State) -> None:
    """A missing term is an answer only if the second question was answered."""
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, state)
    failed = Reply(status=503, sent_at=partner.now)
    partner.faulty = lambda request: failed if request.round == SECOND else None
    run = await night(partner, 2)
    assert kinds(run) == {}
    assert pending_of(partner) == {""}
    assert published(run).checks.failed == 6


async def test_one_term_answered_differently_fails_its_whole_check(tmp_path: Path) -> None:
    """A check has one outcome for all its terms, so its other terms are carried too."""
    partner = await known(tmp_path, terms(A, 30))
    turned(partner, GONE)

    def faulty(request: Request) -> None:
        if request.round == SECOND and "/0000/" in request.path:
            partner.truth[Key(A, "CFQ7", "0000", "cycle3")] = OFFERED

    partner.faulty = faulty
    run = await night(partner, 2)
    assert kinds(run) == {("left_catalog", True): 25}
    [check] = partner.store.sql(
        "SELECT sku_id, reason FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert tuple(check.values()) == ("0000", "unstable")


async def test_terms_that_differ_in_one_part_of_the_key_are_kept_apart(tmp_path: Path) -> None:
    """27 of 32 terms of two customers flip; one check of one of them is answered differently."""
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
    assert kinds(run) == {("no_longer_purchasable", True): 2 * 27 - 3}
    failed = partner.store.sql(
        "SELECT customer_id, product_id, sku_id FROM current_check_outcome WHERE outcome = 'failed'"
    ).to_pylist()
    assert [tuple(check.values()) for check in failed] == [("c-b", "CFQ8", "0003")]


# By country ---------------------------------------------------------------------------------

SHOWN = {"availability": "all", "segments": ("commercial", "nonprofit")}


def shown(count: int, state: State = OFFERED) -> dict[Key, State]:
    """Return one term by country for each of `count` SKUs."""
    return {Key("", "DZH1", f"{n:04}", "monthly"): state for n in range(count)}


async def by_country(folder: Path) -> Partner:
    partner = Partner(folder, many(A, 30) | shown(30))
    await night(partner, 1, rules=SHOWN)
    partner.asked.clear()
    assert len([key for key in partner.standing() if not key.customer]) == 30
    for key in shown(30):
        partner.truth[key] = WITHHELD
    return partner


async def test_the_terms_of_a_country_are_counted_as_their_own_cell(tmp_path: Path) -> None:
    partner = await by_country(tmp_path)
    run = await night(partner, 2, rules=SHOWN)
    assert kinds(run) == {("no_longer_purchasable", True): 30}
    [doubt] = run.guard.doubted
    assert (doubt.subject, doubt.customer_id, doubt.country) == ("availability", "", "DE")
    run = await night(partner, 3, rules=SHOWN)
    assert kinds(run) == {("no_longer_purchasable", False): 30}


async def test_flips_in_one_country_are_not_counted_in_another(tmp_path: Path) -> None:
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
    assert kinds(run) == {("no_longer_purchasable", True): 30}


class EitherWay(Guard):
    """A guard that checks that the order of the second answers changes nothing."""

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        found = [*super().believed(settled, second)]
        assert found == [*super().believed(settled, second[::-1])]
        return iter(found)


@pytest.mark.parametrize("segments", [("commercial", "nonprofit"), ("nonprofit", "commercial")])
async def test_one_failed_segment_of_two_fails_the_check(
    tmp_path: Path, segments: tuple[str, ...]
) -> None:
    """In either order of the segments; the other segment's answer has no terms."""
    partner = await by_country(tmp_path)

    def faulty(request: Request) -> Reply | None:
        is_there = "/0007/" in request.path and "nonprofit" not in str(request.params).lower()
        if request.round == SECOND and is_there:
            return Reply(status=503, sent_at=partner.now)
        return None

    partner.faulty = faulty
    run = await night(partner, 2, rules={**SHOWN, "segments": segments}, guard=EitherWay)
    assert kinds(run) == {("no_longer_purchasable", True): 29}
    outcomes = partner.store.sql(
        "SELECT DISTINCT sku_id, outcome, reason FROM current_check_outcome"
        " WHERE customer_id = '' AND outcome <> 'answered'"
    ).to_pylist()
    assert [tuple(row.values()) for row in outcomes] == [("0007", "failed", "http_503")]


async def test_a_segment_that_failed_in_the_first_round_is_not_asked_again(tmp_path: Path) -> None:
    partner = await by_country(tmp_path)

    def faulty(request: Request) -> Reply | None:
        is_other = "nonprofit" in str(request.params).lower()
        return Reply(status=503, sent_at=partner.now) if is_other else None

    partner.faulty = faulty
    await night(partner, 2, rules=SHOWN)
    again = [str(r.params).lower() for r in partner.asked if r.round == SECOND]
    assert len(again) == 30
    assert not [params for params in again if "nonprofit" in params]
