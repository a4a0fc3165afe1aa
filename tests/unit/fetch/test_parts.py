"""Questions that are asked again in parts, or with another HTTP method."""

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
    refusing,
    reply,
)

# Item by item ------------------------------------------------------------------------------


def parts_of(settled: Iterable[Settled]) -> dict[tuple[str, str], tuple[Outcome, str]]:
    """Return the outcome and the reason of each check, by product and SKU."""
    return {
        (check.product_id, check.sku_id): (part.outcome, part.reason)
        for part in settled
        for check in part.question.checks
    }


@pytest.mark.asyncio
async def test_a_sku_with_disagreeing_items_is_its_own_failed_check() -> None:
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
async def test_a_check_without_items_beside_a_foreign_one_has_failed() -> None:
    """Row 25: the reply has an item of another product in its place. Other checks are answered."""
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
async def test_a_refused_batch_is_halved_until_the_bad_item_is_alone(
    status: int, cause: str
) -> None:
    names = [f"P{n}" for n in range(8)]
    server = Server(refusing(status, "P5", cause=cause))
    settled = await ask(server, inventory(*names))
    outcomes = {c.product_id: s.outcome for s in settled for c in s.question.checks}
    assert outcomes == {
        name: Outcome.FAILED if name == "P5" else Outcome.ANSWERED for name in names
    }
    assert len(server.asked) == 7


@pytest.mark.asyncio
@pytest.mark.parametrize(("status", "cause"), [(503, ""), (403, ""), (0, "reset"), (404, "")])
async def test_a_batch_that_fails_otherwise_is_not_halved(status: int, cause: str) -> None:
    server = Server(refusing(status, "P1", cause=cause))
    [settled] = await ask(server, inventory("P0", "P1"))
    assert (settled.outcome, len(server.asked)) == (Outcome.FAILED, 1)


@pytest.mark.asyncio
async def test_a_single_check_that_is_refused_fails() -> None:
    server = Server(refusing(400, "P1"))
    [settled] = await ask(server, inventory("P1"))
    assert (settled.outcome, settled.error_code) == (Outcome.FAILED, "400056")
    assert len(server.asked) == 1


@given(
    st.lists(st.sampled_from([f"P{n}" for n in range(30)]), min_size=1, unique=True),
    st.frozensets(st.sampled_from([f"P{n}" for n in range(30)])),
)
@settings(deadline=None, max_examples=50)
def test_halving_loses_no_check_and_repeats_none(names: list[str], bad: frozenset[str]) -> None:
    """P18: a bad item costs the logarithm of the batch, not its size."""
    server = Server(refusing(400, *bad))
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
    """No item is the cause, so halving would only give 2n - 1 refusals."""
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
async def test_after_one_405_to_a_get_the_endpoint_is_asked_by_post() -> None:
    server = Server(only("POST"))
    settled = await ask(server, *[availability() for _ in range(3)], lifecycle=True)
    assert [request.method for request in server.asked] == ["GET", "POST", "POST", "POST"]
    assert {(r.path, r.params) for r in server.asked} == {
        (server.asked[0].path, (("IncludeLifeCycleState", "true"),))
    }
    assert {s.outcome for s in settled} == {Outcome.ANSWERED}
    assert settled[0].key == server.asked[1].key() != server.asked[0].key()


@pytest.mark.asyncio
async def test_an_endpoint_that_refuses_get_and_post_fails_its_checks() -> None:
    server = Server(only("PATCH"))
    settled = await ask(server, availability(), availability())
    assert [request.method for request in server.asked] == ["GET", "POST", "POST"]
    assert {(s.outcome, s.reason) for s in settled} == {(Outcome.FAILED, "http_405")}


@pytest.mark.asyncio
@pytest.mark.parametrize("status", [404, 403, 501])
async def test_only_a_405_changes_a_get_to_a_post(status: int) -> None:
    server = Server(reply(status, {"code": "1", "description": "no"}))
    await ask(server, availability(), availability("", "DE"))
    assert {request.method for request in server.asked} == {"GET"}


@pytest.mark.asyncio
async def test_by_country_only_get_is_used_as_documented() -> None:
    server = Server(only("POST"))
    [settled] = await ask(server, availability("", "DE"))
    assert ([r.method for r in server.asked], settled.outcome) == (["GET"], Outcome.FAILED)
