"""Where snapshots live: `open_store` gives the store that a URL names."""

from typing import TYPE_CHECKING

from auditor.errors import SettingsError

if TYPE_CHECKING:  # Arrow and DuckDB load when a store is opened, not with the command line
    from auditor.store.interface import Store


def open_store(url: str, *, create: bool = False) -> "Store":
    """Return the store at `url`; a folder is made there first where `create` says so.

    Raises SettingsError for a URL of a kind there is no store for.
    """
    if url.partition("://")[0].partition("+")[0] == "postgresql":
        from auditor.store.postgres.store import PostgresStore  # noqa: PLC0415 - loads Arrow

        return PostgresStore.open(url)
    from auditor.store.folder.store import FolderStore  # noqa: PLC0415 - likewise

    return FolderStore.open(_folder(url), create=create)


def _folder(url: str) -> str:
    if "://" in url and not url.startswith("file://"):
        raise SettingsError(
            f"store: there is none for {url.partition('://')[0]}://",
            hint='as in "./lake" or "postgresql://auditor@db/audit"',
        )
    return url.removeprefix("file://")
