"""Wave 2 of one partner: ask, stage what is answered, and ask once more what the guard doubts.

Both times `guard.conservation` checks that every key that was asked has ended in one way.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing

import msgspec

from auditor.concurrency import to_its_end
from auditor.fetch.fetch import Fetch
from auditor.guard.conservation import Ledger
from auditor.guard.mass_changes import Guard
from auditor.model import Outcome, Question, Settled, Unasked
from auditor.normalize.staged import Body, Staged
from auditor.progress import Progress
from auditor.run.outage import Outage
from auditor.scope.found import CustomerFound

Latecomers = Callable[[], Awaitable[Sequence[CustomerFound]]]


class Checking:
    """Asks one partner's checks, and knows what became of each."""

    def __init__(self, fetch: Fetch, progress: Progress, partner: str, outage: Outage) -> None:
        self._fetch = fetch
        self._progress = progress
        self._partner = partner
        self._outage = outage
        self._ledger = Ledger(partner)
        self.settled: list[Settled] = []
        """What became of each check."""
        self.again: list[Settled] = []
        """What the second answers were, whatever was believed of them."""

    async def ask(self, latecomers: Latecomers) -> None:
        """Ask everything that is planned, and what there is to ask about who came late."""
        self.settled += await self._ask(list(self._fetch.plan.questions()), self._ledger)
        if late := await latecomers():
            self.settled += await self._ask(self._fetch.joined_by(late), self._ledger)
        self._ledger.wait(self._fetch.waiting, self._fetch.plan.skus_of)
        if again := self._fetch.once_more():
            self.settled += await self._ask(again, self._ledger)

    async def doubt(self, guard: Guard, staged: Staged, body: Body) -> None:
        """Stage what was answered; ask once more where so much turned that it may be a fault.

        Raises:
            Bug: what was asked and what became of it do not add up.
        """
        await to_its_end(staged.stage, self.settled, body)
        await self._close(self._ledger, self.settled, staged)
        questions = await self._outage.outlasted_by(guard.questions, self.settled)
        if not questions:
            return
        for one in guard.doubted:
            self._progress.event(
                "answers.doubted", partner=self._partner, **msgspec.structs.asdict(one)
            )
        again = Ledger(self._partner)
        self.again = await self._ask(questions, again, "asking again")
        await to_its_end(guard.judge, self.again, body)
        await self._close(again, self.again, staged)
        self.settled = list(guard.believed(self.settled, self.again))
        inventory = await to_its_end(staged.inventory_keys)
        self._ledger.recount(self.settled, inventory, self._fetch.plan.skus_of)

    async def _close(self, ledger: Ledger, settled: Sequence[Settled], staged: Staged) -> None:
        await to_its_end(ledger.close, settled, staged.keys, self._fetch.plan.skus_of)

    async def _ask(
        self, questions: Sequence[Question | Unasked], ledger: Ledger, phase: str = "checking"
    ) -> list[Settled]:
        settled: list[Settled] = []
        ledger.ask(questions, self._fetch.plan.skus_of)
        self._progress.phase(self._partner, phase, len(questions))
        async with aclosing(self._fetch.ask(questions)) as results:
            async for parts in results:
                settled.extend(parts)
                self._follow(parts)
        return settled

    def _follow(self, parts: tuple[Settled, ...]) -> None:
        failed = any(p.outcome in {Outcome.FAILED, Outcome.SKIPPED} for p in parts)
        self._progress.step(self._partner, failed=int(failed))
        for part in parts:
            if part.outcome is Outcome.FAILED:
                self._tell("check.failed", part, reason=part.reason)
            elif part.set_apart:
                self._tell("items.set_apart", part, items=part.set_apart)

    def _tell(self, event: str, part: Settled, **fields: object) -> None:
        check = part.question.checks[0]
        self._progress.event(
            event,
            partner=self._partner,
            kind=check.kind.value,
            customer=check.customer_id,
            country=check.country,
            checks=len(part.question.checks),
            **fields,
            status=part.http_status,
            code=part.error_code,
            request_id=part.request_id,
            correlation_id=part.correlation_id,
        )
