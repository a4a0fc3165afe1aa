"""Malformed and hostile replies, made from a seed, and processed from decoding to rows.

`make soak-replies` runs it in process, and through a loopback server and the transport. It prints
the seed of each failure; `--seed N` with a count of 1 makes the same replies again.
"""

import argparse
import asyncio
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, nullcontext, suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from auditor.journal.quarantine import Quarantine
from auditor.model import ApiClass, CheckKind, Reply, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.plan.plan import Plan
from auditor.secret import Secret
from tests.builders import scope as bench
from tests.builders.check_pipeline import run_checks
from tests.builders.scope import azure, catalog, found, licence, plan, sku

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
SAMPLES = Path(__file__).parents[1] / "samples"
SKUS = ("0001", "0011", "00E1", "000S")
PLAN = Plan(
    bench.rules(batch_size=2),
    [catalog(*(sku(s, p) for p in ("DZH1", "DZH2", "DZH3") for s in SKUS))],
    customers=[found(azure(), holds=[plan(), licence("l1"), licence("l2", "CFQ8", "00E1")])],
)
ADVERSE = (
    b"",
    b" \r\n",
    b"null",
    b"[]",
    b"{}",
    b'{"items":[]}',
    b'{"totalCount":3,"items":[]}',
    b'{"code":"900000","description":"no"}',
    b"<html><body>busy</body></html>",
    b"[" * 5_000,
    b'{"items":' * 3_000,
    b"[" + b"9" * 5_000 + b"]",
    b"[1e999,-Infinity,NaN]",
    b'[{"productId":"DZH1","skuId":"0001","isRestricted":true},{}]',
    '[{"productId":"DZH1"}]'.encode("utf-16"),
)
TOKENS = (
    b"null",
    b"true",
    b"0",
    b"-1",
    b"1e999",
    b"1180591620717411303424",
    b'""',
    b'"\\u0000"',
    b'"\\ud800"',
    b"[]",
    b"{}",
    b",",
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b'"isRestricted":true,',
    b'"productId":"DZH2",',
    b'"isRestr\\u0069cted":false,',
    b'"links":{"next":{"uri":"/x"}},',
)


def body_of(chance: random.Random, request: Request) -> bytes:
    """Return a body: a fitting answer, a sample or junk; often corrupted, once or several times."""
    pick = chance.random()
    if pick < 0.05:
        return chance.choice(ADVERSE)
    if pick < 0.1:
        return chance.randbytes(chance.randrange(200))
    body = chance.choice(_SAMPLES) if pick < 0.3 else _fitting(chance, request)
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5))):
        body = _corrupted(chance, body)
    return body


def _fitting(chance: random.Random, request: Request) -> bytes:
    if not request.body:
        some = [
            {"id": f"A{n}", "skuId": chance.choice(SKUS), "isPurchasable": chance.random() < 0.9}
            for n in range(chance.randrange(3))
        ]
        return json.dumps({"totalCount": len(some), "items": some}).encode()
    items = [
        {
            "productId": target["ProductId"],
            "skuId": sku_id,
            "isRestricted": chance.random() < 0.3,
            "restrictions": [{"reasonCode": "R", "properties": {"type": "T", "values": "a,b"}}],
        }
        for target in json.loads(request.body)["TargetItems"]
        for sku_id in SKUS
        if chance.random() < 0.8
    ]
    return json.dumps(items).encode()


def _corrupted(chance: random.Random, body: bytes) -> bytes:
    at, to = sorted((chance.randrange(len(body) + 1), chance.randrange(len(body) + 1)))
    match chance.randrange(6):
        case 0:
            return body[:at] + body[to:]
        case 1:
            return body[:to] + body[at:]
        case 2:
            return body[:at] + chance.choice(TOKENS) + body[at:]
        case 3:
            return body[:at] + bytes([chance.randrange(256)]) + body[at + 1 :]
        case 4:  # a field of another type
            return body.replace(
                chance.choice((b"true", b"false", b'"0011"', b"[", b'"DZH1"')),
                chance.choice(TOKENS),
                chance.randrange(1, 3),
            )
        case _:
            return body[:at]


_SAMPLES = [path.read_bytes() for path in sorted(SAMPLES.glob("*.json"))]
STATUSES = (200,) * 12 + (204, 206, 400, 404, 404, 429, 500)
CODES = ("400013", "400018", "400026", "400030", "800011", "x" * 100, "")


def reply_to(chance: random.Random, request: Request) -> Reply:
    """Return one reply, in most cases with status 200."""
    status = chance.choice(STATUSES)
    body = body_of(chance, request)
    if status >= 400 and chance.random() < 0.7:
        described = chance.choice(("'ArmRegionName' is missing", "no", "\u2028\u202e"))
        body = json.dumps({"code": chance.choice(CODES), "description": described}).encode()
    return Reply(status=status, body=body, sent_at=AT)


Carry = Callable[[Request, Reply], Awaitable[Reply]]
"""Transports a reply to the client."""


async def at_once(_: Request, reply: Reply) -> Reply:
    """Return the reply in process."""
    return reply


async def one(seed: int, carry: Carry) -> int:
    """Process the replies of one seed from decoding to rows; return their number.

    Any exception it raises is a bug in the auditor.
    """
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    replies: dict[bytes, Reply] = {}

    async def answered(request: Request) -> Reply:
        replies[request.key()] = reply = await carry(request, reply_to(chance, request))
        return reply

    checked = await run_checks(PLAN, answered)
    checked.close()
    checked.answers.restriction.table()
    for table in (checked.answers.inventory.table(), checked.answers.availability.table()):
        ids = set(table.column("sku_id").to_pylist())
        assert ids <= {*SKUS}, ids  # P28
    keys = Counter(c.kind for s in checked.settled for c in s.question.checks)
    assert keys[CheckKind.AVAILABILITY] == 2, keys
    quarantine = Quarantine()
    quarantine.settle(checked.settled, lambda key: replies[key].body)
    return len(replies)


@asynccontextmanager
async def by_socket() -> AsyncIterator[Carry]:
    """Open a server and a client transport that send each reply over loopback."""
    pending = Reply(status=200, sent_at=AT)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := re.search(rb"(?i)content-length: (\d+)", head):
                    await reader.readexactly(int(length[1]))
                start = (
                    f"HTTP/1.1 {pending.status} .\r\nContent-Length: {len(pending.body)}\r\n\r\n"
                )
                writer.write(start.encode() + pending.body)
                await writer.drain()
        writer.close()

    limits = PaceLimits(per_minute=dict.fromkeys(ApiClass, 1e6), per_customer=1e6, concurrency=1)
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    tokens, budget = GivenToken(Secret("token-of-nobody")), RetryBudget(floor=0, share=0)
    async with (
        server,
        Pacer(limits) as pacer,
        Transport(base_url, tokens, pacer, budget=budget, now=lambda: AT) as transport,
    ):

        async def carried(request: Request, reply: Reply) -> Reply:
            nonlocal pending
            if reply.status == 204:  # has no body
                reply = msgspec.structs.replace(reply, body=b"")
            if reply.status in {429, 500}:  # retried with waiting: other tests cover these
                reply = msgspec.structs.replace(reply, status=404)
            pending = reply
            got = await transport.send(request)
            assert (got.status, got.body) == (reply.status, reply.body)
            return got

        yield carried


async def many(count: int, first_seed: int, carry: Carry, report: Callable[[str], object]) -> int:
    """Process at least `count` replies, seed by seed; call `report` with each failure."""
    sent, seed = 0, first_seed
    while sent < count:
        try:
            sent += await one(seed, carry)
        except Exception as exc:  # noqa: BLE001 - every exception is a finding, with its seed
            report(f"seed {seed}: {type(exc).__name__}: {exc}")
            sent += 1
        seed += 1
    return sent


async def soak(count: int, seed: int, *, sockets: bool) -> int:
    """Process `count` replies, print the result, and return the number of failures."""
    failed: list[str] = []
    longest = (0.0, seed)

    def report(failure: str) -> None:
        failed.append(failure)
        print(failure)  # noqa: T201 - a command prints

    async with by_socket() if sockets else nullcontext(at_once) as carry:
        started, sent = time.perf_counter(), 0
        while sent < count:
            before = time.perf_counter()
            count_of_seed = await many(1, seed, carry, report)
            longest = max(longest, ((time.perf_counter() - before) / count_of_seed, seed))
            sent, seed = sent + count_of_seed, seed + 1
        took = time.perf_counter() - started
    print(  # noqa: T201 - a command prints
        f"{sent} replies, {len(failed)} failures, {1000 * took / sent:.2f} ms each, at most"
        f" {1000 * longest[0]:.1f} ms (seed {longest[1]})"
    )
    return len(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sockets", action="store_true")
    flags = parser.parse_args()
    sys.exit(asyncio.run(soak(flags.count, flags.seed, sockets=flags.sockets)) > 0)
