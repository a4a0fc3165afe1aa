"""Keeps copies of a store's objects in a folder store's layout, for the folder store's code.

`latest.parquet` of the copy also records which manifests it was made from. Files of snapshots are
copied when they are needed, and the least recently used are removed when they take too much room.
"""

import fcntl
import hashlib
import os
import shutil
import threading
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from auditor import atomic_file, disk
from auditor.errors import InputMissing, StoreCorrupt, StoreError
from auditor.store.folder import manifest
from auditor.store.folder.index import folder_of, read_index, read_latest
from auditor.store.folder.lock import publish_lock
from auditor.store.objects import layout
from auditor.store.objects.client import Content, Objects, at_once
from auditor.store.objects.layout import ObjectManifest, decoded
from auditor.store.reading import FileGone

CACHE_BYTES = 10 << 30
"""The most that copies of snapshots' files take when no process reads them."""
_SYNC_WAIT_S = 600.0
_MADE_FROM = b"auditor.manifests"
_PRIVATE = 0o600

Listing = Mapping[str, str]
"""The ETag of each object, by key."""


class _MadeFrom(msgspec.Struct, frozen=True, kw_only=True):
    """What an index was made from."""

    listed: dict[str, str] = {}
    erasures: frozenset[str] = frozenset()
    """The keys of those that are places of erasures, not manifests."""


_made_from = msgspec.json.Decoder(_MadeFrom)
_names = msgspec.json.Decoder(dict[str, str])
"""Made by one thread: two partners' threads that prepare the same type at once can crash."""


class Mirror:
    """The copies of one store's objects. Several threads and processes may use them at once."""

    def __init__(self, root: Path, objects: Objects, *, cache_bytes: int = CACHE_BYTES) -> None:
        self.root = root
        self.objects = objects
        self._cache_bytes = cache_bytes
        self._lock = threading.Lock()
        self._listed: Listing = {}
        self._keys: dict[str, str] = {}
        """The manifest of each snapshot."""
        self.erased_at = 0
        """The last place that an erasure took, when `sync` was called last."""
        self._has_more = False
        """True if files were copied since the room that they take was looked at."""

    def open(self) -> str:
        """Copy the columns of the store, and return the ETag of `store.json`.

        Raises InputMissing if there is no store.
        """
        found = self.objects.get(layout.STORE)
        if found is None:
            raise InputMissing(
                f"no store at {self.objects.url.shown}", hint="make one first: auditor run"
            )
        self._start_anew_after_restart()
        for name in (layout.SCHEMA, layout.ATTEMPTS, ".staging"):
            (self.root / name).mkdir(exist_ok=True)
        path = self.root / layout.STORE
        if not path.exists() or path.read_bytes() != found.data:
            at_once(self._copy, [one.key for one in self.objects.list(layout.SCHEMA)])
            _write(path, found.data)
        return found.etag

    def _start_anew_after_restart(self) -> None:
        """Remove copies that were made before the machine's last start: they may be incomplete.

        They are written without waiting for the disk.
        """
        note, boot = self.root / ".boot", _boot()
        if not note.exists() or note.read_text() != boot:
            with publish_lock(self.root / ".sync.lock", _SYNC_WAIT_S):
                for path in self.root.iterdir():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.suffix in {".json", ".parquet"}:
                        path.unlink()
                _write(note, boot.encode())

    def _copy(self, key: str) -> None:
        _write(self.root / key, self._content(key).data)

    def _content(self, key: str) -> Content:
        found = self.objects.get(key)
        if found is None:
            raise FileGone(f"{self.objects.url.shown}/{key} has been removed")
        return found

    @property
    def snapshots(self) -> int:
        """The number of snapshots that the last `sync` found."""
        return len(self._keys)

    def sync(self) -> None:
        """Copy what the index is made of: new manifests, and the coverage of their snapshots.

        A manifest is copied after the files that the index reads, so a killed process leaves a
        snapshot that is copied again.
        """
        with self._lock, publish_lock(self.root / ".sync.lock", _SYNC_WAIT_S):
            listed = self._manifests()
            if self._keys and listed == self._listed:
                return
            before = self.erased_at
            self._update(listed)
            if self.erased_at > before:
                # Of a long listing, the first pages may be older than what the erasure altered.
                self._update(self._manifests())

    def _manifests(self) -> dict[str, str]:
        return {one.key: one.etag for one in self.objects.list(layout.MANIFESTS)}

    def _update(self, listed: dict[str, str]) -> None:
        state = self._state()
        if not state.listed or not _continues(state.listed, listed):
            state = self._start_over(state.listed, listed)
        new = [key for key in listed.keys() - state.listed.keys() if layout.is_manifest(key)]
        erasures = state.erasures | self._load(sorted(new), listed)
        index = read_index(self.root)
        if state.listed != listed:
            made_from = msgspec.json.encode(_MadeFrom(listed=listed, erasures=erasures))
            _write(self.root / layout.LATEST, index.encoded({_MADE_FROM: made_from}))
        self._keys = {
            entry.snapshot_id: layout.manifest_key(entry.sequence) for entry in index.entries
        }
        self._listed = listed
        self.erased_at = max(map(layout.sequence_of, erasures), default=0)

    def reset(self) -> None:
        """Make the next `sync` copy everything anew: somebody has removed files of the copy."""
        with self._lock:
            self._keys = {}
            (self.root / layout.LATEST).unlink(missing_ok=True)

    def _state(self) -> _MadeFrom:
        """Return what `latest.parquet` was made from: of nothing if there is none."""
        try:
            with pa.OSFile(os.fsencode(self.root / layout.LATEST)) as file:
                found = pq.read_schema(file).metadata or {}
            return _made_from.decode(found[_MADE_FROM])
        except (OSError, KeyError, ValueError):  # Arrow's errors are of these kinds
            return _MadeFrom()

    def _start_over(self, state: Listing, listed: Listing) -> _MadeFrom:
        """Remove what is no longer true, and begin with the store's own cache of the index."""
        kept = {key for key in state if listed.get(key) == state[key]}
        (self.root / layout.LATEST).unlink(missing_ok=True)
        for folder in self.root.glob("snapshot=*"):
            if self._key_of(folder) not in kept:
                shutil.rmtree(folder, ignore_errors=True)
        found = self.objects.get(layout.LATEST) if listed else None
        if found is None:
            return _MadeFrom()
        _write(self.root / layout.LATEST, found.data)
        known = self._state()
        if not known.listed or not _continues(known.listed, listed):
            (self.root / layout.LATEST).unlink()
            return _MadeFrom()
        for entry in read_latest(self.root / layout.LATEST)[0]:
            folder_of(self.root, entry.snapshot_id).mkdir(exist_ok=True)
        return known

    @staticmethod
    def _key_of(folder: Path) -> str:
        """Return the key of the manifest that a folder has a copy of; '' if it has none."""
        try:
            return layout.manifest_key(manifest.read_manifest(folder).snapshot["sequence"])
        except (StoreError, KeyError):
            return ""

    def _load(self, keys: Iterable[str], listed: Listing) -> frozenset[str]:
        """Copy manifests, each after its coverage, which is what the index reads.

        Return the keys of those that are no manifests, but places of erasures.
        """
        found = {key: content.data for key, content in self._contents(keys)}
        erasures = frozenset(key for key in found if layout.is_erasure(found[key], key))
        of = {key: decoded(found[key], key) for key in found if key not in erasures}
        for written in of.values():
            if written.tokens:  # the copies that are here may be older than an erasure
                shutil.rmtree(folder_of(self.root, written.snapshot_id), ignore_errors=True)
        pruned = {key for key in of if layout.pruned_key(key) in listed}
        notes = dict(self._contents(map(layout.pruned_key, pruned)))
        at_once(
            lambda one: self._download(*one),
            [
                (written, file)
                for written in of.values()
                for file in written.files
                if file.relation == "coverage"
                and not _is_used_now(folder_of(self.root, written.snapshot_id) / file.path)
            ],
        )
        for key, written in of.items():
            folder = folder_of(self.root, written.snapshot_id)
            folder.mkdir(exist_ok=True)
            if key in pruned:
                note = notes[layout.pruned_key(key)].data
                _write(folder / manifest.PRUNED, note)
            _write(folder / manifest.NAME, found[key])
        return erasures

    def _contents(self, keys: Iterable[str]) -> list[tuple[str, Content]]:
        return at_once(lambda key: (key, self._content(key)), keys)

    def manifest_of(self, snapshot_id: str) -> ObjectManifest:
        """Return the manifest of a snapshot; it is copied if it is not here."""
        path = folder_of(self.root, snapshot_id) / manifest.NAME
        if not path.exists():
            key = self.manifest_key(snapshot_id)
            found = self._content(key)
            if found.etag != self._listed[key]:
                raise FileGone(f"{self.objects.url.shown}/{key} has been replaced")
            path.parent.mkdir(exist_ok=True)
            _write(path, found.data)
        return decoded(path.read_bytes(), str(path))

    def is_published(self, snapshot_id: str) -> bool:
        """Return True if the last `sync` found a snapshot."""
        return snapshot_id in self._keys

    def etag(self, snapshot_id: str) -> str:
        """Return the ETag of a published snapshot's manifest."""
        return self._listed[self.manifest_key(snapshot_id)]

    def manifest_key(self, snapshot_id: str) -> str:
        """Return the key of a published snapshot's manifest."""
        return self._keys[snapshot_id]

    def is_pruned(self, snapshot_id: str) -> bool:
        """Return True if the last `sync` found that a snapshot was pruned."""
        return layout.pruned_key(self.manifest_key(snapshot_id)) in self._listed

    def fetch(self, paths: Iterable[Path]) -> None:
        """Copy files of snapshots that are not here. Call it while `in_use`."""
        missing: dict[str, list[str]] = defaultdict(list)
        for path in dict.fromkeys(paths):
            if not _is_used_now(path):
                snapshot, _, name = path.relative_to(self.root).as_posix().partition("/")
                missing[snapshot.removeprefix("snapshot=")].append(name)
        wanted = []
        for snapshot_id, names in missing.items():
            written = self.manifest_of(snapshot_id)
            of = {file.path: file for file in written.files}
            wanted += [(written, of[name]) for name in names if name in of]
        at_once(lambda one: self._download(*one), wanted)
        self._drop_replaced(wanted)

    def _drop_replaced(self, copied: Sequence[tuple[ObjectManifest, manifest.File]]) -> None:
        """Remove copies that were made while an erasure replaced their manifest."""
        of = {written.snapshot_id: written for written, _ in copied}
        replaced = {one for one, written in of.items() if not self._is_current(written)}
        for written, file in copied:
            if written.snapshot_id in replaced:
                (folder_of(self.root, written.snapshot_id) / file.path).unlink(missing_ok=True)
        if replaced:
            raise FileGone(f"{self.objects.url.shown}: files of {min(replaced)} were replaced")

    def _is_current(self, written: ObjectManifest) -> bool:
        path = folder_of(self.root, written.snapshot_id) / manifest.NAME
        return path.exists() and decoded(path.read_bytes(), str(path)) == written

    def _download(self, written: ObjectManifest, file: manifest.File) -> None:
        key = written.key(file.path)
        data = self._content(key).data
        if hashlib.sha256(data).hexdigest() != file.sha256:
            raise StoreCorrupt(
                f"{self.objects.url.shown}/{key} is not the file that was published",
                hint="see: auditor snapshots verify",
            )
        path = folder_of(self.root, written.snapshot_id) / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(path, data)
        self._has_more = True

    def share_index(self) -> bool:
        """Send the index, so that a new machine need not read all manifests.

        Return False if another process has sent one meanwhile. This index may then be older than
        an erasure, and hold the customer: it is not sent.
        """
        before = self.objects.etag(layout.LATEST)
        self.sync()
        data = (self.root / layout.LATEST).read_bytes()
        if before is None:
            return self.objects.put_if_absent(layout.LATEST, data) is not None
        return self.objects.replace(layout.LATEST, data, before) is not None

    def install(self, staged: Path, snapshot_id: str) -> None:
        """Take over the files of a snapshot that was just published from here."""
        target = folder_of(self.root, snapshot_id)
        with self._lock, publish_lock(self.root / ".sync.lock", _SYNC_WAIT_S):
            if target.exists():  # another process of this machine has copied it already
                shutil.rmtree(staged)
            else:
                staged.rename(target)

    def sync_attempts(self) -> None:
        """Copy the attempts that are new or have changed."""
        note = self.root / layout.ATTEMPTS / ".etags.json"
        with self._lock, publish_lock(self.root / ".sync.lock", _SYNC_WAIT_S):
            listed = {one.key: one.etag for one in self.objects.list(layout.ATTEMPTS)}
            try:
                known = _names.decode(note.read_bytes())
            except (OSError, ValueError):
                known = {}
            for key in known.keys() - listed.keys():
                (self.root / key).unlink(missing_ok=True)
            at_once(
                self._copy,
                [
                    key
                    for key, etag in listed.items()
                    if known.get(key) != etag or not (self.root / key).exists()
                ],
            )
            _write(note, msgspec.json.encode(listed))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the copies while the block runs; after it, remove those that take too much room."""
        lock = os.open(self.root / ".in-use.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _PRIVATE)
        try:
            fcntl.flock(lock, fcntl.LOCK_SH)
            yield
            if self._has_more:
                self._make_room(lock)
        finally:
            os.close(lock)

    def _make_room(self, lock: int) -> None:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # another one reads them, and will look after the room
        self._has_more = False
        files = [
            (found.st_mtime_ns, found.st_size, path)
            for path in self.root.glob("snapshot=*/*/*.parquet")
            for found in [path.stat()]
        ]
        taken = sum(size for _, size, _ in files)
        limit = min(self._cache_bytes, (taken + shutil.disk_usage(self.root).free) // 2)
        for _, size, path in sorted(files):
            if taken <= limit:
                return
            path.unlink()
            taken -= size


def _write(path: Path, data: bytes) -> None:
    """Replace a copy atomically, without waiting for the disk."""
    new = atomic_file.temporary_name(path, threading.get_ident())
    with disk.guarded(path, need=len(data)):
        new.write_bytes(data)
        new.replace(path)


def _boot() -> str:
    """Return a name for the present run of the machine; '' if the system has none."""
    with suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text()
    return ""


def _continues(state: Listing, listed: Listing) -> bool:
    """Return True if an index made from `state` needs only new snapshots to become that of now."""
    is_part = state.items() <= listed.items()
    return is_part and not any(
        layout.pruned_key(key) in listed and layout.pruned_key(key) not in state for key in state
    )


def _is_used_now(path: Path) -> bool:
    """Return True if a copy exists, and note that it is used."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    return True
