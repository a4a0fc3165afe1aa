"""The work on one bucket of a partner: ask its checks, stage the answers, doubt mass changes."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from auditor.guard.mass_changes import Guard
from auditor.journal.journal import Journal, Recorded
from auditor.journal.quarantine import Quarantine
from auditor.model import bucket_of
from auditor.normalize.staged import Staged
from auditor.partner_center.client import Send
from auditor.plan.plan import Plan
from auditor.progress import Progress
from auditor.run.check import Checking
from auditor.run.job import Job
from auditor.run.outage import Outage
from auditor.run.partner import fetching
from auditor.run.parts.result import Result, learned_in
from auditor.scope.found import CustomerFound, Found
from auditor.store.interface import Store


def part_of(plan: Plan, bucket: int, buckets: int) -> Plan:
    """Return the part of a plan about one bucket's customers; one bucket has the catalog too."""
    customers = tuple(
        found
        for found in plan.customers
        if bucket_of(found.customer.customer_id, buckets) == bucket
    )
    return plan.of(customers, by_country=bucket_of("", buckets) == bucket)


def with_learned(plan: Plan, results: Iterable[Result]) -> Plan:
    """Return a plan with what other buckets have learned about products and the inventory API."""
    variables: dict[tuple[str, str, str], tuple[str, ...]] = {}
    is_moved = False
    for result in results:
        is_moved = is_moved or (result.is_route_gone and not plan.rules.is_route_gone)
        for each in result.learned:
            variables[each.product] = (*variables.get(each.product, ()), *each.variables)
    if variables:
        plan = plan.learned(variables)
    return plan.moved() if is_moved else plan


class BucketWork:
    """Asks the checks of a partner's buckets, one bucket at a time."""

    def __init__(self, job: Job, store: Store, progress: Progress, outage: Outage) -> None:
        self._job = job
        self._store = store
        self._progress = progress
        self._outage = outage

    @asynccontextmanager
    async def asked(
        self, found: Found, plan: Plan, journal: Journal, send: Send, folder: Path
    ) -> AsyncIterator[tuple[Result, Staged]]:
        """Ask the checks of a bucket's plan, and yield their outcomes and the staged answers.

        A request whose reply is in the journal is not sent. Answers are staged in `folder`.
        """

        def body(key: bytes) -> bytes:
            return journal.read(key).body

        fetch = fetching(self._job, Recorded(journal, send), self._progress)
        name = self._job.partner.name
        checking = Checking(fetch, self._progress, name, self._outage)
        plan = await checking.ask(plan, _no_latecomers)
        with Staged(folder, found, plan, buckets=self._store.buckets) as staged:
            guard = Guard(self._store, staged, plan)
            await checking.stage_and_recheck(plan, guard, staged, body)
            unusable = Quarantine()
            unusable.settle([*checking.settled, *checking.second_answers], body)
            yield (
                Result(
                    settled=tuple(checking.settled),
                    learned=learned_in(plan),
                    is_route_gone=plan.rules.is_route_gone,
                    unusable=unusable.records,
                ),
                staged,
            )


async def _no_latecomers() -> tuple[CustomerFound, ...]:
    """Return no customers: all are discovered before a bucket is asked."""
    return ()
