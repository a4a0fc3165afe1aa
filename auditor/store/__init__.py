"""Where snapshots live: `open_store` gives the store that a URL names."""

from typing import TYPE_CHECKING

from auditor.errors import SettingsError

if TYPE_CHECKING:  # Arrow and DuckDB load when a store is opened, not with the command line
    from auditor.store.parquet import FolderStore


def open_store(url: str, *, create: bool = False) -> "FolderStore":
    """Return the store at `url`, made there first where `create` says so.

    Raises SettingsError for a URL of a kind this version has no store for.
    """
    from auditor.store.parquet import FolderStore  # noqa: PLC0415 - loads Arrow

    return FolderStore.open(_folder(url), create=create)


def _folder(url: str) -> str:
    if url.startswith("file://"):
        return url.removeprefix("file://")
    if "://" not in url:
        return url
    from sqlalchemy.engine import make_url  # noqa: PLC0415 - only to read a URL
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415 - likewise

    hint = 'this version has the folder store only: store = "./lake"'
    try:
        masked = make_url(url).render_as_string(hide_password=True)
    except (ArgumentError, ValueError):
        raise SettingsError("store: the URL cannot be read", hint=hint) from None
    raise SettingsError(f"store: {masked} is not a folder", hint=hint)
