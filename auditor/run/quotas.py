"""The quota that a partner's calls share with other processes (docs/decisions/0008)."""

import os
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from auditor.database_url import Unreadable, shown
from auditor.errors import QuotaUnreachable, SettingsError
from auditor.partner_center.pacing.local_quota import LocalQuota, Quota, Unshareable, own_folder
from auditor.partner_center.pacing.shared_quota import BucketQuota, DatabaseUnreachable
from auditor.settings import Limits, Partner


def per_minute(limits: Limits) -> dict[str, float]:
    """Return the calls a minute of each API class."""
    return {"customers": limits.customers, "catalog": limits.catalog, "inventory": limits.inventory}


@asynccontextmanager
async def quotas_of(
    partner: Partner, environ: Mapping[str, str], *, processes: int = 1
) -> AsyncIterator[dict[str, Quota]]:
    """Open the shared quota of each API class; none with `limits.shared = "none"`.

    `processes` share it at the same time.

    Raises:
        SettingsError: no folder can hold the quota, or the database's driver is missing.
        QuotaUnreachable: the database cannot be opened.
    """
    shared = partner.limits.shared
    limits = per_minute(partner.limits)
    names = {api_class: f"{partner.tenant_id} {api_class}" for api_class in limits}
    if shared == "none":
        yield {}
    elif shared == "local":
        folder = _folder(environ)
        yield {name: LocalQuota(folder, names[name], limits[name]) for name in limits}
    else:
        async with AsyncExitStack() as opened:
            yield {
                name: await opened.enter_async_context(
                    _bucket(shared, names[name], limits[name], processes)
                )
                for name in limits
            }


@asynccontextmanager
async def _bucket(url: str, name: str, limit: float, processes: int) -> AsyncIterator[Quota]:
    try:
        quota = BucketQuota(url, name, limit, processes=processes)
        await quota.open()
    except ImportError as exc:
        extra = "shared-postgres" if url.startswith("postgresql:") else "shared-redis"
        raise SettingsError(
            f"limits.shared: {exc.name} is not installed",
            hint=f"pip install 'csp-sku-auditor[{extra}]'",
        ) from exc
    except Unreadable as exc:
        raise SettingsError(f"limits.shared: the URL {exc.reason}", hint=exc.hint) from None
    except DatabaseUnreachable as exc:
        raise QuotaUnreachable(
            f"limits.shared: {shown(url)} cannot be opened: {exc}",
            hint="start the database and try again with --resume",
        ) from None  # the driver's error may hold a part of the URL
    try:
        yield quota
    finally:
        await quota.close()


def _folder(environ: Mapping[str, str]) -> Path:
    """Return a folder that only this user can write to, the same for every configuration."""
    refusals = []
    for folder in _places(environ):
        try:
            return own_folder(folder)
        except Unshareable as exc:
            refusals.append(str(exc))
    raise SettingsError(
        f'limits.shared = "local": no folder can hold the shared quota: {"; ".join(refusals)}',
        hint='set HOME to a folder that can be written, or shared = "none"',
    )


def _places(environ: Mapping[str, str]) -> list[Path]:
    places = []
    state = environ.get("XDG_STATE_HOME", "")
    home = environ.get("HOME", "")
    if Path(state).is_absolute():
        places.append(Path(state))
    elif Path(home).is_absolute():
        places.append(Path(home, ".local", "state"))
    found = [place / "csp-sku-auditor" / "quota" for place in places]
    return [*found, Path(tempfile.gettempdir()) / f"csp-sku-auditor-{os.geteuid()}"]
