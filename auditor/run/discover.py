"""Wave 1 of one partner: its customers, subscriptions and SKUs, and the plan of the checks.

Wave 2 does not wait for the last few customers: one that hangs would delay all others.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import msgspec

from auditor.errors import ScopeError
from auditor.journal.quarantine import Quarantine
from auditor.model import Cell, Question, Reply, Request
from auditor.partner_center.client import PartnerCenter, Send
from auditor.partner_center.decoding import MOST_TOLD, Spoiled
from auditor.partner_center.failed_listings import FailedListings, by_cause
from auditor.plan.plan import Plan
from auditor.progress import Progress
from auditor.run.job import Job
from auditor.run.naming import Naming
from auditor.run.outage import Outage
from auditor.scope.arrivals import Arrivals
from auditor.scope.buyers import Buyers
from auditor.scope.catalog import CatalogDiscovery
from auditor.scope.customer_list import list_customers, match_customers
from auditor.scope.customers import CustomerDiscovery
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import AtStart, Known, Previous

ONE_LATE_IN = 20
"""Wave 2 starts while up to 1 customer in 20 (at least one) is still being listed."""


class Discovered(msgspec.Struct, frozen=True, kw_only=True):
    """What wave 1 found, and the plan of wave 2."""

    found: Found
    plan: Plan
    at_start: dict[Cell, Previous]
    calls: Counter[str]
    """Calls of wave 1, by endpoint."""
    failed: FailedListings

    def completed(self, plan: Plan) -> "Discovered":
        """Return a copy for the end of wave 1, with every customer and every failed listing."""
        found = msgspec.structs.replace(
            self.found, customers=_sorted(plan.customers), failed_listings=self.failed.all()
        )
        return msgspec.structs.replace(self, found=found, plan=plan)


class Discovery:
    """Discovers one partner's scope. Leaving its context cancels the listings that still run."""

    def __init__(
        self,
        job: Job,
        read_start: Callable[[], AtStart],
        progress: Progress,
        quarantine: Quarantine,
        *,
        naming: Naming | None = None,
    ) -> None:
        """`read_start` returns what the store knows.

        `naming` decides over all partners which customers `--customer` names; None: there is only
        this partner.
        """
        self._job = job
        tenant_id = job.partner.tenant_id
        self._naming = naming or Naming(job.narrow.customers, [tenant_id])
        self._read_start = read_start
        self._progress = progress
        self._quarantine = quarantine
        self.outage = Outage(job.database_s, job.partner.name, progress)
        self._calls: Counter[str] = Counter()
        self._resources = AsyncExitStack()
        self._arrivals: Arrivals | None = None
        self._list_ended_after: int | None = None
        self.asked: tuple[str, ...] = ()
        """The ids of the customers that `--customer` names and that were found."""
        self._nameless = 0

    async def __aenter__(self) -> Self:
        await self._resources.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._resources.__aexit__(kind, error, trace)

    async def find_all(self, send: Send) -> Discovered:
        """Find all customers and catalogs; raises as `find_most` does."""
        discovered = await self.find_most(send)
        return discovered.completed(discovered.plan.joined_by(await self.find_rest()))

    async def find_most(self, send: Send) -> Discovered:
        """Find all catalogs, and all customers but the last few.

        Raises:
            PartnerCenterError: the partner is out: its credential is refused, or it is unreachable.
            ScopeError: there is no customer or no SKU to ask about.
            UsageError: a name given by `--customer` fits no customer, or two.
            NothingNamed: the named customers are those of other partners.
        """
        job, scope = self._job, self._job.settings.scope
        api = PartnerCenter(
            self._counting(send),
            job.base_url,
            refuse=self._quarantine.refuse,
            set_apart=self._set_apart,
            overlook=self._quarantine.overlook,
        )
        at_start = await self.outage.retry(self._read_start)
        known = at_start.known
        self._progress.phase(job.partner.name, "discovering")
        arrivals = await self._customers(api, known)
        customers = arrivals.found
        if not customers and self._nameless:
            raise ScopeError(
                f"{job.partner.name}: none of the {self._nameless} customers listed can be used,"
                " not even their ids; nothing is published",
                hint="the event item.set_apart tells which; report them to Microsoft",
            )
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
        self._report_forbidden(catalogs)
        found = Found(
            known=known,
            customers=_sorted(arrivals.take()),
            catalogs=tuple(catalogs),
            covers_catalog=job.covers_catalog,
            covers_all_countries=not job.narrow.countries,
            started_at=job.started_at,
            list_ended_after=self._list_ended_after,
        )
        rules = job.plan_rules(is_route_gone=known.is_route_gone)
        plan = Plan(rules, catalogs, customers=found.customers)
        self._check_scope(found, plan)
        return Discovered(
            found=found, plan=plan, at_start=at_start.cells, calls=self._calls, failed=api.failed
        )

    async def find_rest(self) -> tuple[CustomerFound, ...]:
        """Wait for the customers that `find_most` left out, and return them."""
        if self._arrivals is None:
            return ()
        await self._arrivals.until(0)
        return _sorted(self._arrivals.take())

    def _counting(self, send: Send) -> Send:
        async def counted(request: Request) -> Reply:
            self._calls[request.endpoint] += 1
            return await send(request)

        return counted

    def _set_apart(self, request: Request, reply: Reply, spoiled: Sequence[Spoiled]) -> None:
        """Record the items of a listing that cannot be used, and write an event about them."""
        self._quarantine.set_apart(request, reply, spoiled)
        self._progress.event(
            "item.set_apart",
            partner=self._job.partner.name,
            endpoint=request.endpoint,
            customer_id=request.customer_id,
            count=len(spoiled),
            names="; ".join(one.shown for one in spoiled[:MOST_TOLD]),
            correlation_id=reply.correlation_id,
        )

    async def _customers(self, api: PartnerCenter, known: Known) -> Arrivals:
        """Start to read the customers; return when all but a few are read."""
        job, scope = self._job, self._job.settings.scope
        ids = scope.customers
        if job.narrow.customers:
            found = await match_customers(api, known, job.narrow.customers)
            ids = self.asked = await self._naming.agree(job.partner.tenant_id, found)
        rules = job.customer_rules(ids)
        listed = await list_customers(api, known, rules)
        self._list_ended_after = listed.ended_after
        self._nameless = listed.nameless
        self._progress.phase(job.partner.name, "customers", len(listed))
        at_once = job.partner.limits.concurrency
        discovery = CustomerDiscovery(api, known, rules, at_once=at_once)
        arrivals = Arrivals(discovery.find(listed), len(listed), self._step)
        self._arrivals = await self._resources.enter_async_context(arrivals)
        await arrivals.until(self._late_allowed(len(listed)))
        if all(found.failed for found in arrivals.found):  # or no customer is in scope yet
            await arrivals.until(0)
            is_none_read = not listed.listed and all(found.failed for found in arrivals.found)
            if is_none_read and discovery.refusal is not None:
                raise discovery.refusal
        return arrivals

    def _late_allowed(self, customers: int) -> int:
        """Return how many customers may still be missing when wave 2 begins.

        It is 0 where the customers decide which catalogs are read, or through which customer.
        """
        is_free = self._job.covers_catalog and not self._job.catalog_rules().also_listed
        return max(1, customers // ONE_LATE_IN) if is_free else 0

    def _step(self, found: CustomerFound) -> None:
        self._progress.step(self._job.partner.name, failed=1 if found.failed else 0)

    def _check_scope(self, found: Found, plan: Plan) -> None:
        """Refuse a scope without SKUs: everything known would look as if it had left.

        If customers are named, such a scope is accepted: there is nothing to ask about them.
        """
        for catalog in found.catalogs:
            if catalog.skus or catalog.carried or catalog.failed or catalog.gone:
                return
        is_named = not found.covers_catalog
        if not any(is_named or isinstance(each, Question) for each in plan.questions()):
            raise ScopeError(
                f"{self._job.partner.name}: {len(found.customers)} customers and 0 SKUs to ask"
                " about; nothing is published",
                hint="look at [scope] target_views, products and segments",
            )

    def report_failed(self, found: Found) -> None:
        """Write one event for each cause of failed listings."""
        for listing, count in by_cause(found.failed_listings):
            ended = {} if listing.listing != "customers" else {"after": found.list_ended_after}
            self._progress.event(
                "listing.failed",
                partner=self._job.partner.name,
                listing=listing.listing,
                reason=listing.reason,
                status=listing.http_status,
                code=listing.error_code,
                count=count,
                customer_id=listing.customer_id,
                country=listing.country,
                product_id=listing.product_id,
                request_id=listing.request_id,
                correlation_id=listing.correlation_id,
                **ended,
            )

    def _report_forbidden(self, catalogs: Iterable[CatalogFound]) -> None:
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


def _sorted(customers: Iterable[CustomerFound]) -> tuple[CustomerFound, ...]:
    return tuple(sorted(customers, key=lambda found: found.customer.customer_id))
