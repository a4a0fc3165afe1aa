"""Holds the stores of snapshots: `open_store` opens the store at a URL."""

from importlib.util import find_spec
from typing import TYPE_CHECKING

from auditor.errors import SettingsError
from auditor.object_url import is_object_url

if TYPE_CHECKING:  # Arrow and DuckDB load when a store is opened, not with the command line
    from auditor.store.interface import Store


def open_store(url: str, *, create: bool = False) -> "Store":
    """Return the store at `url`; with `create`, a store that does not exist is made.

    The tables of PostgreSQL are not made here. Raises SettingsError for a URL scheme that has no
    store.
    """
    if url.partition("://")[0].partition("+")[0] == "postgresql":
        from auditor.store.postgres.store import PostgresStore  # noqa: PLC0415 - loads Arrow

        return PostgresStore.open(url)
    if is_object_url(url):
        _check_extra(url)
        from auditor.store.objects.store import ObjectStore  # noqa: PLC0415 - loads Arrow

        return ObjectStore.open(url, create=create)
    from auditor.store.folder.store import FolderStore  # noqa: PLC0415 - loads Arrow

    return FolderStore.open(_folder(url), create=create)


def tried_out(url: str) -> bool:
    """Try to write, read and remove an object at `url`; return True if a store is there.

    Raises the error that a run would end with.
    """
    _check_extra(url)
    from auditor.store.objects import create  # noqa: PLC0415 - an extra

    return create.tried_out(url)


def _check_extra(url: str) -> None:
    if find_spec("obstore") is None:
        raise SettingsError(
            f"store: {url.partition('://')[0]}:// URLs need the `objects` extra",
            hint="pip install 'csp-sku-auditor[objects]'",
        )


def _folder(url: str) -> str:
    if "://" in url and not url.startswith("file://"):
        raise SettingsError(
            f"store: no store for {url.partition('://')[0]}:// URLs",
            hint='as in "./lake", "postgresql://auditor@db/audit" or "s3://bucket/prefix"',
        )
    return url.removeprefix("file://")
