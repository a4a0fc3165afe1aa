"""Verifies snapshots on object storage, and removes what is old or was never published."""

import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from auditor.errors import StoreError
from auditor.store.folder import attempts, manifest, upkeep
from auditor.store.folder.index import Index, folder_of
from auditor.store.objects import layout
from auditor.store.objects.client import Listed, at_once
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
    place = layout.folder_key(snapshot_id, written.token)
    with tempfile.TemporaryDirectory(prefix="auditor-verify-") as root:
        folder = folder_of(Path(root), snapshot_id)
        folder.mkdir()
        (folder / manifest.NAME).write_bytes(manifest.encode(written))
        if mirror.is_pruned(snapshot_id):
            note = objects.get(layout.pruned_key(mirror.manifest_key(snapshot_id)))
            if note is not None:
                (folder / manifest.PRUNED).write_bytes(note.data)

        def copy(one: Listed) -> None:
            found = objects.get(one.key)
            if found is not None:
                path = folder / one.key.removeprefix(f"{place}/")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(found.data)

        at_once(copy, objects.list(place))
        shown = f"{objects.url.shown}/{place}"
        return [
            type(problem)(problem.message.replace(str(folder), shown), hint=problem.hint)
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


def _unread(mirror: Mirror, now: datetime) -> Iterator[str]:
    published: dict[str, str] = {}
    for one in mirror.objects.list(""):
        folder, _, rest = one.key.partition("/")
        token, _, name = rest.partition("/")
        if not folder.startswith("snapshot=") or not name:
            continue
        snapshot_id = folder.removeprefix("snapshot=")
        if snapshot_id not in published:
            published[snapshot_id] = mirror.token(snapshot_id)
        if published[snapshot_id] == token:
            if mirror.is_pruned(snapshot_id) and name.partition("/")[0] in BULKY:
                yield one.key
        elif one.modified_at < now - LEFT_AFTER:
            yield one.key


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
