"""Finds out what a run would ask: wave 1 of every partner, side by side, and nothing else."""

import asyncio
import os
from functools import partial
from pathlib import Path

import msgspec

from auditor.errors import AuditorError
from auditor.journal.quarantine import Quarantine
from auditor.partner_center.retry import RetryBudget
from auditor.progress import Silent
from auditor.run.discover import Discovery
from auditor.run.forecast import Forecast, forecast
from auditor.run.job import Job
from auditor.run.naming import Naming, NothingNamed
from auditor.run.run import cause_of
from auditor.run.runtime import Runtime
from auditor.run.sending import sending
from auditor.scope import recall
from auditor.scope.known import AtStart, Known
from auditor.settings import Narrow, Partner, Settings, check_secrets, partners_for
from auditor.store import open_store
from auditor.store.interface import Store


async def forecast_run(
    settings: Settings, narrow: Narrow | None = None, *, runtime: Runtime | None = None
) -> Forecast:
    """Return what a run would ask. Only wave 1 is asked; nothing is journaled or published."""
    work = _Forecasting(settings, narrow or Narrow(), runtime or Runtime(environ=os.environ))
    return await work.of_all()


class _Forecasting:
    def __init__(self, settings: Settings, narrow: Narrow, runtime: Runtime) -> None:
        self._settings = settings
        self._narrow = narrow
        self._runtime = runtime
        self._partners = partners_for(settings, narrow)
        self._naming = Naming(narrow.customers, [partner.tenant_id for partner in self._partners])
        self._budget = RetryBudget()
        self._store = self._open_store()

    def _open_store(self) -> Store | None:
        try:
            return open_store(self._settings.store)
        except AuditorError:
            return None

    async def of_all(self) -> Forecast:
        """Return the forecast of all partners together."""
        found: dict[str, Forecast] = {}
        errors: dict[str, AuditorError] = {}

        async def one(partner: Partner) -> None:
            try:
                found[partner.tenant_id] = await self._of(partner)
            except NothingNamed:
                pass
            except AuditorError as error:
                errors[partner.tenant_id] = error
            finally:
                self._naming.out(partner.tenant_id)

        async with asyncio.TaskGroup() as group:
            for partner in self._partners:
                group.create_task(one(partner))
        failures = [(p.name, errors[p.tenant_id]) for p in self._partners if p.tenant_id in errors]
        if failures and not found:
            raise cause_of([error for _, error in failures])
        parts = [found[p.tenant_id] for p in self._partners if p.tenant_id in found]
        return msgspec.structs.replace(Forecast.of(parts), failures=tuple(failures))

    async def _of(self, partner: Partner) -> Forecast:
        runtime = self._runtime
        job = Job(
            settings=self._settings,
            partner=partner,
            narrow=self._narrow,
            run_id="",
            snapshot_id="",
            started_at=runtime.now(),
            folder=Path(),
            database_s=runtime.database_s,
        )
        discovery = Discovery(
            job, partial(self._at_start, partner), Silent(), Quarantine(), naming=self._naming
        )
        check_secrets(self._settings, partner, runtime.environ)
        async with (
            sending(job, runtime, now=runtime.now, budget=self._budget) as send,
            discovery,
        ):
            return forecast(self._settings, partner, await discovery.find_all(send))

    def _at_start(self, partner: Partner) -> AtStart:
        """Return what the store knows; there may be no store yet."""
        if self._store is None:
            return AtStart(cells={}, known=Known(partner_tenant_id=partner.tenant_id))
        return recall.at_start(self._store, partner.tenant_id)
