"""Measures how evenly calls arrive at a server, and what waiting costs (docs/decisions/0008).

A server in a process of its own records when each call of a hundred customers arrives; in turn at
10, 100 and 1,000 calls a second, with the quota that all processes of this machine share.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from auditor.model import ApiClass, Request
from auditor.partner_center.pacing.local_quota import LocalQuota
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret

ROUNDS = 2
RATES = (10, 100, 1000)
SECONDS = 8.0
WAITING = 10_000
FEW = 100
REPLY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n[]"


def serve(pipe: Connection) -> None:
    """Answer every call; on each message in `pipe`, send the arrival times since the last one."""
    arrived: list[float] = []

    class Answer(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, data: bytes) -> None:
            arrived.extend([time.monotonic()] * data.count(b"\r\n\r\n"))
            self.transport.write(REPLY)  # type: ignore[attr-defined]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answer, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        while await loop.run_in_executor(None, pipe.recv):
            pipe.send(list(arrived))
            arrived.clear()
        server.close()

    asyncio.run(main())


async def ask(port: int, per_second: int, folder: Path, waiting: int) -> float:
    """Ask for a while with many calls waiting; return the share of a core that this takes."""
    per_minute = 60.0 * per_second
    limits = PaceLimits(
        per_minute={api_class.value: per_minute for api_class in ApiClass},
        per_customer=1e6,
        concurrency=64,
    )
    quota = LocalQuota(folder, f"{per_second} {time.monotonic()}", per_minute)
    async with (
        Pacer(limits, quotas={"inventory": quota}) as pacer,
        Transport(f"http://127.0.0.1:{port}", GivenToken(Secret("t")), pacer) as transport,
    ):

        async def keep_asking(customer: str) -> None:
            request = Request(
                endpoint="check_inventory",
                method="POST",
                path="/v1/x",
                body=b"{}",
                api_class=ApiClass.INVENTORY,
                customer_id=customer,
            )
            while True:
                await transport.send(request)

        tasks = [asyncio.create_task(keep_asking(f"c{n % 100}")) for n in range(waiting)]
        await asyncio.sleep(1.0)  # until all are queued
        cpu, wall = time.process_time(), time.monotonic()
        await asyncio.sleep(SECONDS)
        share = (time.process_time() - cpu) / (time.monotonic() - wall)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return share


def most_in_a_second(arrived: Sequence[float]) -> int:
    inside: deque[float] = deque()
    most = 0
    for at in arrived:
        inside.append(at)
        while inside[0] <= at - 1:
            inside.popleft()
        most = max(most, len(inside))
    return most


def main() -> None:
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    port = ours.recv()
    found: dict[int, list[tuple[float, int, float, float]]] = {rate: [] for rate in RATES}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(ROUNDS):
            for rate in RATES:
                few = asyncio.run(ask(port, rate, Path(name), FEW))
                ours.send("from here")
                ours.recv()
                many = asyncio.run(ask(port, rate, Path(name), WAITING))
                ours.send("to here")
                arrived = ours.recv()
                start = arrived[0] + 1
                steady = sum(start <= at < start + SECONDS - 2 for at in arrived) / (SECONDS - 2)
                found[rate].append((steady / rate, most_in_a_second(arrived), many, many - few))
    ours.send("")
    server.join()
    print("calls a second  steady / limit  worst second  share of a core  of it for waiting")
    for rate, runs in found.items():
        steady, worst, cpu, waiting = (statistics.median(each) for each in zip(*runs, strict=True))
        print(f"{rate:14d}  {steady:14.3f}  {worst:12.0f}  {cpu:15.3f}  {waiting:17.3f}")


if __name__ == "__main__":
    main()
