"""Throttling: a limit on calls in any minute, per partner and per customer, by API class."""

import math
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


def _each(count: int) -> Callable[[], Mapping[str, int]]:
    return lambda: dict.fromkeys(("customers", "catalog", "inventory"), count)


@dataclass(frozen=True, slots=True)
class ServerLimits:
    """Most calls in any window, by API class; a missing class has no limit."""

    per_partner: Mapping[str, int] = field(default_factory=_each(60_000))
    per_customer: Mapping[str, int] = field(default_factory=_each(6_000))
    window_s: float = 60.0


class Limiter:
    """Admits or refuses calls. Refused calls are not counted, so `Retry-After` is exact."""

    def __init__(self, limits: ServerLimits, clock: Callable[[], float]) -> None:
        self.limits = limits
        self._clock = clock
        self._admitted: dict[tuple[str, str, str], deque[float]] = {}

    def admit(self, partner_tenant_id: str, customer_id: str, api_class: str) -> int:
        """Admit a call, count it and return 0; or return the seconds until one can be admitted."""
        now = self._clock()
        gates = [((partner_tenant_id, "", api_class), self.limits.per_partner.get(api_class))]
        if customer_id:
            gate = (partner_tenant_id, customer_id, api_class)
            gates.append((gate, self.limits.per_customer.get(api_class)))
        windows = [self._window(gate, now) for gate, _ in gates]
        wait = 0.0
        for window, (_, limit) in zip(windows, gates, strict=True):
            if limit is not None and len(window) >= limit:
                frees = window[len(window) - limit] if limit else now
                wait = max(wait, frees + self.limits.window_s - now)
        if wait > 0:
            return max(1, math.ceil(wait))
        for window in windows:
            window.append(now)
        return 0

    def _window(self, gate: tuple[str, str, str], now: float) -> deque[float]:
        window = self._admitted.setdefault(gate, deque())
        while window and window[0] <= now - self.limits.window_s:
            window.popleft()
        return window
