"""Connects a run to the Partner Center of one partner: sign-in, quota, pace and transport."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from urllib.parse import urlsplit

from auditor.errors import Unreachable
from auditor.login.secrets import Secrets
from auditor.login.sign_in import Login
from auditor.partner_center.client import Send
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.retry import RetryBudget
from auditor.partner_center.transport import Transport
from auditor.run.job import Job
from auditor.run.quotas import per_minute, quotas_of
from auditor.run.runtime import Runtime
from auditor.run.time_limit import deadline


@asynccontextmanager
async def sending(
    job: Job, runtime: Runtime, *, now: Callable[[], datetime], budget: RetryBudget
) -> AsyncIterator[Send]:
    """Open the connection of one partner, and yield the function that sends its requests.

    Raises:
        Unreachable: the Partner Center or the sign-in does not answer; names the host.
        AuditorError: a secret cannot be read, or the sign-in is refused.
    """
    partner, limits, environ = job.partner, job.partner.limits, runtime.environ
    network, part = job.settings.network, job.narrow.part
    login = Login(
        partner,
        network,
        environ,
        Secrets(environ, job.settings.folder, network, seen=runtime.hide),
    )
    pacing = PaceLimits(
        per_minute=per_minute(limits),
        per_customer=limits.per_customer,
        concurrency=limits.concurrency,
    )
    async with (
        quotas_of(partner, environ, processes=part.of if part else 1) as quotas,
        Pacer(pacing, quotas=quotas) as pacer,
        Transport(
            job.base_url,
            await login.tokens(),
            pacer,
            clock=runtime.clock,
            now=now,
            patience=runtime.patience,
            deadline=deadline(
                runtime.clock(), job.settings.run.resume_max_age_hours, job.asks_until
            ),
            budget=budget,
            proxy=network.proxy,
            ca_file=str(network.ca_file) if network.ca_file else "",
        ) as transport,
    ):
        try:
            yield transport.send
        except Unreachable as error:
            raise (login.failure or _with_host(error, job)) from error


def _with_host(error: Unreachable, job: Job) -> Unreachable:
    """Return the error with the host and port that did not answer."""
    if error.status:
        return error
    url = urlsplit(job.base_url)
    port = url.port or (443 if url.scheme == "https" else 80)
    return Unreachable(f"{url.hostname}:{port}: {error.message}", hint=error.hint)
