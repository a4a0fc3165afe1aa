"""The shared files of a store on object storage: objects below `run/`."""

from collections.abc import Callable

from auditor.store.objects import layout
from auditor.store.objects.client import Objects


class ObjectSharedFiles:
    """See `auditor.store.shared_files`. Of two writers, the first one's object stays.

    Each object begins with a token. So the objects of two writers differ, even if their data do
    not, and a writer whose reply was lost recognizes its own: see `Objects.put_if_absent`.
    """

    def __init__(self, objects: Objects, token: Callable[[], str]) -> None:
        self._objects = objects
        self._token = token

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether this call wrote it."""
        content = self._token().encode() + b"\n" + data
        return self._objects.put_if_absent(_key(name), content) is not None

    def get(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        found = self._objects.get(_key(name))
        return None if found is None else found.data.partition(b"\n")[2]

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder, sorted."""
        below = self._objects.list(_key(folder))
        return sorted(one.key.removeprefix(f"{layout.RUNS}/") for one in below)

    def delete(self, folder: str) -> None:
        """Delete all files below a folder, or the file of that name."""
        below = [one.key for one in self._objects.list(_key(folder))]
        self._objects.delete(below or [_key(folder)])


def _key(name: str) -> str:
    return f"{layout.RUNS}/{name}".rstrip("/")
