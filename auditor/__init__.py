"""Which SKUs each customer of a Cloud Solution Provider can no longer buy, where, since when, why.

`await audit(load("auditor.toml"))` runs; `open_store("./lake").table("latest_inventory")` reads.
"""

from typing import TYPE_CHECKING, Any

from auditor.version import __version__

if TYPE_CHECKING:  # at run time these load when they are first asked for: see __getattr__
    from auditor.run.result import RunReport
    from auditor.run.run import audit
    from auditor.settings import Narrow, Settings
    from auditor.settings.load import load
    from auditor.store import open_store

__all__ = ["Narrow", "RunReport", "Settings", "__version__", "audit", "load", "open_store"]

_HOMES = {
    "audit": "auditor.run.run",
    "RunReport": "auditor.run.result",
    "Narrow": "auditor.settings",
    "Settings": "auditor.settings",
    "load": "auditor.settings",
    "open_store": "auditor.store",
}


def __getattr__(name: str) -> Any:  # whatever the name stands for
    """Import what the library offers on first use: the command's help must not wait for Arrow."""
    from importlib import import_module  # noqa: PLC0415 - likewise

    if name not in _HOMES:
        raise AttributeError(f"module 'auditor' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
