"""A customer that wave 1 finds late: the others do not wait for it, and no row of it is lost."""

import asyncio
import dataclasses
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.model import ApiClass, Reply, Request
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.progress import Silent
from auditor.run.job import Job
from auditor.run.partner import PartnerRun
from auditor.secret import Secret
from auditor.settings import Narrow
from auditor.store import open_store
from tests.builders.nightly import SMALL, Night, nights

LIMITS = PaceLimits(
    per_minute={api_class.value: 1e6 for api_class in ApiClass}, per_customer=1e6, concurrency=16
)
CHECKS = {"check_inventory", "customer_availabilities"}


def job_of(night: Night, folder: Path) -> Job:
    settings = night.scoped(availability_always=())
    return Job(
        settings=settings,
        partner=settings.partner[0],
        narrow=Narrow(),
        run_id="20261121T020000Z-aaaaaa",
        snapshot_id="20261121T020000Z-bbbbbb",
        started_at=datetime(2026, 11, 21, 2, 0, tzinfo=UTC),
        folder=folder,
    )


@pytest.mark.asyncio
async def test_a_customer_that_is_found_last_delays_no_other(tmp_path: Path) -> None:
    """P20: a customer that hangs in discovery delays no other.

    The server holds its replies until a check of another customer arrives: if the others waited
    for it, this test would never end.
    """
    async with nights(tmp_path, 5, size=dataclasses.replace(SMALL, partners=1)) as night:
        tenant = night.world.partners()[0]
        customers = [
            c.customer_id for c in night.world.state(1).customers(tenant.partner_tenant_id)
        ]
        late = next(c for c in customers if len(night.world.azure_subscriptions(c)) > 1)
        others_are_asked = asyncio.Event()
        asked: list[str] = []

        async with (
            Pacer(LIMITS) as pacer,
            Transport(night.sandbox.base_url, GivenToken(Secret(tenant.token)), pacer) as transport,
        ):

            async def send(request: Request) -> Reply:
                if request.endpoint in CHECKS:
                    asked.append(request.customer_id)
                    others_are_asked.set()
                elif request.customer_id == late:
                    await others_are_asked.wait()
                return await transport.send(request)

            job = job_of(night, tmp_path / "run")
            store = open_store(job.settings.store, create=True)
            run = PartnerRun(job, store, Silent(), now=lambda: datetime.now(UTC))
            await asyncio.wait_for(run.run(send), 60)

        assert late in asked
        assert night.inventory() == night.inventory_truth(1)
        assert night.availability() == night.availability_truth(1)
