"""Holds the stores of snapshots: `open_store` opens the store at a URL."""

from typing import TYPE_CHECKING

from auditor.errors import SettingsError

if TYPE_CHECKING:  # Arrow and DuckDB load when a store is opened, not with the command line
    from auditor.store.interface import Store


def open_store(url: str, *, create: bool = False) -> "Store":
    """Return the store at `url`; with `create`, a folder store that does not exist is made.

    Raises SettingsError for a URL scheme that has no store.
    """
    if url.partition("://")[0].partition("+")[0] == "postgresql":
        from auditor.store.postgres.store import PostgresStore  # noqa: PLC0415 - loads Arrow

        return PostgresStore.open(url)
    from auditor.store.folder.store import FolderStore  # noqa: PLC0415 - loads Arrow

    return FolderStore.open(_folder(url), create=create)


def _folder(url: str) -> str:
    if "://" in url and not url.startswith("file://"):
        raise SettingsError(
            f"store: no store for {url.partition('://')[0]}:// URLs",
            hint='use a folder or a database: "./lake", "postgresql://auditor@db/audit"',
        )
    return url.removeprefix("file://")
