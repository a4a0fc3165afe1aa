"""What a run takes from its surroundings."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from secrets import token_hex

import msgspec

from auditor.partner_center.breaker import Patience
from auditor.secret import Secret


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes from its surroundings: variables, clocks, random ids and time limits."""

    environ: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    entropy: Callable[[], str] = lambda: token_hex(3)
    hide: Callable[[Secret], None] = lambda _: None
    """Called with each secret and each token, so that no log shows it."""
    patience: Patience = Patience()
    database_s: float = 300.0
    """How long each partner waits for a database that became unreachable."""
