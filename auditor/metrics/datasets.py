"""The names of datasets in lineage events, by the naming rules of OpenLineage."""

from urllib.parse import urlsplit

import msgspec

from auditor.object_url import is_object_url
from auditor.settings import Settings

_POSTGRES_PORT = 5432
_SCHEMA = "public"
"""The schema of the views, unless the role's search_path begins with another one."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The namespace of a store, and the beginning of all names in it."""

    namespace: str
    prefix: str

    def name(self, relation: str) -> str:
        """Return the name of a relation."""
        return f"{self.prefix}{relation}"


def place(settings: Settings) -> Place:
    """Return where the store is, without user and password."""
    store = settings.shown_store()
    scheme, separator, rest = store.partition("://")
    if not separator:
        return Place(namespace="file", prefix=f"{store}/")
    authority, _, path = rest.partition("/")
    if is_object_url(store):
        prefix = f"{path}/" if path else ""
        return Place(namespace=f"{scheme}://{authority}", prefix=prefix)
    first, _, _ = authority.partition(",")
    parts = urlsplit(f"//{first}")
    port = parts.port or _POSTGRES_PORT
    namespace = f"postgres://{parts.hostname or 'localhost'}:{port}"
    return Place(namespace=namespace, prefix=f"{path}.{_SCHEMA}.")
