"""Verifies snapshots on object storage, and removes what is old or was never published."""

import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from auditor.errors import StoreError
from auditor.store.folder import attempts, manifest, upkeep
from auditor.store.folder.index import Index, folder_of
from auditor.store.objects import layout
from auditor.store.objects.client import Listed, at_once
from auditor.store.objects.layout import ObjectManifest
from auditor.store.objects.mirror import Mirror
from auditor.tables import BULKY

LEFT_AFTER = timedelta(days=1)
"""A publisher needs far less time from its first object to its manifest."""


def verify(mirror: Mirror, snapshot_id: str) -> list[StoreError]:
    """Return one StoreCorrupt for each object that differs from the manifest.

    All objects are copied again: the mirror's copies are not what is asked about.
    """
    objects = mirror.objects
    written = mirror.manifest_of(snapshot_id)
    place = f"snapshot={snapshot_id}"
    with tempfile.TemporaryDirectory(prefix="auditor-verify-") as root:
        folder = folder_of(Path(root), snapshot_id)
        folder.mkdir()
        (folder / manifest.NAME).write_bytes(manifest.encode(written))
        if mirror.is_pruned(snapshot_id):
            note = objects.get(layout.pruned_key(mirror.manifest_key(snapshot_id)))
            if note is not None:
                (folder / manifest.PRUNED).write_bytes(note.data)

        def copy(one: Listed) -> None:
            name = one.key.removeprefix(f"{place}/").partition("/")[2]
            found = objects.get(one.key) if one.key == written.key(name) else None
            if found is not None:
                path = folder / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(found.data)

        at_once(copy, objects.list(place))

        def shown(message: str) -> str:
            for file in written.files:
                message = message.replace(
                    str(folder / file.path), f"{objects.url.shown}/{written.key(file.path)}"
                )
            return message.replace(str(folder), f"{objects.url.shown}/{place}/{written.token}")

        return [
            type(problem)(shown(problem.message), hint=problem.hint)
            for problem in upkeep.verify(Path(root), snapshot_id)
        ]


def old_snapshots(mirror: Mirror, index: Index, older_than: datetime) -> list[dict[str, object]]:
    """Return a row of `removal.PRUNED` for each old snapshot that has its bulky relations."""
    rows: list[dict[str, object]] = []
    for entry in upkeep.prunable(index, older_than):
        if mirror.is_pruned(entry.snapshot_id):
            continue
        files = mirror.manifest_of(entry.snapshot_id).files
        bulky = [file for file in files if file.relation in BULKY]
        if bulky:
            rows.append(
                {
                    "what": "snapshot",
                    "id": entry.snapshot_id,
                    "at": entry.published_at,
                    "files": len(bulky),
                    "rows": sum(file.rows for file in bulky),
                    "bytes": sum(file.bytes for file in bulky),
                }
            )
    return rows


def mark_pruned(mirror: Mirror, snapshot_ids: list[str], now: datetime) -> None:
    """Say that snapshots have lost their bulky relations; readers then leave these out."""
    note = manifest.encode(manifest.Pruned(pruned_at=now, relations=BULKY))
    keys = [layout.pruned_key(mirror.manifest_key(one)) for one in snapshot_ids]
    at_once(lambda key: mirror.objects.put_if_absent(key, note), keys)


def remove_unread(mirror: Mirror, now: datetime) -> None:
    """Remove the objects of snapshots that no reader needs.

    These are the bulky relations of pruned snapshots, and what publishers left that were killed or
    refused more than a day ago.
    """
    mirror.objects.delete(list(_unread(mirror, now)))


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """An object with rows, whoever wrote it."""

    listed: Listed
    token: str
    manifest: ObjectManifest | None
    """None if its snapshot is not published."""
    is_read: bool
    """True if the snapshot needs it."""


def stored_files(mirror: Mirror, listed: Iterable[Listed]) -> Iterator[StoredFile]:
    """Yield those of the listed objects that are files of snapshots, published or not."""
    manifests: dict[str, ObjectManifest | None] = {}
    for one in listed:
        parts = layout.parts_of(one.key)
        if parts is None:
            continue
        snapshot_id, token, path = parts
        if snapshot_id not in manifests:
            is_published = mirror.is_published(snapshot_id)
            manifests[snapshot_id] = mirror.manifest_of(snapshot_id) if is_published else None
        written = manifests[snapshot_id]
        yield StoredFile(
            listed=one,
            token=token,
            manifest=written,
            is_read=written is not None
            and written.key(path) == one.key
            and not (mirror.is_pruned(snapshot_id) and path.partition("/")[0] in BULKY),
        )


def _unread(mirror: Mirror, now: datetime) -> Iterator[str]:
    for file in stored_files(mirror, mirror.objects.list("")):
        of_manifest = file.manifest is not None and file.token in file.manifest.current_tokens
        if not file.is_read and (of_manifest or file.listed.modified_at < now - LEFT_AFTER):
            yield file.listed.key


def prune_attempts(mirror: Mirror, older_than: datetime, *, apply: bool) -> list[dict[str, object]]:
    """Return a row for each run with old attempts; with `apply`, remove them."""
    mirror.sync_attempts()
    rows = list(attempts.prune(mirror.root, older_than, apply=apply))
    if apply:
        for row in rows:
            key = f"{layout.ATTEMPTS}/{row['id']}.parquet"
            path = mirror.root / key
            if path.exists():
                mirror.objects.put(key, path)
            else:
                mirror.objects.delete([key])
    return rows
