"""Makes a store on object storage, and upgrades one that an older release made."""

import secrets

import msgspec

from auditor.store.folder import manifest
from auditor.store.folder.create import columns
from auditor.store.objects import layout
from auditor.store.objects.client import Objects, at_once
from auditor.store.objects.mirror import Mirror
from auditor.tables import SCHEMA_VERSION


def new_token() -> str:
    """Return a name that no other attempt to publish has."""
    return secrets.token_hex(8)


def tried_out(url: str) -> bool:
    """Try to write, read and remove an object; return True if a store is there."""
    objects = Objects.open(url)
    _try_out(objects, new_token())
    return objects.get(layout.STORE) is not None


def _try_out(objects: Objects, token: str) -> None:
    objects.try_out(f"probe/{token}", token.encode())


def make_store(mirror: Mirror, buckets: int, token: str) -> None:
    """Make a store if there is none. If two processes do so at once, the first store stays.

    In any case, test that objects can be written: a run must not fetch what it cannot publish.
    """
    _try_out(mirror.objects, token)
    if mirror.objects.get(layout.STORE) is None:
        _send_columns(mirror.objects)
        info = manifest.StoreInfo(schema_version=SCHEMA_VERSION, buckets=buckets)
        mirror.objects.put_if_absent(layout.STORE, manifest.encode(info))


def _send_columns(objects: Objects) -> None:
    """Send a file without rows for each relation. It defines the relation's columns."""
    at_once(lambda one: objects.put(f"{layout.SCHEMA}/{one[0]}.parquet", one[1]), columns())


def upgrade_store(mirror: Mirror) -> None:
    """Upgrade a store of an older release, so that this release can publish into it.

    Older releases then refuse the store. The version is raised last. Raises StoreTooNew if a newer
    release has upgraded the store.
    """
    etag = mirror.open()
    info = manifest.read_store_info(mirror.root)
    if info.schema_version < SCHEMA_VERSION:
        _send_columns(mirror.objects)
        raised = msgspec.structs.replace(info, schema_version=SCHEMA_VERSION)
        mirror.objects.replace(layout.STORE, manifest.encode(raised), etag)
        mirror.open()  # the store is what is there now, whoever has upgraded it
        manifest.read_store_info(mirror.root)
