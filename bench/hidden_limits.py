"""Measures how well the auditor uses a limit that it does not know, and how often it exceeds it.

The sandbox halves and restores its limit while the auditor sends calls of ten customers as fast
as its pacing allows (docs/decisions/0008). The windows last one second, so that this takes minutes
and not hours; `tests/unit/partner_center/pacing/` has the same test with minutes.
"""

import asyncio
import time
from itertools import pairwise

from auditor.model import ApiClass, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.sandbox import PaceLimits as Hidden
from auditor.sandbox import Sandbox, World, WorldSize
from auditor.secret import Secret

WARM_S = 20.0
PHASES = ((WARM_S, 1.0), (40.0, 1.0), (50.0, 0.5), (80.0, 1.0), (40.0, 1.0))
"""Seconds, and the share of the limit; the first phase is a warm-up and is not counted."""
CUSTOMERS = 10


async def measure(per_partner: int, per_customer: int) -> tuple[list[float], float]:
    """Return the answered share of the possible calls, by phase, and the share refused."""
    world = World(1, WorldSize(partners=1, customers=CUSTOMERS))
    partner = world.partners()[0]
    names = [c.customer_id for c in world.state(1).customers(partner.partner_tenant_id)]

    def hidden(share: float) -> Hidden:
        return Hidden(
            per_partner={"customers": round(share * per_partner)},
            per_customer={"customers": round(share * per_customer)},
            window_s=1.0,
        )

    limits = PaceLimits(
        per_minute={api_class.value: 6000.0 for api_class in ApiClass},
        per_customer=6000.0,
        concurrency=64,
    )
    async with (
        Sandbox(world, limits=hidden(1.0)) as sandbox,
        Pacer(limits) as pacer,
        Transport(sandbox.base_url, GivenToken(Secret(partner.token)), pacer) as transport,
    ):

        async def keep_asking(name: str) -> None:
            request = Request(
                endpoint="get_customer",
                method="GET",
                path=f"/v1/customers/{name}",
                api_class=ApiClass.CUSTOMERS,
                customer_id=name,
            )
            while True:
                await transport.send(request)

        tasks = [asyncio.create_task(keep_asking(name)) for name in names for _ in range(20)]
        edges = [time.monotonic()]
        for seconds, share in PHASES:
            sandbox.limits = hidden(share)
            await asyncio.sleep(seconds)
            edges.append(time.monotonic())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        records = sandbox.log.records
    best = min(per_partner, CUSTOMERS * per_customer)
    used = []
    for (_, share), (start, end) in list(zip(PHASES, pairwise(edges), strict=True))[1:]:
        answered = sum(start <= r.time < end and not r.throttled for r in records)
        used.append(answered / (best * share * (end - start)))
    counted = [r for r in records if r.time >= edges[1]]
    return used, sum(r.throttled for r in counted) / len(counted)


async def both() -> None:
    cases = (("40 a second, partner", 40, 1000), ("4 a second, customer", 1000, 4))
    found = await asyncio.gather(*(measure(*limits) for _, *limits in cases))
    print("of the best possible    steady  halved  doubled  and then  refused")
    for (what, *_), (used, refused) in zip(cases, found, strict=True):
        steady, halved, doubled, then = used
        print(
            f"{what:22s}  {steady:6.2f}  {halved:6.2f}  {doubled:7.2f}  {then:8.2f}  {refused:7.2%}"
        )


if __name__ == "__main__":
    asyncio.run(both())
