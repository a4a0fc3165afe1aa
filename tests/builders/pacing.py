"""Calls through a pacer, and when each of them started."""

import asyncio
from collections import deque
from collections.abc import Callable

from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits

Start = tuple[float, str]


def limits(
    per_minute: float, *, per_customer: float = 1e6, concurrency: int = 1000, other: float = 1e6
) -> PaceLimits:
    return PaceLimits(
        per_minute={"inventory": per_minute, "catalog": other},
        per_customer=per_customer,
        concurrency=concurrency,
    )


async def call(
    pacer: Pacer, clock: Callable[[], float], starts: list[Start], customer: str, takes_s: float = 0
) -> None:
    async with pacer.slot("inventory", customer):
        starts.append((clock(), customer))
        await asyncio.sleep(takes_s)


def most_in_any(window_s: float, starts: list[Start]) -> int:
    inside: deque[float] = deque()
    most = 0
    for at, _ in sorted(starts):
        inside.append(at)
        while inside[0] <= at - window_s + 1e-9:
            inside.popleft()
        most = max(most, len(inside))
    return most
