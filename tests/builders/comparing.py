"""The content of a lake and a state folder, in a form that is equal for two equal runs."""

import asyncio
import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from auditor.journal.journal import Journal
from auditor.store.folder.index import read_file
from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS, SCHEMAS

IGNORED = {
    "after_at",
    "before_at",
    "business_date",
    "checked_at",
    "correlation_id",
    "ended_at",
    "event_id",
    "published_at",
    "request_id",
    "run_id",
    "sequence",
    "since_at",
    "started_at",
    "verdict_since_at",
}
"""Columns that differ between equal runs: times and ids of requests and runs."""
_SNAPSHOT = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_LAKE = re.compile(
    r"store\.json|latest\.parquet|_schema|_schema/\w+\.parquet|\.publish\.lock|\.staging"
    r"|attempt|attempt/[^/]+\.parquet|\.runs|\.runs/[^/]+|\.runs/[^/]+/run"
    r"|snapshot=[^/]+(/manifest\.json|/pruned\.json|/\w+|/\w+/\d+\.parquet)?"
)
_STATE = re.compile(
    r"attempts|parts|runs|locks|locks/[^/]+\.lock|runs/[^/]+|runs/[^/]+/(run\.json|lock|[0-9a-f-]+\.(journal|quarantine))"
)
Rows = dict[str, Counter[tuple[str, ...]]]


def comparable_rows(lake: Path) -> Rows:
    """Return the rows of every relation without times, each snapshot id replaced by its number.

    Snapshots are numbered per partner, because the partners publish in random order.
    """
    store = FolderStore.open(str(lake))
    published = [(entry.snapshot_id, entry.partner_tenant_id) for entry in store.index().entries]
    return comparable(published, {relation: _rows(store, relation) for relation in SCHEMAS})


def comparable(
    published: Iterable[tuple[str, str]],
    rows: Mapping[str, list[dict[str, Any]]],  # Any: cells of a table
) -> Rows:
    """Return rows in comparable form; `published` is (snapshot id, partner), in order."""
    places: dict[str, str] = {}
    count: Counter[str] = Counter()
    for snapshot_id, partner in published:
        count[partner] += 1
        places[snapshot_id] = f"#{count[partner]} of {partner}"

    def text(value: object) -> str:
        return _SNAPSHOT.sub(lambda found: places.get(found[0], found[0]), str(value))

    return {
        relation: Counter(
            tuple(text(value) for name, value in row.items() if name not in IGNORED)
            for row in of_relation
        )
        for relation, of_relation in rows.items()
    }


def _rows(store: FolderStore, relation: str) -> list[dict[str, Any]]:
    """Return the rows of a relation in every snapshot, including those that readers do not see."""
    index = store.index()
    paths = [path for e in index.entries for path in e.paths(store.root, relation)]
    return [row for path in paths for row in read_file(Path(path)).to_pylist()]


def differences(found: Rows, golden: Rows) -> list[str]:
    """Return the rows that are missing from `found`, and those it has too many of."""
    return [
        f"{relation}: {what} {count} x {row}"
        for relation in golden
        for what, rows in (
            ("lost", golden[relation] - found[relation]),
            ("duplicated", found[relation] - golden[relation]),
        )
        for row, count in rows.items()
    ]


def duplicates(lake: Path) -> list[str]:
    """Return the keys that occur twice in a relation."""
    store = FolderStore.open(str(lake))
    problems = []
    for relation, key in KEYS.items():
        twice = Counter(tuple(str(r[name]) for name in key) for r in _rows(store, relation))
        problems += [f"{relation}: duplicated {row}" for row, n in twice.items() if n > 1]
    return problems


def partials(store: FolderStore) -> list[str]:
    """Return the problems of visible snapshots that are not whole."""
    return [
        f"partial: {snapshot_id}: {problem.message}"
        for snapshot_id in store.index().by_id
        for problem in store.verify(snapshot_id)
    ]


def left_over(folder: Path) -> list[str]:
    """Return the files of lake and state that no program reads again."""
    found = [(_LAKE, folder / "lake"), (_STATE, folder / "state")]
    return [
        f"left over: {path}"
        for known, root in found
        for path in sorted(root.rglob("*"))
        if not known.fullmatch(path.relative_to(root).as_posix())
    ]


def raw_replies(folder: Path) -> Counter[str]:
    """Return the number of raw replies that the runs have kept, by partner."""
    kept: Counter[str] = Counter()
    for path in folder.glob("state/runs/*/*.journal"):
        journal = Journal(path)
        kept[path.stem] += len(journal)
        asyncio.run(journal.close())
    return kept


def checksums(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the sha256 of every file below the folders."""
    return {
        path: hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in paths
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def canaries(folder: Path, secrets: Iterable[str]) -> list[str]:
    """S1: return the files that hold a secret, as it is or in base64."""
    forms = [
        form
        for secret in secrets
        for form in (secret.encode(), base64.b64encode(secret.encode()).rstrip(b"="))
    ]
    return [
        f"canary in {path}"
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]
