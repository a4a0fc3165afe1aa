"""A token that is refused, renewed, or cannot be had."""

from collections.abc import Callable

import pytest

from auditor.errors import Unauthorized, Unreachable
from auditor.partner_center.tokens import PAUSE_S, Grant, RenewedToken
from auditor.secret import Secret
from tests.service.partner_center.test_transport_retries import ASK, serving


class Credential:
    """A token endpoint that numbers its tokens."""

    def __init__(self, clock: Callable[[], float] = lambda: 0.0) -> None:
        self.given = 0
        self.is_down = False
        self.source = RenewedToken(self.fetch, clock=clock)

    async def fetch(self) -> Grant:
        if self.is_down and self.given:
            raise Unreachable("down")
        self.given += 1
        return Grant(token=Secret(f"t{self.given}"), lasts_s=3600)


@pytest.mark.asyncio
async def test_a_401_is_tried_once_with_another_token() -> None:
    """P22."""
    async with serving([(401, {}), (200, {})], tokens=Credential().source) as (transport, seen, _):
        reply = await transport.send(ASK)

    assert (reply.status, reply.attempts) == (200, 2)
    assert seen.header("Authorization") == ["Bearer t1", "Bearer t2"]


@pytest.mark.asyncio
async def test_a_401_that_stays_is_an_answer_and_costs_no_more_tokens() -> None:
    """P22."""
    credential = Credential()
    async with serving([(401, {})], tokens=credential.source) as (transport, seen, _):
        replies = [await transport.send(ASK) for _ in range(20)]

    assert {reply.status for reply in replies} == {401}
    assert credential.given == 2
    assert len(seen.requests) == 21


@pytest.mark.asyncio
async def test_a_401_on_a_given_token_is_an_answer() -> None:
    async with serving([(401, {})]) as (transport, seen, _):
        assert (await transport.send(ASK)).status == 401

    assert len(seen.requests) == 1


@pytest.mark.asyncio
async def test_a_401_while_no_token_can_be_had_is_an_answer() -> None:
    now = 0.0
    credential = Credential(lambda: now)
    async with serving([(401, {})], tokens=credential.source) as (transport, seen, _):
        credential.is_down = True
        await transport.send(ASK)
        credential.is_down = False
        now = PAUSE_S
        assert (await transport.send(ASK)).status == 401

    assert len(seen.requests) == 3


class Refusing:
    """A token source that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def token(self) -> Secret:
        raise self.error

    async def refreshed(self, rejected: Secret) -> Secret | None:
        assert rejected
        raise self.error


@pytest.mark.asyncio
async def test_a_refused_credential_passes_through() -> None:
    async with serving([(200, {})], tokens=Refusing(Unauthorized("no"))) as (transport, seen, _):
        with pytest.raises(Unauthorized):
            await transport.send(ASK)

    assert seen.requests == []


@pytest.mark.asyncio
async def test_a_token_that_cannot_be_had_is_no_reply() -> None:
    async with serving([(200, {})], tokens=Refusing(Unreachable("down"))) as (transport, seen, _):
        reply = await transport.send(ASK)

    assert (reply.status, reply.cause, reply.attempts) == (0, "token", 3)
    assert len(seen.requests) == 0
