"""What the parts of a divided run share through the store: small files, each written once."""

from typing import Protocol


class SharedFiles(Protocol):
    """Files of unfinished runs, which every process that uses the store can read.

    A name is a path of several words, such as `RUN/claims/3/000001`. A file appears whole or not at
    all, and is never changed. All calls block: use a thread.
    """

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a file, and return True; if the name is taken, change nothing and return False."""

    def get(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder, sorted; '' is the folder of all runs."""

    def delete(self, folder: str) -> None:
        """Delete all files below a folder, or the file of that name."""
