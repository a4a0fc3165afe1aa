"""There is one token at a time. It is renewed before it ends, and not at every refusal."""

import asyncio

import pytest

from auditor.errors import Unauthorized, Unreachable
from auditor.partner_center.tokens import PAUSE_S, GivenToken, Grant, RenewedToken
from auditor.secret import Secret


class Endpoint:
    """Gives numbered tokens, so slowly that several callers wait at once."""

    def __init__(self, lasts_s: float = 3600) -> None:
        self.now = 0.0
        self.asked = 0
        self.lasts_s = lasts_s
        self.is_down = False
        self.is_refusing = False

    def clock(self) -> float:
        return self.now

    async def fetch(self) -> Grant:
        self.asked += 1
        for _ in range(5):
            await asyncio.sleep(0)
        if self.is_down:
            raise Unreachable("token endpoint")
        if self.is_refusing:
            raise Unauthorized("invalid_client")
        return Grant(token=Secret(f"t{self.asked}"), lasts_s=self.lasts_s)


@pytest.mark.asyncio
async def test_fifty_waiters_cost_one_token() -> None:
    """P22."""
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)

    tokens = await asyncio.gather(*(source.token() for _ in range(50)))

    assert {t.reveal() for t in tokens} == {"t1"}
    assert endpoint.asked == 1


@pytest.mark.asyncio
async def test_fifty_refusals_cost_one_token() -> None:
    """P22."""
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)
    old = await source.token()

    newer = await asyncio.gather(*(source.refreshed(old) for _ in range(50)))

    assert {t.reveal() for t in newer if t} == {"t2"}
    assert endpoint.asked == 2


@pytest.mark.asyncio
async def test_a_token_is_renewed_before_it_ends() -> None:
    """P22: five minutes before."""
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)

    seen = []
    for endpoint.now in (0, 3299, 3300, 3301):
        seen.append((await source.token()).reveal())

    assert seen == ["t1", "t1", "t2", "t2"]


@pytest.mark.asyncio
async def test_a_short_token_is_not_renewed_for_every_call() -> None:
    endpoint = Endpoint(lasts_s=60)
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)

    for endpoint.now in (0, 10, 20):
        await source.token()

    assert endpoint.asked == 1


@pytest.mark.asyncio
async def test_a_refused_fresh_token_is_not_renewed() -> None:
    """P22: otherwise a thousand customers that refuse us would cost a thousand tokens."""
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)
    first = await source.token()
    second = await source.refreshed(first)
    assert second is not None

    assert await source.refreshed(second) is None

    endpoint.now = 301
    assert await source.refreshed(second) is not None


@pytest.mark.asyncio
async def test_an_endpoint_that_was_down_is_asked_again_after_a_pause() -> None:
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)
    first = await source.token()
    endpoint.is_down = True
    with pytest.raises(Unreachable):
        await source.refreshed(first)

    endpoint.is_down = False
    endpoint.now = PAUSE_S
    assert await source.refreshed(first) is not None


@pytest.mark.asyncio
@pytest.mark.parametrize(("fault", "error"), [("down", Unreachable), ("refusing", Unauthorized)])
async def test_fifty_waiters_ask_once_when_no_token_is_given(
    fault: str, error: type[Exception]
) -> None:
    """P22: an endpoint that is down gets no flood; a refused credential is not tried again."""
    endpoint = Endpoint()
    setattr(endpoint, f"is_{fault}", True)
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)

    found = await asyncio.gather(*(source.token() for _ in range(50)), return_exceptions=True)

    assert {type(each) for each in found} == {error}
    assert endpoint.asked == 1


@pytest.mark.asyncio
async def test_a_refused_credential_is_never_tried_again() -> None:
    """P22."""
    endpoint = Endpoint()
    endpoint.is_refusing = True
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)

    for endpoint.now in (0, 1e6):
        with pytest.raises(Unauthorized):
            await source.token()

    assert endpoint.asked == 1


@pytest.mark.asyncio
async def test_a_valid_token_is_used_while_the_endpoint_is_down() -> None:
    endpoint = Endpoint()
    source = RenewedToken(endpoint.fetch, clock=endpoint.clock)
    first = await source.token()
    endpoint.is_down = True

    for endpoint.now in (3300, 3599):
        assert await source.token() == first

    endpoint.now = 3620
    with pytest.raises(Unreachable):
        await source.token()


@pytest.mark.asyncio
async def test_a_given_token_cannot_be_renewed() -> None:
    source = GivenToken(Secret("made elsewhere"))

    assert await source.token() == Secret("made elsewhere")
    assert await source.refreshed(await source.token()) is None
