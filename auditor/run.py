"""The whole pipeline: every partner's run side by side, and one exit status for all of them."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from auditor.clock import never_back
from auditor.discovery import Discovery, Send
from auditor.errors import (
    AuditorError,
    Bug,
    Locked,
    ScopeError,
    StoreFailed,
    StoreUnwritable,
    Unreachable,
)
from auditor.forecast import Forecast, forecast
from auditor.job import Job
from auditor.login import Login
from auditor.partner_center.breaker import Patience
from auditor.partner_center.pacing import Pacer
from auditor.partner_center.rates import Limits
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.transport import Transport
from auditor.partner_run import PartnerRun
from auditor.progress import Progress, Silent
from auditor.quarantine import Quarantine
from auditor.run_report import (
    NothingPublished,
    RunReport,
    SnapshotReport,
    not_published,
    published_before,
)
from auditor.run_state import Header, Runs
from auditor.secret import Secret
from auditor.settings import Narrow, Partner, Settings, partners_for
from auditor.settings.secrets import Secrets
from auditor.sharing import per_minute, quotas_of
from auditor.stopping import as_auditor_error
from auditor.store import open_store

if TYPE_CHECKING:
    from auditor.store.protocol import Store

INCOMPLETE = 3
CHANGED = 10


class World(msgspec.Struct, frozen=True, kw_only=True):
    """What a run takes from outside itself."""

    environ: Mapping[str, str]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    clock: Callable[[], float] = time.monotonic
    entropy: Callable[[], str] = lambda: token_hex(3)
    hide: Callable[[Secret], None] = lambda _: None
    """Is told each secret and each token, so that no log shows it."""
    patience: Patience = Patience()
    database_s: float = 300.0
    """How long each partner waits for a database that went away."""


async def audit(
    settings: Settings,
    narrow: Narrow | None = None,
    progress: Progress | None = None,
    *,
    world: World | None = None,
) -> RunReport:
    """Audit every partner, publish what is found, and return what it came to.

    Raises:
        NothingPublished: no partner could be asked, or none of them could be published.
        AuditorError: nothing was begun; its `exit_status` says why.
    """
    world = world or World(environ=os.environ)
    run = _Run(settings, narrow or Narrow(), progress or Silent(), world)
    return await run.audit()


async def foresee(
    settings: Settings, narrow: Narrow | None = None, *, world: World | None = None
) -> Forecast:
    """Return what a run would ask, having asked wave 1 only; nothing is journaled or published."""
    world = world or World(environ=os.environ)
    run = _Run(settings, narrow or Narrow(), Silent(), world)
    return await run.foresee()


class _Run:
    def __init__(
        self, settings: Settings, narrow: Narrow, progress: Progress, world: World
    ) -> None:
        self._settings = settings
        self._narrow = narrow
        self._progress = progress
        self._world = world
        self._now = world.now
        self._partners = [
            partner
            for partner in partners_for(settings, narrow)
            if not narrow.countries or set(narrow.countries) & set(partner.countries)
        ]
        self._runs: list[PartnerRun] = []
        self._budget = RetryBudget()

    async def audit(self) -> RunReport:
        started = self._world.clock()
        runs = Runs(self._settings.state_dir)
        header = runs.to_resume(self._settings, self._narrow, self._world.now())
        if header is not None and header.is_finished:
            self._progress.event("run.finished_before", run=header.run_id)
            return RunReport(run_id=header.run_id, exit=0, seconds=0.0, snapshots=())
        # one that is away is waited for later only: so far there is nothing to lose by ending
        store = open_store(self._settings.store, create=True)
        self._keep_order(store.last_published_at())
        tenants = [partner.tenant_id for partner in self._partners]
        if header is None:
            header = runs.begin(
                self._settings, self._narrow, tenants, self._now(), self._world.entropy()
            )
        with ExitStack() as held:
            held.enter_context(runs.locked(tenants if self._narrow.is_full else (), header))
            runs.keep(header)
            now, hours = self._world.now(), self._settings.run.resume_max_age_hours
            runs.prune(now, hours)
            self._progress.event("run.started", run=header.run_id, partners=len(self._partners))
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        self._partner(partner, header, store, runs.folder(header.run_id))
                    )
                    for partner in self._partners
                ]
            results = [task.result() for task in tasks]
        ended = list(zip(self._partners, results, strict=True))
        if self._narrow.customers:
            # a customer belongs to one partner: it is no failure that the others do not know it
            ended = [(p, r) for p, r in ended if not isinstance(r, ScopeError)] or ended
        errors = [result for _, result in ended if isinstance(result, AuditorError)]
        reports = [
            not_published(partner, header, result) if isinstance(result, AuditorError) else result
            for partner, result in ended
        ]
        self._check_customers()
        seconds = round(self._world.clock() - started, 3)
        if len(errors) == len(reports):
            report = RunReport(
                run_id=header.run_id,
                exit=errors[0].exit_status,
                seconds=seconds,
                snapshots=tuple(reports),
            )
            raise NothingPublished(errors[0], report) from errors[0]
        if not any(isinstance(error, (Locked, StoreFailed, StoreUnwritable)) for error in errors):
            runs.finish(header)
        report = RunReport(
            run_id=header.run_id,
            exit=self._exit(reports, errors),
            seconds=seconds,
            snapshots=tuple(reports),
        )
        self._progress.event("run.finished", run=report.run_id, exit=report.exit)
        return report

    def _check_customers(self) -> None:
        """Refuse a `--customer` that no partner knows."""
        if self._runs:
            unknown = frozenset.intersection(*(run.discovery.unknown for run in self._runs))
            if unknown:
                raise self._runs[0].discovery.unknown_customers(unknown)

    def _keep_order(self, latest: datetime | None) -> None:
        """Go on after the latest snapshot, even where the clock was set back since."""
        self._now = never_back(self._world.now, latest)
        if latest is not None and (now := self._world.now()) < latest:
            behind_s = round((latest - now).total_seconds())
            self._progress.event("clock.behind", seconds=behind_s, latest=latest.isoformat())

    def _exit(self, reports: list[SnapshotReport], errors: list[AuditorError]) -> int:
        if errors or any(report.status != "complete" for report in reports):
            return INCOMPLETE
        kinds = {kind for report in reports for kind in report.changes}
        return CHANGED if kinds & {kind.value for kind in self._narrow.fail_on} else 0

    async def _partner(
        self, partner: Partner, header: Header, store: "Store", folder: Path
    ) -> SnapshotReport | AuditorError:
        """Return what became of one partner: its failure is a value, the others go on."""
        job = self._job(partner, header, folder)
        partner_run = PartnerRun(job, store, self._progress, now=self._now)
        outage = partner_run.discovery.outage
        try:
            if job.snapshot_id in await outage.outlasted_by(store.published):
                await partner_run.clear_up()
                row = await outage.outlasted_by(store.snapshot, job.snapshot_id)
                return published_before(partner, row)
            self._runs.append(partner_run)
            async with self._sending(job) as send:
                published, asked = await partner_run.run(send)
        except (AuditorError, OSError) as failure:
            error = as_auditor_error(failure)
            if isinstance(error, Bug):
                raise  # ours, so no other partner's snapshot can be trusted either
            self._progress.event(
                "partner.not_published",
                partner=partner.name,
                code=error.error_code,
                reason=error.message,
            )
            return error
        self._progress.event(
            "snapshot.published",
            partner=partner.name,
            snapshot=published.snapshot_id,
            status=published.status,
            changes=sum(published.changes.values()),
        )
        return SnapshotReport(
            partner=partner.name,
            snapshot_id=published.snapshot_id,
            status=published.status,
            published=True,
            reason="",
            calls=asked.calls,
            retries=asked.retries,
            throttled=asked.throttled,
            checks=published.checks,
            rows=published.rows,
            changes=published.changes,
        )

    def _job(self, partner: Partner, header: Header, folder: Path) -> Job:
        return Job(
            settings=self._settings,
            partner=partner,
            narrow=self._narrow,
            run_id=header.run_id,
            snapshot_id=header.snapshots[partner.tenant_id],
            started_at=header.started_at,
            folder=folder,
            database_s=self._world.database_s,
        )

    @asynccontextmanager
    async def _sending(self, job: Job) -> AsyncIterator[Send]:
        partner, limits = job.partner, job.partner.limits
        network, environ = self._settings.network, self._world.environ
        secrets = Secrets(environ, self._settings.folder, network, seen=self._world.hide)
        login = Login(partner, network, environ, secrets)
        pacing = Limits(
            per_minute=per_minute(limits),
            per_customer=limits.per_customer,
            concurrency=limits.concurrency,
        )
        async with (
            quotas_of(partner, environ) as quotas,
            Pacer(pacing, quotas=quotas) as pacer,
            Transport(
                job.base_url,
                await login.tokens(),
                pacer,
                now=self._now,
                patience=self._world.patience,
                deadline=self._deadline(),
                budget=self._budget,
                proxy=network.proxy,
                ca_file=str(network.ca_file) if network.ca_file else "",
            ) as transport,
        ):
            try:
                yield transport.send
            except Unreachable as error:
                raise (login.failure or _with_host(error, job)) from error

    def _deadline(self) -> float | None:
        """Return when this part of the run ends at the latest: with what `--resume` would pick up.

        None where nothing is ever resumed by itself.
        """
        hours = self._settings.run.resume_max_age_hours
        return time.monotonic() + 3600 * hours if hours else None

    async def foresee(self) -> Forecast:
        try:
            store = open_store(self._settings.store)
        except AuditorError:
            store = None
        forecasts = []
        for partner in self._partners:
            header = Header(
                run_id="",
                started_at=self._world.now(),
                config_hash="",
                identity={},
                snapshots={partner.tenant_id: ""},
            )
            job = self._job(partner, header, Path())
            discovery = Discovery(job, store, Silent(), Quarantine().refuse)
            async with self._sending(job) as send, discovery:
                discovered = await discovery.whole(send)
            forecasts.append(forecast(partner, discovered))
        return Forecast.of(forecasts)


def _with_host(error: Unreachable, job: Job) -> Unreachable:
    """Return an error that says where nobody answered."""
    if error.status:
        return error
    url = urlsplit(job.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    return Unreachable(f"{url.hostname}:{port}: {error.message}", hint=error.hint)
