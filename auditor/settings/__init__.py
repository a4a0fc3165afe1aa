"""The configuration: `auditor.toml`, the environment and flags, as one frozen value.

`load` reads it, `values` defines it, `read_secret` reads the secrets that it only names.
"""

from auditor.partner_center.clouds import Cloud
from auditor.settings.load import check_secrets, load, partners_for
from auditor.settings.secret_references import read_secret
from auditor.settings.urls import masked
from auditor.settings.values import (
    AuthKind,
    AvailabilityScope,
    Cache,
    CustomerCountry,
    InventoryApi,
    KeepRaw,
    Limits,
    Metrics,
    Mute,
    Narrow,
    Network,
    Notify,
    Part,
    Partner,
    Route,
    RunOptions,
    Scope,
    Settings,
)

__all__ = [
    "AuthKind",
    "AvailabilityScope",
    "Cache",
    "Cloud",
    "CustomerCountry",
    "InventoryApi",
    "KeepRaw",
    "Limits",
    "Metrics",
    "Mute",
    "Narrow",
    "Network",
    "Notify",
    "Part",
    "Partner",
    "Route",
    "RunOptions",
    "Scope",
    "Settings",
    "check_secrets",
    "load",
    "masked",
    "partners_for",
    "read_secret",
]
