"""Publishes snapshots to object storage: the manifest, put if absent, is the last object.

There is no lock between machines. The manifest's key is the place in the order of publication, so
of two publishers at the same place one is refused, and looks again (docs/decisions/0024).
"""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from auditor import atomic_file
from auditor.errors import Superseded
from auditor.model import bucket_of
from auditor.store.folder import manifest
from auditor.store.folder.index import Index
from auditor.store.folder.publication import FolderPublication
from auditor.store.objects import layout
from auditor.store.objects.client import at_once
from auditor.store.objects.layout import ObjectManifest
from auditor.store.objects.mirror import Mirror


class ObjectPublication(FolderPublication):
    """Writes snapshots, one at a time. The staged files are in the mirror until they are sent."""

    def __init__(
        self,
        mirror: Mirror,
        buckets: int,
        index: Callable[[], Index],
        *,
        look_again: Callable[[], None],
        token: Callable[[], str],
    ) -> None:
        """`index` returns the state that is compared with; `look_again` makes it the newest."""
        super().__init__(mirror.root, buckets, index)
        self._mirror = mirror
        self._objects = mirror.objects
        self._look_again = look_again
        self._new_token = token
        self._token = ""

    def stage(self, snapshot_id: str) -> bool:
        """Begin to stage a snapshot; return False if it is published already."""
        self._token = self._new_token()
        self._look_again()
        return super().stage(snapshot_id)

    def _write_file(self, path: Path, data: memoryview) -> None:
        path.write_bytes(data)  # it is sent before it is needed, so a disk need not keep it

    def _is_published(self) -> bool:
        return self._snapshot_id in self._index().by_id

    def _published_before(self, config_hash: str) -> bool:
        self._mirror.manifest_of(self._snapshot_id)
        return super()._published_before(config_hash)

    def _publish(self, snapshot_row: Mapping[str, object], config_hash: str) -> bool:
        """Send all files, then the manifest. Raise Superseded if the comparison is out of date."""
        self._send(self._files.values())
        while True:
            row = self._described(snapshot_row)
            self._send([self._files[self._of_snapshot]])
            written = msgspec.structs.asdict(self._manifest(row, config_hash))
            data = manifest.encode(ObjectManifest(**written, token=self._token))
            key = layout.manifest_key(self.sequence)
            if self._objects.put_if_absent(key, data) is not None:
                break
            before = self.sequence
            self._look_again()
            if self._is_published():  # by another attempt to publish the same run
                return self._published_before(config_hash)
            self._check_nothing_erased(before)
            self._check_not_superseded(before, str(row["partner_tenant_id"]))
            self._take_back_description()
        self._mirror.install(self._staged(), self._snapshot_id)
        self._start("")
        self._look_again()
        self._mirror.share_index()
        return True

    @property
    def _of_snapshot(self) -> tuple[str, int]:
        return "snapshot", bucket_of("", self._buckets)

    def _send(self, files: Iterable[manifest.File]) -> None:
        folder = layout.folder_key(self._snapshot_id, self._token)
        at_once(
            lambda file: self._objects.put(f"{folder}/{file.path}", self._staged() / file.path),
            files,
        )

    def _check_nothing_erased(self, sequence: int) -> None:
        """Raise Superseded if a customer was erased from what was compared with.

        The files that were sent may hold the customer: they are removed.
        """
        if self._index().erased_at >= sequence:
            folder = layout.folder_key(self._snapshot_id, self._token)
            self._objects.delete(f"{folder}/{file.path}" for file in self._files.values())
            raise Superseded(
                "a customer was erased from the store in the meantime",
                hint="run again with --resume",
            )

    def _check_not_superseded(self, sequence: int, partner_tenant_id: str) -> None:
        for entry in self._index().entries:
            if entry.sequence >= sequence and entry.partner_tenant_id == partner_tenant_id:
                raise Superseded(
                    f"another publisher has published snapshot {entry.snapshot_id} of this partner"
                    " in the meantime",
                    hint="run again with --resume",
                )

    def _take_back_description(self) -> None:
        """Undo `_described`: the row names a sequence that another snapshot has."""
        file = self._files.pop(self._of_snapshot)
        (self._staged() / file.path).unlink()

    def recover(self) -> None:
        """Remove the leftovers of killed publishers from the mirror.

        Objects that they sent stay, until a prune removes them: nobody reads them.
        """
        self._discard()
        atomic_file.remove_leftovers_in(self._root)
