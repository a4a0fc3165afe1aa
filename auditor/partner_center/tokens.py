"""One token per partner tenant, refreshed once for all who wait for it."""

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
"""A token endpoint that did not answer is left alone this long, however many wait for it."""


class TokenSource(Protocol):
    """Where a partner's token comes from.

    Raises `Unauthorized` where the credential itself is refused, `Unreachable` where nobody can
    tell.
    """

    async def token(self) -> Secret:
        """Return a token that should be good."""

    async def refreshed(self, rejected: Secret) -> Secret | None:
        """Return another token than the one that was rejected; None where there is none."""


class GivenToken:
    """A bearer token made elsewhere."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def token(self) -> Secret:
        """Return it."""
        return self._token

    async def refreshed(self, rejected: Secret) -> Secret | None:
        """Return None: nobody here can make another."""
        return None if rejected == self._token else self._token


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """What a token endpoint gives."""

    token: Secret
    lasts_s: float


class RenewedToken:
    """A token that is fetched, kept while it lasts, and fetched again by one task at a time.

    `fetch` is told whether to pass over what it has cached. A refused credential is not tried
    again; a token that still lasts is used on while nobody can renew it.
    """

    def __init__(
        self,
        fetch: Callable[[], Awaitable[Grant]],
        *,
        clock: Callable[[], float] = time.monotonic,
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
        """Return the token, renewed where it is about to end."""
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

        A token that was fetched for this very reason a moment ago is not the fault: None then, or
        every customer that refuses us would cost a token.
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
        # A token that lasts hardly longer than the skew is used for half its life.
        self._renew_at = self._clock() + max(grant.lasts_s - SKEW_S, grant.lasts_s / 2)
        return grant.token
