"""Wave 2 of one partner: ask, stage the answers, and repeat the checks that the guard doubts.

After each round every requested key must have an outcome: see `auditor.guard.conservation`.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from auditor.concurrency import run_in_thread
from auditor.fetch.fetch import Fetch, Fetched
from auditor.guard.conservation import Ledger
from auditor.guard.mass_changes import Guard
from auditor.model import Outcome, Question, Settled, Unasked
from auditor.normalize.staged import Body, Staged
from auditor.plan.plan import Plan
from auditor.progress import Progress
from auditor.run.outage import Outage
from auditor.scope.found import CustomerFound

LateCustomers = Callable[[], Awaitable[Sequence[CustomerFound]]]


class Checking:
    """Asks one partner's checks, and keeps the outcome of each."""

    def __init__(self, fetch: Fetch, progress: Progress, partner: str, outage: Outage) -> None:
        self._fetch = fetch
        self._progress = progress
        self._partner = partner
        self._outage = outage
        self._ledger = Ledger(partner)
        self.settled: list[Settled] = []
        """The outcome of each check."""
        self.second_answers: list[Settled] = []
        """The outcomes of the repeated checks, accepted or not."""

    async def ask(self, plan: Plan, late_customers: LateCustomers) -> Plan:
        """Ask every check of the plan, then the checks of the late customers.

        The returned plan has the late customers, the learned contexts and the API that answers.
        """
        plan = await self._fetch.choose_api(plan)
        plan = await self._ask_planned(plan, list(plan.questions()))
        if late := await late_customers():
            plan = plan.joined_by(late)
            plan = await self._ask_planned(plan, list(plan.questions_of(late)))
        plan, again = self._fetch.once_more(plan)
        return await self._ask_planned(plan, again) if again else plan

    async def stage_and_recheck(self, plan: Plan, guard: Guard, staged: Staged, body: Body) -> None:
        """Stage the answers. Where so many flipped that a fault is likely, repeat the checks.

        Raises:
            Bug: the requested keys and their outcomes do not add up.
        """
        await run_in_thread(staged.stage, self.settled, body)
        await run_in_thread(self._ledger.close, self.settled, staged.keys, plan.skus_of)
        questions = await self._outage.retry(guard.questions, self.settled)
        if not questions:
            return
        for one in guard.doubted:
            self._progress.event(
                "answers.doubted", partner=self._partner, **msgspec.structs.asdict(one)
            )
        again = Ledger(self._partner)
        fetched = await self._ask(plan, questions, again, "asking again")
        self.second_answers = list(fetched.settled)
        skus_of = fetched.plan.skus_of
        await run_in_thread(guard.judge, self.second_answers, body)
        await run_in_thread(again.close, self.second_answers, staged.keys, skus_of)
        self.settled = list(guard.believed(self.settled, self.second_answers))
        inventory = await run_in_thread(staged.inventory_keys)
        self._ledger.recount(self.settled, inventory, skus_of)

    async def _ask_planned(self, plan: Plan, questions: Sequence[Question | Unasked]) -> Plan:
        fetched = await self._ask(plan, questions, self._ledger, "checking")
        self.settled += fetched.settled
        self._ledger.wait(fetched.waiting, fetched.plan.skus_of)
        return fetched.plan

    async def _ask(
        self, plan: Plan, questions: Sequence[Question | Unasked], ledger: Ledger, phase: str
    ) -> Fetched:
        ledger.ask(questions, plan.skus_of)
        self._progress.phase(self._partner, phase, len(questions))
        return await self._fetch.ask(plan, questions, self._follow)

    def _follow(self, parts: tuple[Settled, ...]) -> None:
        failed = any(p.outcome in {Outcome.FAILED, Outcome.SKIPPED} for p in parts)
        self._progress.step(self._partner, failed=int(failed))
        for part in parts:
            if part.outcome is Outcome.FAILED:
                self._report_event("check.failed", part, reason=part.reason)
            elif part.set_apart:
                self._report_event("items.set_apart", part, items=part.set_apart)

    def _report_event(self, event: str, part: Settled, **fields: object) -> None:
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
