"""One partner's run: discover, plan, fetch, publish. Partners share nothing."""

import asyncio
import difflib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from functools import partial

import msgspec

from auditor import recall
from auditor.checking import Checking
from auditor.coverage import Previous
from auditor.errors import Bug, Retryable, ScopeError
from auditor.facts import Found
from auditor.fetch import Fetch
from auditor.guard import Guard
from auditor.job import Asked, Job
from auditor.journal import Journal, Recorded
from auditor.model import (
    CatalogFound,
    Cell,
    CustomerFound,
    Outcome,
    Question,
    Reply,
    Request,
    Settled,
)
from auditor.partner_center.client import PartnerCenter
from auditor.plan import Plan
from auditor.progress import Progress
from auditor.publish import Published, Publisher
from auditor.quarantine import Quarantine, path_of
from auditor.scope.buyers import Buyers
from auditor.scope.catalog import CatalogDiscovery
from auditor.scope.customers import (
    CustomerDiscovery,
    list_customers,
    match_customers,
)
from auditor.scope.known import Known
from auditor.staged import Staged
from auditor.store.parquet import FolderStore

Send = Callable[[Request], Awaitable[Reply]]
WAITING = 16
"""Calls that may wait in line for each connection: as many as one customer may hold connections,
the other way round, so that those of a customer that hangs do not keep the others from the line."""
_GUID_LENGTH = 36


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """What wave 1 found, and what wave 2 is going to ask."""

    found: Found
    plan: Plan
    at_start: dict[Cell, Previous]
    calls: Counter[str]
    """Calls of wave 1 by endpoint."""


class PartnerRun:
    """Takes one partner through the pipeline."""

    def __init__(
        self,
        job: Job,
        store: FolderStore | None,
        progress: Progress,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """Take the store, or None where nothing is known and nothing will be published."""
        self._job = job
        self._store = store
        self._progress = progress
        self._now = now
        self._calls: Counter[str] = Counter()
        self._quarantine = Quarantine()
        self.unknown: frozenset[str] = frozenset()
        """The names of `--customer` that are nobody's here."""
        self._nearest: tuple[str, ...] = ()

    @asynccontextmanager
    async def _recorded(self, send: Send) -> AsyncIterator[tuple[Journal, Recorded]]:
        journal = Journal(self._job.folder / f"{self._job.partner.tenant_id}.journal")
        try:
            yield journal, Recorded(journal, send)
        except Retryable:
            journal.forget_failures()
            raise
        finally:
            await journal.close()

    async def run(self, send: Send) -> tuple[Published, Asked]:
        """Return what was published.

        Raises:
            PartnerCenterError: the partner is out: its credential is refused, or it is unreachable.
            ScopeError: there is nobody and nothing to ask about; nothing is published.
        """
        name = self._job.partner.name
        async with self._recorded(send) as (journal, recorded):

            def body(key: bytes) -> bytes:
                return journal.read(key).body

            discovered = await self.discover(recorded)
            fetch = self._fetching(discovered.plan, recorded)
            checking = Checking(fetch, self._progress, name)
            await checking.ask()
            with self._staged(discovered.found, fetch.plan) as staged:
                await checking.doubt(Guard(self._known_store(), staged, fetch.plan), staged, body)
                discovered = msgspec.structs.replace(discovered, plan=fetch.plan)
                settled = checking.settled
                await journal.sync()
                self._quarantine.settle([*settled, *checking.again], body)
                self._quarantine.save(path_of(self._job.folder, self._job.partner.tenant_id))
                self._progress.phase(name, "publishing")
                asked = Asked(
                    calls=recorded.calls, retries=recorded.retries, throttled=recorded.throttled
                )
                published = await asyncio.to_thread(
                    self._publish, discovered, settled, asked, staged
                )
            useless = {s.key for s in settled if s.outcome is Outcome.FAILED}
            journal.keep(self._job.settings.run.keep_raw.value, useless | self._quarantine.keys)
        return published, asked

    async def discover(self, send: Send) -> Discovered:
        """Do wave 1, and plan wave 2."""
        job, scope = self._job, self._job.settings.scope
        api = PartnerCenter(self._counting(send), job.base_url, self._quarantine.refuse)
        at_start, known = await asyncio.to_thread(self._recall)
        self._progress.phase(job.partner.name, "discovering")
        customers = await self._customers(api, known)
        if not customers and self.unknown:
            raise self.unknown_customers(self.unknown)
        if not customers:
            raise ScopeError(
                f"{job.partner.name}: the filters left 0 customers; nothing is published",
                hint="look at [scope] customers, and at the partner's countries",
            )
        countries = job.countries
        if not job.covers_catalog:
            countries = tuple(sorted({c for found in customers for c in found.countries}))
        catalogs = [
            await CatalogDiscovery(
                api,
                known,
                job.catalog_rules(),
                country=country,
                reservation_scope=reservation_scope,
                at_once=job.partner.limits.concurrency,
                buyers=Buyers(api, customers, country),
            ).find()
            for country in countries
            if country in job.partner.countries
            for reservation_scope in scope.reservation_scopes
        ]
        self._tell_forbidden(catalogs)
        found = Found(
            known=known,
            customers=tuple(sorted(customers, key=lambda f: f.customer.customer_id)),
            catalogs=tuple(catalogs),
            covers_catalog=job.covers_catalog,
            covers_all_countries=not job.narrow.countries,
            started_at=job.started_at,
        )
        rules = job.plan_rules(is_route_gone=known.is_route_gone)
        plan = Plan(rules, catalogs, customers=found.customers)
        self._check_scope(found, plan)
        return Discovered(found=found, plan=plan, at_start=at_start, calls=self._calls)

    def _counting(self, send: Send) -> Send:
        async def counted(request: Request) -> Reply:
            self._calls[request.endpoint] += 1
            return await send(request)

        return counted

    def _recall(self) -> tuple[dict[Cell, Previous], Known]:
        tenant_id = self._job.partner.tenant_id
        if self._store is None:
            return {}, Known(partner_tenant_id=tenant_id)
        cells = recall.published(self._store, tenant_id)
        return cells, recall.recall(self._store, tenant_id, cells)

    async def _customers(self, api: PartnerCenter, known: Known) -> list[CustomerFound]:
        job, scope = self._job, self._job.settings.scope
        ids = scope.customers
        if job.narrow.customers:
            ids = await self._named_customers(api, job.narrow.customers)
        rules = job.customer_rules(ids)
        listed = await list_customers(api, known, rules)
        todo = len(listed.listed) + len(listed.unconfirmed)
        self._progress.phase(job.partner.name, "customers", todo)
        at_once = job.partner.limits.concurrency
        discovery = CustomerDiscovery(api, known, rules, at_once=at_once)
        customers = []
        async with aclosing(discovery.find(listed)) as found:
            async for customer in found:
                customers.append(customer)
                self._progress.step(job.partner.name, failed=1 if customer.failed else 0)
        if discovery.refusal is not None and all(found.failed for found in customers):
            raise discovery.refusal
        ours = {found.customer.customer_id for found in customers}
        self.unknown |= frozenset(self._job.narrow.customers) & (set(ids or ()) - ours)
        self._nearest = tuple(
            name
            for customer in known.customers.values()
            for name in (customer.company_name, customer.domain, customer.customer_id)
        )
        return customers

    def unknown_customers(self, names: Iterable[str]) -> ScopeError:
        """Return the error for names that are nobody's, with the nearest that are known."""
        shown = sorted(names)
        near = difflib.get_close_matches(shown[0], self._nearest, n=3, cutoff=0.5)
        hint = "a customer is named by id, domain or exact company name"
        return ScopeError(
            f"--customer {', '.join(map(repr, shown))}: no customer of this partner",
            code="E_CUSTOMER_UNKNOWN",
            hint=f"did you mean {' or '.join(map(repr, near))}?" if near else hint,
        )

    async def _named_customers(self, api: PartnerCenter, named: Iterable[str]) -> tuple[str, ...]:
        """Return the ids of customers named by id, domain or exact company name."""
        ids = [name for name in named if _is_guid(name)]
        others = [name for name in named if not _is_guid(name)]
        if others:
            matched = await match_customers(api, others)
            ids += matched.values()
            self.unknown = frozenset(others).difference(matched)
        return tuple(ids)

    def _check_scope(self, found: Found, plan: Plan) -> None:
        """Refuse a scope without SKUs: everything known would look as if it had left."""
        for catalog in found.catalogs:
            if catalog.skus or catalog.carried or catalog.failed or catalog.gone:
                return
        if not any(isinstance(each, Question) for each in plan.questions()):
            raise ScopeError(
                f"{self._job.partner.name}: {len(found.customers)} customers and 0 SKUs to ask"
                " about; nothing is published",
                hint="look at [scope] target_views, products and segments",
            )

    def _fetching(self, plan: Plan, send: Send) -> Fetch:
        return Fetch(
            send,
            plan,
            partial(self._progress.event, partner=self._job.partner.name),
            lifecycle=self._job.settings.scope.lifecycle,
            at_once=WAITING * self._job.partner.limits.concurrency,
        )

    def _staged(self, found: Found, plan: Plan) -> Staged:
        job, store = self._job, self._known_store()
        folder = job.folder / f"{job.partner.tenant_id}.staged"
        return Staged(folder, found, plan, buckets=store.buckets)

    def _known_store(self) -> FolderStore:
        if self._store is None:
            raise Bug("a run without a store has nowhere to publish")
        return self._store

    def _tell_forbidden(self, catalogs: Iterable[CatalogFound]) -> None:
        for catalog in catalogs:
            for listing in catalog.forbidden:
                self._progress.event(
                    "view.forbidden",
                    partner=self._job.partner.name,
                    country=listing.country,
                    view=listing.view,
                    segment=listing.segment,
                    reservation_scope=listing.reservation_scope,
                    code=listing.error_code,
                    request_id=listing.request_id,
                    correlation_id=listing.correlation_id,
                )

    def _publish(
        self, discovered: Discovered, settled: list[Settled], asked: Asked, staged: Staged
    ) -> Published:
        publisher = Publisher(
            self._known_store(),
            discovered.found,
            discovered.plan,
            staged,
            at_start={cell: before.snapshot_id for cell, before in discovered.at_start.items()},
            now=self._now,
        )
        return publisher.publish(self._job.snapshot(asked), settled)


def _is_guid(name: str) -> bool:
    return len(name) == _GUID_LENGTH and name.count("-") == 4  # noqa: PLR2004 - 8-4-4-4-12
