"""Names the objects of a store. They are never renamed, and objects with rows never change.

store.json                                         bucket count and schema version
_schema/<relation>.parquet                         the columns of each relation
snapshot=<id>/<token>/<relation>/<bucket>.parquet  rows; each publisher has its own token
manifest/<sequence>.json                           put if absent: this publishes a snapshot;
                                                   or an erasure took this place
manifest/<sequence>-pruned.json                    says that the bulky relations were removed
attempt/<run>.parquet                              the attempts of one run
run/<run>/…                                        what the parts of a divided run share
latest.parquet                                     a cache of the index
forgetting/<token>.json                            only while a customer is erased, or if that was
                                                   killed
"""

import msgspec

from auditor.store.folder.manifest import Manifest, decode

STORE = "store.json"
SCHEMA = "_schema"
MANIFESTS = "manifest"
ATTEMPTS = "attempt"
RUNS = "run"
LATEST = "latest.parquet"
FORGETTING = "forgetting"
_PRUNED = "-pruned.json"
_OF_ERASURE = "-erasure"


class ObjectManifest(Manifest, frozen=True, kw_only=True):
    """The manifest of a snapshot on object storage."""

    token: str
    """Names the attempt to publish that wrote the files."""
    tokens: dict[str, str] = msgspec.field(default_factory=dict)
    """By path: the token of each file that an erasure wrote anew."""
    erasures: tuple[str, ...] = ()
    """The tokens of all erasures that altered the snapshot."""

    @property
    def current_tokens(self) -> frozenset[str]:
        """The tokens that the keys of the files have."""
        return frozenset({self.token, *self.tokens.values()})

    def key(self, path: str) -> str:
        """Return the key of one of the files."""
        return f"{folder_key(self.snapshot_id, self.tokens.get(path, self.token))}/{path}"


def decoded(data: bytes, place: str) -> ObjectManifest:
    """Return a manifest; `place` says where it was found."""
    return decode(data, ObjectManifest, place)


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """Takes a place in the order of publication, so that no snapshot can.

    A publisher that compared with the state before an erasure cannot publish any more.
    """

    schema_version: int
    erasure: str = ""
    """The token of the erasure; '' if this is the manifest of a snapshot."""


def manifest_key(sequence: int) -> str:
    """Return the key of the manifest of the snapshot at a place in the order of publication."""
    return f"{MANIFESTS}/{sequence:012d}.json"


def pruned_key(manifest: str) -> str:
    """Return the key of the object that says that a manifest's snapshot was pruned."""
    return manifest.removesuffix(".json") + _PRUNED


def is_manifest(key: str) -> bool:
    """Return True for the key of a manifest, or of an erasure's place."""
    return key.startswith(f"{MANIFESTS}/") and not key.endswith(_PRUNED)


def sequence_of(key: str) -> int:
    """Return the place in the order of publication that a key of `manifest_key` names."""
    return int(key.removeprefix(f"{MANIFESTS}/").removesuffix(".json"))


def is_erasure(data: bytes, key: str) -> bool:
    """Return True if an object at a manifest's key is the place of an erasure."""
    return decode(data, Erasure, key).erasure != ""


def erasure_token(token: str) -> str:
    """Return a token for an erasure. It differs from those of publishers."""
    return f"{token}{_OF_ERASURE}"


def is_erasure_token(token: str) -> bool:
    return token.endswith(_OF_ERASURE)


def intent_key(token: str) -> str:
    """Return the key of the object that says whom an erasure erases."""
    return f"{FORGETTING}/{token}.json"


def folder_key(snapshot_id: str, token: str) -> str:
    """Return what the keys of a snapshot's files begin with, without the last `/`."""
    return f"snapshot={snapshot_id}/{token}"


def parts_of(key: str) -> tuple[str, str, str] | None:
    """Return the snapshot, the token and the path of a file's key; None for other keys."""
    folder, _, rest = key.partition("/")
    token, _, path = rest.partition("/")
    if not folder.startswith("snapshot=") or not path:
        return None
    return folder.removeprefix("snapshot="), token, path
