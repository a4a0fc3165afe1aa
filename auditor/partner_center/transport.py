"""Sends one request, paced and with limited retries, and returns one reply, even for a fault.

The library below does not retry, follow a redirect or read the environment, so the server sees
exactly the requests that the pacer started. No header, token or library error leaves this module.
"""

import asyncio
import io
import random as randomness
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Self
from urllib.parse import quote, urlencode, urlsplit
from uuid import uuid4

import aiohttp
import msgspec
from yarl import URL

from auditor.errors import Does, Retryable, SettingsError
from auditor.https import is_loopback, trusted
from auditor.model import Reply, Request
from auditor.partner_center import retry, transport_errors
from auditor.partner_center.breaker import Breakers, Patience, Ticket
from auditor.partner_center.error_table import ErrorMeaning, row_of
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.token_echo import Echo
from auditor.partner_center.tokens import TokenSource
from auditor.secret import Secret

UNAUTHORIZED = 401
TOO_MANY_REQUESTS = 429
LARGE_BODY = 2 * 2**20
LARGE_AT_ONCE = 2
"""How many bodies above `LARGE_BODY` are read at the same time: promise P25."""
MOST_BLOWN_UP = 200
"""The most bytes that one compressed byte may become: with repetitive JSON it is fifty."""
_ID = re.compile(r"[0-9A-Za-z._-]{1,64}")


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long one attempt may take once it is sent; the wait in the queue does not count."""

    connect_s: float = 10.0
    total_s: float = 60.0


class _Received(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one attempt."""

    status: int = 0
    body: bytes = b""
    cause: str = ""
    request_id: str = ""
    correlation_id: str = ""
    retry_after: str | None = None


class _Call:
    """One call in flight, attempt by attempt."""

    def __init__(self, correlation_id: str, now: datetime) -> None:
        self.correlation_id = correlation_id
        self.request_id = ""
        """The id of this attempt; if no reply comes, the next attempt has the same id."""
        self.sent_at = now
        self.attempts = 0
        self.throttled = 0
        self.waited_s = 0.0
        self.token: Secret | None = None
        self.was_refreshed = False
        self.received = _Received(cause="deadline")

    @property
    def spent(self) -> int:
        """The attempts that count: a 429 does not."""
        return self.attempts - self.throttled

    def reply(self, cause: str = "") -> Reply:
        got = self.received
        return Reply(
            status=got.status,
            body=got.body,
            cause=cause or got.cause,
            request_id=got.request_id,
            correlation_id=got.correlation_id or self.correlation_id,
            attempts=self.attempts,
            throttled=self.throttled,
            sent_at=self.sent_at,
        )

    def refused_by_breaker(self) -> Reply:
        """Return the last reply; without one, a reply with the cause `breaker`."""
        return self.reply("" if self.attempts else "breaker")

    def past_deadline(self) -> Reply:
        """Return the last reply; without one, a reply with the cause `deadline`."""
        return self.reply("throttled" if self.received.status == TOO_MANY_REQUESTS else "")


class Transport:
    """Sends the requests of one partner. `Unauthorized` from its token source passes through."""

    def __init__(
        self,
        base_url: str,
        token_source: TokenSource,
        pacer: Pacer,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[], float] = randomness.random,
        ids: Callable[[], str] = lambda: str(uuid4()),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - a frozen value
        patience: Patience = Patience(),  # noqa: B008 - a frozen value
        deadline: float | None = None,
        budget: retry.RetryBudget | None = None,
        proxy: str = "",
        ca_file: str = "",
        max_body: int = 32 * 2**20,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        self._tokens = token_source
        self._pacer = pacer
        self._clock = clock
        self._now = now
        self._random = random
        self._ids = ids
        self._sleep = sleep
        self._timeouts = timeouts
        self._breakers = Breakers(clock, sleep, patience)
        self._deadline = deadline
        self._budget = budget or retry.RetryBudget()
        self._proxy = proxy
        self._ca_file = ca_file
        self._max_body = max_body
        self._large = asyncio.Semaphore(LARGE_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._echo = Echo(Secret(""))

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            # No limit here: the pacer limits the connections and queues the calls.
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted(self._ca_file)),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._timeouts.connect_s),
            trust_env=False,
            middlewares=(transport_errors.once,),
        )
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def send(self, request: Request) -> Reply:
        """Return the final reply after all retries; without one, status 0 and a cause."""
        call = _Call(self._ids(), self._now())
        left = self._left()
        if left is not None and left <= 0:
            return call.past_deadline()
        self._budget.first()
        try:
            async with asyncio.timeout(left):
                return await self._send(request, call)
        except TimeoutError:
            return call.past_deadline()

    async def _send(self, request: Request, call: _Call) -> Reply:
        while True:
            ticket = await self._breakers.ticket(request.endpoint, request.customer_id, call.spent)
            if ticket is None:
                return call.refused_by_breaker()
            got = await self._paced(request, call, ticket)
            if got is None:
                continue
            if got.status == TOO_MANY_REQUESTS:
                if call.waited_s > retry.LONGEST_WAIT_S or call.throttled > retry.MOST_WAITS:
                    self._breakers.gave_up(request.endpoint, request.customer_id)
                    return call.reply("throttled")
            elif got.status == UNAUTHORIZED:
                if not await self._refresh(call):
                    return call.reply()
            elif not await self._back_off(request, call):
                return call.reply()

    async def _paced(self, request: Request, call: _Call, ticket: Ticket) -> _Received | None:
        """Make an attempt when the pacer starts it; None if a breaker opened meanwhile."""
        async with self._pacer.slot(request.api_class, request.customer_id) as turn:
            left = self._left()
            if left is not None and left <= 0:
                raise TimeoutError
            if not self._breakers.still_holds(ticket, request.endpoint, request.customer_id):
                return None
            call.received = await self._attempt(request, call)
            if call.received.status == TOO_MANY_REQUESTS:
                turn.throttled(self._retry_after_s(call))
            return call.received

    def _retry_after_s(self, call: _Call) -> float:
        """Return the wait that a 429 asks for; count the 429 and the wait."""
        requested_s = retry.retry_after_s(call.received.retry_after, self._now())
        wait_s = retry.DEFAULT_WAIT_S if requested_s is None else requested_s
        wait_s = min(wait_s, retry.LONGEST_WAIT_S)
        call.throttled += 1
        call.waited_s += wait_s
        return wait_s

    async def _refresh(self, call: _Call) -> bool:
        """Get another token for one more attempt; this succeeds at most once for each call."""
        if call.was_refreshed or call.token is None:
            return False
        call.was_refreshed = True
        try:
            newer = await self._tokens.refreshed(call.token)
        except Retryable:
            return False
        if newer is None:
            return False
        self._budget.spend()
        return True

    async def _back_off(self, request: Request, call: _Call) -> bool:
        """Wait before the next attempt; False if there is none."""
        got = call.received
        if Does.RETRIED not in _row(request, got).does:
            return False
        if call.spent >= retry.ATTEMPTS or not self._budget.allows():
            return False
        requested_s = retry.retry_after_s(got.retry_after, self._now()) or 0.0
        backoff_s = retry.backoff_s(call.spent, self._random)
        await self._sleep(max(backoff_s, min(requested_s, retry.LONGEST_BACKOFF_S)))
        return True

    async def _attempt(self, request: Request, call: _Call) -> _Received:
        try:
            call.token = await self._tokens.token()
        except Retryable:
            call.attempts += 1
            return _Received(cause="token")
        call.sent_at = self._now()
        call.attempts += 1
        call.request_id = call.request_id or self._ids()
        try:
            async with asyncio.timeout(self._timeouts.total_s):
                got = await self._exchange(request, call)
        except transport_errors.FAULTS as exc:
            got = _Received(cause=transport_errors.cause_of(exc), request_id=call.request_id)
        else:
            call.request_id = ""
        self._report_to_breakers(request, got)
        return got

    def _report_to_breakers(self, request: Request, got: _Received) -> None:
        """Report a success or a failure; a 429 is neither."""
        whose = request.endpoint, request.customer_id
        is_silent = not got.status and got.cause != transport_errors.UNSENDABLE
        if is_silent or Does.RETRIED in _row(request, got).does:
            self._breakers.failed(*whose)
        elif got.status and got.status != TOO_MANY_REQUESTS:
            self._breakers.answered(*whose)

    async def _exchange(self, request: Request, call: _Call) -> _Received:
        if self._session is None or call.token is None:
            raise RuntimeError("Transport is used outside its `async with`")
        url = self._base_url + request.path
        if request.params:
            url += "?" + urlencode(request.params, quote_via=quote)
        headers = dict(request.headers) | {
            "Authorization": f"Bearer {call.token.reveal()}",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "X-Locale": "en-US",  # titles in one language, so that no diff shows a translation
            "MS-RequestId": call.request_id,
            "MS-CorrelationId": call.correlation_id,
            "MS-PartnerCenter-Client": "csp-sku-auditor",
        }
        if request.body:
            headers["Content-Type"] = "application/json"
        async with self._session.request(
            request.method,
            URL(url, encoded=True),
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
            proxy=self._proxy or None,
        ) as response:
            body = await self._body(response)
            echo = self._echo_of(call.token)
            return _Received(
                status=response.status,
                body=b"" if body is None else echo.without(body),
                cause="too_large" if body is None else "",
                request_id=_id_of(response, "MS-RequestId", call.request_id, echo),
                correlation_id=_id_of(response, "MS-CorrelationId", call.correlation_id, echo),
                retry_after=response.headers.get("Retry-After"),
            )

    def _echo_of(self, token: Secret) -> Echo:
        if self._echo.token is not token:
            self._echo = Echo(token)
        return self._echo

    async def _body(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Read the body; None if it is too large, or expands too much when it is unpacked.

        Only a few large bodies are read at a time, so that they do not fill the memory.
        """
        body = io.BytesIO()  # returns its content without a copy
        async with AsyncExitStack() as held:
            async for chunk in response.content.iter_any():
                size = body.tell() + len(chunk)
                packed = response.content.total_compressed_bytes or size
                if size > self._max_body or (size > LARGE_BODY and size > MOST_BLOWN_UP * packed):
                    response.close()
                    return None
                if body.tell() <= LARGE_BODY < size:
                    await held.enter_async_context(self._large)
                body.write(chunk)
            return body.getvalue()

    def _left(self) -> float | None:
        return None if self._deadline is None else self._deadline - self._clock()


def _row(request: Request, got: _Received) -> ErrorMeaning:
    return row_of(request.endpoint, got.status, "" if got.status else got.cause)


def checked_base_url(url: str) -> str:
    """Return the URL without a slash at its end; http is allowed to this machine only."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise SettingsError("base_url: not the address of a service")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise SettingsError(
            f"base_url: {parts.scheme}://{host} would send the token in the clear",
            code="E_INSECURE_URL",
            hint="use https; http is for a sandbox on this machine",
        )
    return url.rstrip("/")


def _id_of(response: aiohttp.ClientResponse, name: str, sent: str, echo: Echo) -> str:
    """Return the id in a header, which may repeat it as in "a,a"; without one, the id sent."""
    first = response.headers.get(name, "").split(",")[0].strip()
    is_id = _ID.fullmatch(first) and echo.without(first.encode()) == first.encode()
    return first if is_id else sent
