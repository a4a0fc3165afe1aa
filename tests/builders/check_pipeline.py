"""Runs one partner's checks from plan to rows, in process, under the conservation ledger."""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable

import msgspec

from auditor.guard.conservation import Ledger
from auditor.model import Outcome, Reply, Request, Settled
from auditor.normalize.answers import Answers
from auditor.plan.plan import Plan
from tests.unit.fetch.test_fetch import fetching


class CheckRun(msgspec.Struct, kw_only=True):
    """The results of all checks; the ledger is not closed yet."""

    ledger: Ledger
    settled: list[Settled]
    rows: Counter[bytes]
    answers: Answers
    plan: Plan

    def close(self) -> None:
        """Close the ledger: raise if a check is lost or counted twice."""
        self.ledger.close(self.settled, self.rows, self.plan.skus_of)


async def run_checks(plan: Plan, send: Callable[[Request], Awaitable[Reply]]) -> CheckRun:
    """Send all planned checks, and stage the answers."""
    bodies: dict[bytes, bytes] = {}

    async def remembered(request: Request) -> Reply:
        reply = await send(request)
        bodies[request.key()] = reply.body
        return reply

    ledger, settled = Ledger("contoso"), list[Settled]()
    fetch = fetching(remembered)
    questions = list(plan.questions())
    while questions:
        ledger.ask(questions, plan.skus_of)
        fetched = await fetch.ask(plan, questions)
        settled += fetched.settled
        ledger.wait(fetched.waiting, fetched.plan.skus_of)
        plan, questions = fetch.once_more(fetched.plan)
    answers = Answers(plan.skus_of, lambda check, _: check.arm_region, ("commercial",))
    rows = staged(answers, settled, bodies)
    return CheckRun(ledger=ledger, settled=settled, rows=rows, answers=answers, plan=plan)


def staged(
    answers: Answers, settled: Iterable[Settled], bodies: dict[bytes, bytes]
) -> Counter[bytes]:
    """Add the answers; return the number of answered keys of each reply."""
    rows: Counter[bytes] = Counter()
    for each in settled:
        if each.outcome is Outcome.ANSWERED:
            before = answers.keys
            answers.add(each, bodies[each.key])
            rows[each.key] += answers.keys - before
    return rows
