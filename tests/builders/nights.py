"""Years of nights in process: runs fail or cross, replies are false, customers leave and return.

After every night the publication is compared with a second implementation of the contract,
`nights_by_hand.py`, which gets the same replies, and with the truth.
Run as a program it is the soak: `make soak-nights`.
"""

import argparse
import asyncio
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from auditor.model import Reply, Request
from auditor.normalize.staged import AT_ONCE, CHUNK
from tests.builders.guard import (
    GONE,
    OFFERED,
    OPEN,
    SECOND,
    SHUT,
    WITHHELD,
    Key,
    Partner,
    Run,
    State,
    key_of,
    state_of,
    targets,
)
from tests.builders.nights_by_hand import ByHand, Event, Received
from tests.builders.timelines import noted, told

CUSTOMERS = ("c-a", "c-b", "c-c")
SKUS = 24
"""SKUs per customer: half of the keys in two products are more than 20, the guard's threshold."""
INVENTORY = (OPEN, SHUT, ("restricted", "QuotaId", "westeurope"), GONE)
TERMS = (OFFERED, WITHHELD, GONE)
RUN_FAILS = 0.05
CHECK_FAILS = 0.03
LIES = 0.04
MASS = 0.03
LEAVES = 0.01
CROSSES = 0.15
COMPARED_AT_ONCE = (AT_ONCE, 1, AT_ONCE, AT_ONCE, AT_ONCE, 60, AT_ONCE, AT_ONCE)
"""Keys per comparison, in turn: mostly all, since each comparison costs time; 1 is one customer,
60 is one or two customers."""
STAGED_AT_ONCE = (CHUNK, 1, CHUNK)
"""Keys per chunk, in turn: the whole bucket, or one customer."""
PROCESSES = 2


class Nights:
    """One partner's nights, all random choices from one seed."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - a simulation
        self.partner = Partner(folder, self._world(), buckets=1 + seed % 2)
        self.hand = ByHand()
        self.gone: set[str] = set()
        self.counts: Counter[str] = Counter()
        self._lying: dict[str, str] = {}
        self._received: Received | None = None
        self.partner.faulty = self._faulty
        self._ids: set[str] = set()
        self._is_calm = False

    def _world(self) -> dict[Key, State]:
        truth: dict[Key, State] = {}
        for customer in CUSTOMERS:
            for product in ("DZH1", "DZH2"):
                for n in range(SKUS // 2 + 3):
                    truth[Key(customer, product, f"{n:04}")] = self.draw.choice(INVENTORY[:2])
            for n in range(SKUS):
                truth[Key(customer, "CFQ7", f"{n // 4:04}", f"cycle{n % 4}")] = OFFERED
        return truth

    def _faulty(self, request: Request) -> Reply | bytes | None:
        """Return an error, a false reply or None for the true one; keep the states it contains."""
        assert self._received is not None
        customer = request.customer_id
        if not self._is_calm and self.draw.random() < CHECK_FAILS:
            return Reply(status=503, sent_at=self.partner.now)
        lie = self._lying.get(customer, "")
        lies = lie == "twice" or (lie == "once" and request.round != SECOND)
        at = self.partner.now
        for key in targets(request, self.partner.truth):
            state = GONE if lies else self.partner.truth[key]
            if request.round == SECOND:
                self._received.second[key] = state
            else:
                self._received.first[key] = (state, at)
        if not lies:
            return None
        return b"[]" if request.endpoint == "check_inventory" else b'{"items":[]}'

    def _move(self, number: int) -> None:
        """Change the world by one day."""
        for key in self.partner.truth:
            if self.draw.random() < 0.01:
                self.partner.truth[key] = self.draw.choice(TERMS if key.cycle else INVENTORY)
        if self.draw.random() < MASS:
            customer = self.draw.choice(CUSTOMERS)
            is_terms = self.draw.random() < 0.5
            state = self.draw.choice(TERMS if is_terms else INVENTORY)
            self.counts["mass changes"] += 1
            for key in self.partner.keys(customer):
                if bool(key.cycle) is is_terms and self.draw.random() < 0.95:
                    self.partner.truth[key] = state
        for customer in CUSTOMERS:
            if customer in self.gone and self.draw.random() < 0.2:
                self.gone.discard(customer)
            elif number > 2 and self.draw.random() < LEAVES and len(self.gone) < 2:
                self.gone.add(customer)
                self.counts["customers left"] += 1
        self.partner.customers = [name for name in CUSTOMERS if name not in self.gone]

    async def _asked(self, only: str = "") -> tuple[Run, Received]:
        run = Run(
            self.partner, [only] if only else (), rules={"batch_size": self.draw.choice((1, 2, 50))}
        )
        run.staged.at_once = STAGED_AT_ONCE[self.counts["nights"] % len(STAGED_AT_ONCE)]
        self._received = Received(run.began, {}, {})
        await run.ask()
        self.draw.shuffle(run.checking.settled)
        return run, self._received

    async def _checked(self, run: Run, received: Received) -> set[Key]:
        self._received = received
        doubted = self.hand.doubted(received)
        await run.check()
        assert {(d.customer_id, d.subject == "availability") for d in run.guard.doubted} == {
            (key.customer, bool(key.cycle)) for key in doubted
        }
        self.counts["keys doubted"] += len(doubted)
        return doubted

    def _published(self, run: Run, received: Received, doubted: set[Key]) -> None:
        run.publish(COMPARED_AT_ONCE[self.counts["nights"] % len(COMPARED_AT_ONCE)])
        expected = self.hand.publish(received, doubted)
        if run.is_full:
            self.hand.left(set(self.partner.customers))
        rows = run.changes
        found = [Event(row["kind"], key_of(row), *_states(row), row["suspect"]) for row in rows]
        lost, false = set(expected) - set(found), set(found) - set(expected)
        self.counts["lost"] += len(lost)
        self.counts["false"] += len(false)
        self.counts["events"] += len(found)
        self.counts["suspect"] += sum(event.is_suspect for event in found)
        assert not lost, sorted(lost)[:3]
        assert not false, sorted(false)[:3]
        assert len(found) == len(expected)
        ids = {row["event_id"] for row in rows}
        assert len(ids) == len(rows), "an event id twice in one snapshot"
        assert not ids & self._ids, "an event id of another snapshot"
        self._ids |= ids
        for event in found:
            if not event.is_suspect and not self._lying:
                at = received.first[event.key][1]
                assert self.partner.truth[event.key] == event.after, (event, at)

    async def night(self, number: int) -> None:
        """Run one night."""
        self.partner.night(number)
        self._move(number)
        self._lying = {}
        if self.draw.random() < LIES and number > 1:
            liar = self.draw.choice(CUSTOMERS)
            self._lying = {liar: self.draw.choice(("once", "twice"))}
            self.counts["nights with lies"] += 1
        self.counts["nights"] += 1
        run, received = await self._asked()
        if self.draw.random() < RUN_FAILS and number > 1:
            self.counts["failed runs"] += 1
            run.abandon()
            return
        if self.draw.random() < CROSSES and self.partner.customers:
            self.counts["crossing runs"] += 1
            await self._cross(run, received)
        else:
            self._published(run, received, await self._checked(run, received))

    async def _cross(self, run: Run, received: Received) -> None:
        """Run one customer's run inside the nightly one."""
        is_guarded_first = self.draw.random() < 0.5
        doubted = await self._checked(run, received) if is_guarded_first else set()
        inner, inner_received = await self._asked(self.draw.choice(self.partner.customers))
        self._published(inner, inner_received, await self._checked(inner, inner_received))
        if not is_guarded_first:
            doubted = await self._checked(run, received)
        self._published(run, received, doubted)

    def compare(self) -> None:
        """Compare the store's current rows with the state computed by hand."""
        rows = self.partner.rows("SELECT * FROM current_inventory")
        rows += self.partner.rows("SELECT * FROM current_availability")
        found = {key_of(row): (state_of(row), row["pending_verdict"]) for row in rows}
        assert found == {
            key: (had.state, had.pending[0] if had.pending else "")
            for key, had in self.hand.known.items()
        }

    async def settle(self, number: int) -> None:
        """Run three nights without faults; after them the store must equal the truth.

        Its timeline must be what a reader who wrote down every snapshot has.
        """
        self._lying = {}
        for more in range(3):
            self.partner.night(number + 1 + more)
            self._is_calm = True
            run, received = await self._asked()
            self._published(run, received, await self._checked(run, received))
        self.compare()
        timeline = self.partner.rows("SELECT * FROM restriction_timeline")
        assert told(timeline) == noted(self.partner.store)
        for key, state in self.partner.truth.items():
            if key.customer in self.gone:
                assert key not in self.hand.known
            elif key in self.hand.known:
                assert self.hand.known[key].state == state
            else:
                assert key.cycle
                assert state == GONE


def _states(row: Mapping[str, Any]) -> tuple[State, State]:  # Any: cells of a table
    return (
        (row["verdict_before"], row["reason_codes_before"], row["restriction_values_before"]),
        (row["verdict_after"], row["reason_codes_after"], row["restriction_values_after"]),
    )


async def live(folder: Path, seed: int, nights: int, *, compare_every: int = 25) -> Counter[str]:
    """Run `nights` nights; return the counts. An AssertionError names seed and night."""
    world = Nights(folder, seed)
    for number in range(1, nights + 1):
        try:
            await world.night(number)
            if number % compare_every == 0:
                world.compare()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}, night {number}: {error}") from error
    await world.settle(nights)
    return world.counts


COLUMNS = (
    "nights",
    "failed runs",
    "crossing runs",
    "nights with lies",
    "mass changes",
    "customers left",
    "keys doubted",
    "suspect",
    "events",
    "lost",
    "false",
)


def lived(seed: int, nights: int) -> tuple[int, Counter[str], float, str]:
    """Run a seed's nights; return seed, counts, seconds and the problem, if any."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    problem = ""
    with tempfile.TemporaryDirectory() as folder:
        try:
            counts = asyncio.run(live(Path(folder), seed, nights))
        except AssertionError as error:
            problem = f"FAILED {error}\n"
    return seed, counts, time.monotonic() - began, problem


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=3650, help="nights of the first seed")
    parser.add_argument("--more", type=int, default=6_400, help="nights over many other seeds")
    parser.add_argument("--each", type=int, default=200, help="nights of each other seed")
    parser.add_argument("--seed", type=int, default=1)
    flags = parser.parse_args()
    plan = [(flags.seed, flags.nights)]
    plan += [(flags.seed + n, flags.each) for n in range(1, flags.more // flags.each + 1)]
    write = sys.stdout.write
    write("| seed | " + " | ".join(COLUMNS) + " | s |\n|" + "---|" * (len(COLUMNS) + 2) + "\n")
    total: Counter[str] = Counter()
    failed: list[str] = []
    with ProcessPoolExecutor(PROCESSES, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed(pool.submit(lived, *one) for one in plan):
            seed, counts, seconds, problem = done.result()
            total += counts
            cells = [f"{counts[name]:,}" for name in COLUMNS]
            write(problem or f"| {seed} | {' | '.join(cells)} | {seconds:.0f} |\n")
            sys.stdout.flush()
            failed += [problem] if problem else []
    write("| all | " + " | ".join(f"{total[name]:,}" for name in COLUMNS) + " | |\n")
    sys.stdout.writelines(failed)
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
