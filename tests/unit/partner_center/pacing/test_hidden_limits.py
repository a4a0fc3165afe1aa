"""The learned rate finds limits that are not published and that change during the run."""

import asyncio
from collections.abc import Callable

import pytest

from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from tests.builders.hidden_limits import Hidden, Server, keep_asking
from tests.builders.virtual_time import run_virtually

WARM_S = 300.0
END_S = 2100.0
NONE = Hidden(60, [(0, 1e9)])
DOWN_AND_UP = (900, 1500)


def stepped(window_s: float, limit: int) -> Hidden:
    """Return a limit that is halved during the run, and restored."""
    down, up = DOWN_AND_UP
    return Hidden(window_s, [(0, limit), (down, limit // 2), (up, limit)])


@pytest.mark.parametrize(
    ("partner", "customer", "customers"),
    [
        (Hidden(60, [(0, 300)]), None, 100),
        (Hidden(60, [(0, 60)]), None, 100),
        (Hidden(1, [(0, 5)]), None, 100),
        (stepped(60, 300), None, 100),
        (stepped(60, 400), None, 5),
        (stepped(1, 8), None, 30),
        (NONE, Hidden(60, [(0, 30)]), 10),
        (NONE, stepped(60, 60), 4),
        (Hidden(60, [(0, 300)]), Hidden(60, [(0, 30)]), 30),
    ],
    ids=range(9),
)
def test_a_hidden_limit_is_used_fully_and_hardly_ever_exceeded(
    partner: Hidden, customer: Hidden | None, customers: int
) -> None:
    """After a warm-up: at least 90 % of the best possible, and less than 2 % refused."""
    limits = PaceLimits(per_minute={"inventory": 600}, per_customer=120, concurrency=64)
    servers = []

    async def main(clock: Callable[[], float]) -> None:
        server = Server(clock, partner=partner, customer=customer)
        servers.append(server)
        async with Pacer(limits, clock=clock) as pacer:
            names = [f"c{n}" for n in range(customers)]
            await keep_asking(pacer, server, names, each=10, seconds=END_S)

    run_virtually(main)

    answered, refused = servers[0].between(WARM_S, END_S)
    best = min(
        partner.best(WARM_S, END_S),
        customers * customer.best(WARM_S, END_S) if customer else 1e9,
        600 * (END_S - WARM_S) / 60,
    )
    assert answered >= 0.90 * best
    assert refused < 0.02 * (answered + refused)


def test_a_customer_with_its_own_low_limit_slows_no_other() -> None:
    limits = PaceLimits(per_minute={"inventory": 600}, per_customer=120, concurrency=64)
    servers = []

    async def main(clock: Callable[[], float]) -> None:
        low = Server(clock, partner=NONE, customer=Hidden(60, [(0, 30)]))
        high = Server(clock, partner=Hidden(60, [(0, 1e9)]))
        servers.extend([low, high])
        async with Pacer(limits, clock=clock) as pacer, asyncio.TaskGroup() as both:
            both.create_task(keep_asking(pacer, low, ["low"], each=10, seconds=END_S))
            names = [f"c{n}" for n in range(20)]
            both.create_task(keep_asking(pacer, high, names, each=10, seconds=END_S))

    run_virtually(main)

    minutes = (END_S - WARM_S) / 60
    others, _ = servers[1].between(WARM_S, END_S)
    its_own, refused = servers[0].between(WARM_S, END_S)
    assert others >= 0.97 * (600 - 30) * minutes
    assert its_own >= 0.90 * 30 * minutes
    assert refused <= 0.02 * its_own
