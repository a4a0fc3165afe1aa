"""Names the objects of a store. They are never renamed, and a manifest's files never change.

store.json                                         bucket count and schema version
_schema/<relation>.parquet                         the columns of each relation
snapshot=<id>/<token>/<relation>/<bucket>.parquet  rows; each publisher has its own token
manifest/<sequence>.json                           put if absent: this publishes a snapshot
manifest/<sequence>-pruned.json                    says that the bulky relations were removed
attempt/<run>.parquet                              the attempts of one run
run/<run>/…                                        what the parts of a divided run share
latest.parquet                                     a cache of the index
"""

from auditor.store.folder.manifest import Manifest

STORE = "store.json"
SCHEMA = "_schema"
MANIFESTS = "manifest"
ATTEMPTS = "attempt"
RUNS = "run"
LATEST = "latest.parquet"
_PRUNED = "-pruned.json"


class ObjectManifest(Manifest, frozen=True, kw_only=True):
    """The manifest of a snapshot on object storage."""

    token: str
    """Names the attempt to publish that wrote the files."""


def manifest_key(sequence: int) -> str:
    """Return the key of the manifest of the snapshot at a place in the order of publication."""
    return f"{MANIFESTS}/{sequence:012d}.json"


def pruned_key(manifest: str) -> str:
    """Return the key of the object that says that a manifest's snapshot was pruned."""
    return manifest.removesuffix(".json") + _PRUNED


def is_manifest(key: str) -> bool:
    """Return True for the key of a manifest."""
    return key.startswith(f"{MANIFESTS}/") and not key.endswith(_PRUNED)


def folder_key(snapshot_id: str, token: str) -> str:
    """Return what the keys of a snapshot's files begin with, without the last `/`."""
    return f"snapshot={snapshot_id}/{token}"
