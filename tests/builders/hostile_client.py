"""Requests bodies at once, decodes each, and prints the peak memory.

A separate process, because the peak is counted per process. Prints MiB, then each body's result.
"""

import asyncio
import sys
from pathlib import Path

from auditor.model import ApiClass, Request
from auditor.partner_center import decoding, wire
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret

AT_ONCE = int(sys.argv[2])


async def ask(transport: Transport, number: int) -> str:
    request = Request(
        endpoint="check_inventory", method="GET", path=f"/{number}", api_class=ApiClass.CATALOG
    )
    reply = await transport.send(request)
    found = [reply.cause or "read"]
    for read in (decoding.inventory_answer, decoding.availabilities, _subscriptions):
        try:
            read(reply.body)
        except decoding.Malformed:
            found.append("malformed")
        else:
            found.append("an answer")
    return f"{number}: {', '.join(found)}"


def _subscriptions(body: bytes) -> object:
    return decoding.collection(body, wire.Subscription)


def peak_mib() -> int:
    """Return the peak memory of this process; `ru_maxrss` would include its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


async def main(port: int) -> None:
    limits = PaceLimits(
        per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=AT_ONCE
    )
    async with (
        Pacer(limits) as pacer,
        Transport(
            f"http://127.0.0.1:{port}",
            GivenToken(Secret("token-of-nobody")),
            pacer,
            budget=RetryBudget(floor=0),
        ) as transport,
    ):
        found = await asyncio.gather(*(ask(transport, number) for number in range(AT_ONCE)))
    print(peak_mib(), *found, sep="\n")  # noqa: T201 - what it is for


asyncio.run(main(int(sys.argv[1])))
