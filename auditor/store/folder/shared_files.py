"""The shared files of a folder store, in its hidden folder `.runs`."""

import shutil
from pathlib import Path

from auditor import disk

_FOLDER = ".runs"


class FolderSharedFiles:
    """See `auditor.store.shared_files`. Of two writers, the first one's file stays."""

    def __init__(self, root: Path) -> None:
        self._root = root / _FOLDER

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether this call wrote it."""
        path = self._root / name
        with disk.guarded(path):
            self._root.mkdir(mode=0o700, exist_ok=True)  # the replies show what customers buy
            path.parent.mkdir(parents=True, exist_ok=True)
        return disk.put_if_absent(path, data)

    def get(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        path = self._root / name
        with disk.guarded(path):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                return None

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder, sorted."""
        found = (self._root / folder).rglob("[!.]*")  # the name of an unfinished file has a dot
        with disk.guarded(self._root):
            return sorted(str(path.relative_to(self._root)) for path in found if path.is_file())

    def delete(self, folder: str) -> None:
        """Delete all files below a folder, or the file of that name."""
        path = self._root / folder
        with disk.guarded(path):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
