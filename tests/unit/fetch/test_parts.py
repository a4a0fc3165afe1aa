"""Questions that are put again in parts, or by another method."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model import Outcome, Reply, Request, Settled
from auditor.normalize.inventory import DISAGREEING_DUPLICATES, MISMATCHED_ECHO
from tests.unit.fetch.test_fetch import (
    Answer,
    Server,
    ask,
    availability,
    error,
    inventory,
    item,
    poisoned,
    reply,
)

# Item by item ------------------------------------------------------------------------------


def parts_of(settled: Iterable[Settled]) -> dict[tuple[str, str], tuple[Outcome, str]]:
    """Return what became of each check, by product and SKU."""
    return {
        (check.product_id, check.sku_id): (part.outcome, part.reason)
        for part in settled
        for check in part.question.checks
    }


@pytest.mark.asyncio
async def test_of_a_product_a_sku_that_is_told_twice_is_a_failed_check_of_its_own() -> None:
    twice = [item("DZH1", "0002"), item("DZH1", "0002", restricted=True)]
    server = Server(reply(body=[item("DZH1", "0001"), *twice]))
    settled = await ask(server, inventory("DZH1"))
    assert parts_of(settled) == {
        ("DZH1", ""): (Outcome.ANSWERED, ""),
        ("DZH1", "0002"): (Outcome.FAILED, DISAGREEING_DUPLICATES),
    }
    assert {part.set_apart for part in settled} == {f"2 {DISAGREEING_DUPLICATES}"}
    assert {part.key for part in settled} == {settled[0].key}


@pytest.mark.asyncio
async def test_a_check_of_which_nothing_is_told_has_failed_and_no_other_of_its_call() -> None:
    """Row 25: an item for another product stands in the place of the missing one."""
    server = Server(reply(body=[item("DZH1", "0001"), item("DZH1", "0002"), item("DZH9", "0001")]))
    question = inventory("DZH1", "DZH2", "DZH3:0001")
    settled = await ask(server, question)
    assert parts_of(settled) == {
        ("DZH1", ""): (Outcome.ANSWERED, ""),
        ("DZH2", ""): (Outcome.FAILED, MISMATCHED_ECHO),
        ("DZH3", "0001"): (Outcome.FAILED, MISMATCHED_ECHO),
    }
    [answered] = [part for part in settled if part.outcome is Outcome.ANSWERED]
    assert answered.sent == question


# Halving ------------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "cause"), [(400, ""), (413, ""), (0, "timeout")])
async def test_a_batch_that_is_too_much_is_halved_until_the_bad_item_stands_alone(
    status: int, cause: str
) -> None:
    names = [f"P{n}" for n in range(8)]
    server = Server(poisoned(status, "P5", cause=cause))
    settled = await ask(server, inventory(*names))
    outcomes = {c.product_id: s.outcome for s in settled for c in s.question.checks}
    assert outcomes == {
        name: Outcome.FAILED if name == "P5" else Outcome.ANSWERED for name in names
    }
    assert len(server.asked) == 7


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "cause"), [(503, ""), (403, ""), (0, "reset"), (404, "")])
async def test_a_batch_that_fails_for_another_reason_is_not(status: int, cause: str) -> None:
    server = Server(poisoned(status, "P1", cause=cause))
    [settled] = await ask(server, inventory("P0", "P1"))
    assert (settled.outcome, len(server.asked)) == (Outcome.FAILED, 1)


@pytest.mark.asyncio
async def test_a_single_check_that_is_too_much_fails() -> None:
    server = Server(poisoned(400, "P1"))
    [settled] = await ask(server, inventory("P1"))
    assert (settled.outcome, settled.error_code) == (Outcome.FAILED, "400056")
    assert len(server.asked) == 1


@given(
    st.lists(st.sampled_from([f"P{n}" for n in range(30)]), min_size=1, unique=True),
    st.frozensets(st.sampled_from([f"P{n}" for n in range(30)])),
)
@settings(deadline=None, max_examples=50)
def test_halves_lose_no_check_and_double_none(names: list[str], bad: frozenset[str]) -> None:
    """P18: a bad item costs the logarithm of the batch, not its size."""
    server = Server(poisoned(400, *bad))
    settled = asyncio.run(ask(server, inventory(*names)))
    found = [c.product_id for s in settled for c in s.question.checks]
    assert sorted(found) == sorted(names)
    for part in settled:
        is_bad = any(check.product_id in bad for check in part.question.checks)
        assert (part.outcome is Outcome.FAILED) is is_bad
        assert len(part.question.checks) == 1 or not is_bad
    assert len(server.asked) <= 1 + 2 * len(bad.intersection(names)) * len(names).bit_length()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "code",
    ["2001", "800011", "800012", "800013", "800030", "900314", "900118", "20002"],
)
async def test_a_batch_whose_context_is_refused_is_not_halved(code: str) -> None:
    """No item is to blame, so asking for each by itself would be 2n - 1 refusals."""
    server = Server(error(400, code))
    [settled] = await ask(server, inventory("P0", "P1", "P2"))
    assert (settled.outcome, settled.error_code) == (Outcome.FAILED, code)
    assert len(server.asked) == 1


# GET, and POST where GET is refused ---------------------------------------------------------


def only(method: str) -> Answer:
    def answer(request: Request) -> Reply:
        return reply(body={"items": []}) if request.method == method else error(405, "405")

    return answer


@pytest.mark.asyncio
async def test_after_one_405_to_a_get_an_endpoint_is_posted_to() -> None:
    server = Server(only("POST"))
    settled = await ask(server, *[availability() for _ in range(3)], lifecycle=True)
    assert [request.method for request in server.asked] == ["GET", "POST", "POST", "POST"]
    assert {(r.path, r.params) for r in server.asked} == {
        (server.asked[0].path, (("IncludeLifeCycleState", "true"),))
    }
    assert {s.outcome for s in settled} == {Outcome.ANSWERED}
    assert settled[0].key == server.asked[1].key() != server.asked[0].key()


@pytest.mark.asyncio
async def test_an_endpoint_that_takes_neither_fails_its_checks() -> None:
    server = Server(only("PATCH"))
    settled = await ask(server, availability(), availability())
    assert [request.method for request in server.asked] == ["GET", "POST", "POST"]
    assert {(s.outcome, s.reason) for s in settled} == {(Outcome.FAILED, "http_405")}


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [404, 403, 501])
async def test_nothing_but_a_405_makes_a_post_of_a_get(status: int) -> None:
    server = Server(reply(status, {"code": "1", "description": "no"}))
    await ask(server, availability(), availability("", "DE"))
    assert {request.method for request in server.asked} == {"GET"}


@pytest.mark.asyncio
async def test_by_country_a_get_is_what_the_documents_say() -> None:
    server = Server(only("POST"))
    [settled] = await ask(server, availability("", "DE"))
    assert ([r.method for r in server.asked], settled.outcome) == (["GET"], Outcome.FAILED)
