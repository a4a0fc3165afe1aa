"""Erases a customer from a store on object storage, beside publishers and readers elsewhere.

The files that hold the customer are written anew under a token of this erasure. Then each manifest
is replaced, if it is still the same: this exchanges a snapshot as a whole. When no snapshot holds
the customer any more, the erasure takes a place in the order of publication. So a publisher that
compared with the old rows is refused. Only then are the old files removed. An object below
`forgetting/` names the customer until the end: a second call goes on, also by name.
"""

from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.store.erasure import Traces, traces_file
from auditor.store.folder import attempts, erasure, manifest
from auditor.store.folder.erasure import Rewritten, Row, Tally
from auditor.store.folder.index import Index, folder_of
from auditor.store.objects import layout
from auditor.store.objects.client import Listed, Objects, at_once
from auditor.store.objects.layout import ObjectManifest
from auditor.store.objects.mirror import Mirror
from auditor.store.objects.upkeep import stored_files
from auditor.tables import BULKY, SCHEMA_VERSION


def unfinished(objects: Objects) -> dict[str, Traces]:
    """Return whose erasures were begun and not completed, by the key that says so."""
    found = at_once(
        lambda key: (key, objects.get(key)), [one.key for one in objects.list(layout.FORGETTING)]
    )
    return {key: traces_file.decode(content.data) for key, content in found if content is not None}


def plan(mirror: Mirror, index: Index, buckets: int, traces: Traces) -> list[Row]:
    """Return how much of each relation holds the customer."""
    tally = Tally()
    for entry in index.entries:
        tally.add(_rewritten(mirror, entry.snapshot_id, buckets, traces))
    return [*tally.rows(), *erasure.attempts_with(mirror.root, traces)]


def _rewritten(
    mirror: Mirror, snapshot_id: str, buckets: int, traces: Traces
) -> Iterator[Rewritten]:
    """Yield each file of a snapshot that holds the customer, without it."""
    pruned = BULKY if mirror.is_pruned(snapshot_id) else ()
    files = erasure.read_for(mirror.manifest_of(snapshot_id), pruned, buckets, traces)
    folder = folder_of(mirror.root, snapshot_id)
    mirror.fetch(folder / file.path for file in files)
    yield from erasure.rewritten(folder, files, traces)


class _Altered(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot whose new files are sent, and whose manifest is not replaced yet."""

    etag: str
    """Of the manifest that is to be replaced."""
    manifest: ObjectManifest
    """The new one."""
    files: tuple[Rewritten, ...]
    """The new files without their bytes."""


class Eraser:
    """Erases customers; the caller publishes, so that this machine has no other publisher."""

    def __init__(
        self, mirror: Mirror, newest: Callable[[], Index], buckets: int, token: str
    ) -> None:
        """`newest` returns the newest index; `token` is used by nobody else."""
        self._mirror = mirror
        self._objects = mirror.objects
        self._newest = newest
        self._buckets = buckets
        self._token = layout.erasure_token(token)
        self._without: set[tuple[str, str, str]] = set()
        """The manifests, by their ETags, that are known not to hold a customer."""

    def erase(self, traces: Traces) -> list[Row]:
        """Erase a customer, and everyone whose erasure was begun; return what `plan` returns."""
        intent = layout.intent_key(self._token)
        self._objects.put_if_absent(intent, msgspec.json.encode(traces))
        begun = {**unfinished(self._objects), intent: traces}
        everyone = {one.customer_id: one for one in begun.values()}
        tally = Tally()
        while True:
            for one in everyone.values():
                self._alter(one, tally if one.customer_id == traces.customer_id else Tally())
            index = self._newest()
            if not self._is_clean(index, everyone):
                continue  # another machine has published or replaced a manifest
            left = self._objects.list("")
            if self._take_place(index.next_sequence):
                break
        self._newest()
        while not self._mirror.share_index():
            pass  # what another machine sent may be older
        self._mirror.sync_attempts()
        rows = [*tally.rows(), *erasure.attempts_with(self._mirror.root, traces)]
        for one in everyone.values():
            self._erase_attempts(one)
        self._objects.delete(self._unread(left, begun))
        self._objects.delete(begun)
        return rows

    def _alter(self, traces: Traces, tally: Tally) -> None:
        """Erase a customer from each snapshot that holds it."""
        altered = list(self._altered(self._newest(), traces))

        def replace(one: _Altered) -> str | None:
            key = self._mirror.manifest_key(one.manifest.snapshot_id)
            return self._objects.replace(key, manifest.encode(one.manifest), one.etag)

        for one, etag in zip(altered, at_once(replace, altered), strict=True):
            if etag is not None:
                self._without.add((one.manifest.snapshot_id, etag, traces.customer_id))
                tally.add(one.files)

    def _altered(self, index: Index, traces: Traces) -> Iterator[_Altered]:
        """Send the new files of each snapshot that holds the customer, and yield it."""
        for entry in index.entries:
            snapshot_id = entry.snapshot_id
            written, etag = self._mirror.manifest_of(snapshot_id), self._mirror.etag(snapshot_id)
            if (snapshot_id, etag, traces.customer_id) in self._without:
                continue
            found = list(_rewritten(self._mirror, snapshot_id, self._buckets, traces))
            if not found:
                self._without.add((snapshot_id, etag, traces.customer_id))
                continue
            altered = msgspec.structs.replace(
                erasure.manifest_with(written, found),
                tokens={**written.tokens, **{one.file.path: self._token for one in found}},
                erasures=tuple(sorted({*written.erasures, self._token})),
            )
            self._send(altered, found)
            light = (msgspec.structs.replace(one, data=memoryview(b"")) for one in found)
            yield _Altered(etag=etag, manifest=altered, files=tuple(light))

    def _send(self, altered: ObjectManifest, files: Iterable[Rewritten]) -> None:
        at_once(
            lambda one: self._objects.put(altered.key(one.file.path), bytes(one.data)),
            files,
        )

    def _is_clean(self, index: Index, everyone: Iterable[str]) -> bool:
        """Return True if every snapshot of the index is known to be without the customers."""
        return all(
            (entry.snapshot_id, self._mirror.etag(entry.snapshot_id), customer_id) in self._without
            for entry in index.entries
            for customer_id in everyone
        )

    def _take_place(self, sequence: int) -> bool:
        """Take a place in the order of publication; return False if a snapshot has it."""
        place = layout.Erasure(schema_version=SCHEMA_VERSION, erasure=self._token)
        key = layout.manifest_key(sequence)
        return self._objects.put_if_absent(key, manifest.encode(place)) is not None

    def _unread(self, left: Iterable[Listed], begun: Collection[str]) -> Iterator[str]:
        """Yield the files that were there before this erasure took its place, and are not read.

        They were written anew, or their publishers can publish no more. Files of another erasure
        are left alone, unless it was begun before this one, which has then completed it, or has
        altered the snapshot already. It may be at work, and may still put them into a manifest.
        """
        for file in stored_files(self._mirror, left):
            is_of_other = (
                layout.is_erasure_token(file.token)
                and layout.intent_key(file.token) not in begun
                and (file.manifest is None or file.token not in file.manifest.erasures)
            )
            if not file.is_read and not is_of_other:
                yield file.listed.key

    def _erase_attempts(self, traces: Traces) -> None:
        """Write attempts that name the customer anew; the copies on this machine follow."""
        for path in attempts.paths(self._mirror.root):
            if erasure.attempts_without(path, traces) is not None:
                while not self._is_without(f"{layout.ATTEMPTS}/{path.name}", traces):
                    pass  # another process has replaced them
        self._mirror.sync_attempts()

    def _is_without(self, key: str, traces: Traces) -> bool:
        """Erase the customer from an object of attempts; return False if it changes meanwhile."""
        found = self._objects.get(key)
        if found is None:
            return True
        rows = pq.read_table(pa.BufferReader(found.data)).to_pylist()
        after = [traces.attempt(row) for row in rows]
        data = bytes(attempts.encoded(after))
        return after == rows or self._objects.replace(key, data, found.etag) is not None
