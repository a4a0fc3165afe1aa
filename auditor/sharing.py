"""Which quota a partner's calls share with other processes (docs/decisions/0008)."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from auditor.errors import SettingsError
from auditor.partner_center.quota import LocalQuota, Quota, Unshareable, own_folder
from auditor.settings import Limits, Partner


def per_minute(limits: Limits) -> dict[str, float]:
    """Return the calls a minute of each API class."""
    return {
        "customers": limits.customers,
        "catalog": limits.catalog,
        "inventory": limits.inventory,
    }


def quotas_of(partner: Partner, environ: Mapping[str, str]) -> dict[str, Quota]:
    """Return what each API class shares; nothing where the configuration says so.

    Raises:
        SettingsError: there is no place to share it in.
    """
    shared = partner.limits.shared
    if shared == "none":
        return {}
    if shared != "local":
        raise SettingsError(
            f"partner {partner.name}: limits.shared: only local and none are in this version"
        )
    folder = _folder(environ)
    return {
        api_class: LocalQuota(folder, f"{partner.tenant_id} {api_class}", limit)
        for api_class, limit in per_minute(partner.limits).items()
    }


def _folder(environ: Mapping[str, str]) -> Path:
    """Return a folder of this user's own: the same for every configuration on this machine."""
    refusals = []
    for folder in _places(environ):
        try:
            return own_folder(folder)
        except Unshareable as exc:
            refusals.append(str(exc))
    raise SettingsError(
        f'limits.shared = "local": no place to share a quota in: {"; ".join(refusals)}',
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
