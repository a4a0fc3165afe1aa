"""One token per partner tenant, refreshed once for all waiting calls."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from auditor.errors import Retryable, Unauthorized
from auditor.secret import Secret

SKEW_S = 300.0
"""A token is renewed this long before it ends."""

PAUSE_S = 10.0
"""After a failure the token endpoint is not asked for this long, however many calls wait."""


class TokenSource(Protocol):
    """Where a partner's token comes from.

    Raises `Unauthorized` if the credential itself is refused, `Unreachable` if the endpoint does
    not answer.
    """

    async def token(self) -> Secret:
        """Return a token that should be valid."""

    async def refreshed(self, rejected: Secret) -> Secret | None:
        """Return another token than the rejected one; None if there is none."""


class GivenToken:
    """A bearer token from outside."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self) -> Secret:
        """Return the given token."""
        return self._token

    async def refreshed(self, rejected: Secret) -> Secret | None:
        """Return None: this process cannot make another one."""
        return None if rejected == self._token else self._token


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A token and its lifetime."""

    token: Secret
    lasts_s: float


class RenewedToken:
    """A token that is fetched, kept while it lasts, and renewed by one task at a time.

    The argument of `fetch` says whether to ignore its cache. A refused credential is not tried
    again; a token that still lasts stays in use if renewing it fails.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Grant]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._current: Secret | None = None
        self._renew_at = 0.0
        self._ends_at = 0.0
        self._forced_until = 0.0
        self._refusal: Unauthorized | None = None
        self._ask_again_at = 0.0
        self._failure: Retryable | None = None

    async def token(self) -> Secret:
        """Return the token, renewed if it is about to end."""
        async with self._one_at_a_time:
            if self._current is None or self._clock() >= self._renew_at:
                try:
                    return await self._renew()
                except Retryable:
                    if self._current is None or self._clock() >= self._ends_at:
                        raise
            return self._current

    async def refreshed(self, rejected: Secret) -> Secret | None:
        """Return a newer token than the rejected one.

        None if a rejection had a token fetched a moment ago: another token would not help then,
        and every customer that refuses us would cause one more fetch.
        """
        async with self._one_at_a_time:
            if self._current is not None and rejected != self._current:
                return self._current
            if self._clock() < self._forced_until:
                return None
            token = await self._renew()
            self._forced_until = self._clock() + SKEW_S
            return token

    async def _renew(self) -> Secret:
        if self._refusal is not None:
            raise self._refusal
        if self._failure is not None and self._clock() < self._ask_again_at:
            raise self._failure
        try:
            grant = await self._fetch()
        except Unauthorized as refusal:
            self._refusal = refusal
            raise
        except Retryable as failure:
            self._failure = failure
            self._ask_again_at = self._clock() + PAUSE_S
            raise
        self._failure = None
        self._current = grant.token
        self._ends_at = self._clock() + grant.lasts_s
        # A token that lasts little longer than the skew is used for half its lifetime.
        self._renew_at = self._clock() + max(grant.lasts_s - SKEW_S, grant.lasts_s / 2)
        return grant.token
