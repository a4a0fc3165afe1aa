"""Measures how much one hanging or always refused customer of a hundred delays the others.

It audits the same portfolio with and without the fault, and compares when the last check of the
others was answered. The customer fails after it was discovered, or from the start.
"""

import asyncio
import tempfile
from pathlib import Path

import msgspec

from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults, Sandbox, World, WorldSize, config_text, environment_token
from auditor.settings import Settings, load

SIZE = WorldSize(partners=1, customers=100)
CHECKS = ("check_inventory", "by_resource_type", "customer_availabilities")
DEAD = {
    "hangs": {"endpoint": CHECKS, "delay_s": 600.0},
    "hangs from the start": {"delay_s": 600.0},
    "is answered 429, retry after 57 s": {
        "endpoint": CHECKS,
        "status": 429,
        "headers": {"Retry-After": "57"},
    },
    "is answered so from the start": {"status": 429, "headers": {"Retry-After": "57"}},
    "is answered 429, without Retry-After": {"endpoint": CHECKS, "status": 429},
    "is answered 500": {"endpoint": CHECKS, "status": 500},
}


def paced(settings: Settings) -> Settings:
    """Return the settings with limits that the portfolio keeps busy for a while."""
    return msgspec.structs.replace(
        settings,
        partner=tuple(
            msgspec.structs.replace(
                partner,
                limits=msgspec.structs.replace(
                    partner.limits, customers=6000, catalog=2400, inventory=1200, per_customer=600
                ),
            )
            for partner in settings.partner
        ),
    )


async def others_s(fault: dict[str, object] | None, calls: int) -> tuple[float, int]:
    """Return when the others had `calls` answers (0: all), in seconds, and their number."""
    async with Sandbox(World(1, SIZE)) as sandbox:
        tenant = sandbox.world.partners()[0].partner_tenant_id
        customers = [c.customer_id for c in sandbox.world.state(1).customers(tenant)]
        dead = next(c for c in customers if len(sandbox.world.azure_subscriptions(c)) > 1)
        if fault is not None:
            sandbox.faults = Faults((Fault(customer=dead, **fault),))  # type: ignore[arg-type]
        with tempfile.TemporaryDirectory() as folder:
            partners = sandbox.world.partners()
            environ = {environment_token(p).removeprefix("env:"): p.token for p in partners}
            path = Path(folder) / "auditor.toml"
            path.write_text(config_text(sandbox.world, sandbox.base_url, environment_token))
            settings = paced(load(path, environ))
            run = asyncio.create_task(audit(settings, runtime=Runtime(environ=environ)))

            def answered() -> list[float]:
                return [r.finished for r in sandbox.log.records if r.customer != dead]

            while not run.done() and not 0 < calls <= len(answered()):  # noqa: ASYNC110 - a log calls nobody
                await asyncio.sleep(0.05)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
            times = answered()
            return max(times) - min(r.time for r in sandbox.log.records), len(times)


def main() -> None:
    without_s, calls = asyncio.run(others_s(None, 0))
    print(f"without it {without_s:.1f} s for {calls} calls of the others")
    for what, fault in DEAD.items():
        with_s, found = asyncio.run(others_s(dict(fault), calls))
        print(f"one customer {what}: {with_s / without_s:.2f} times, {found} calls")


if __name__ == "__main__":
    main()
