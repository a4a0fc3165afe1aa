"""Chooses the folder of this machine that holds copies of a store's objects.

The copies are customers' data, and a reader trusts them. So only this user may read or write there.
"""

import hashlib
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from auditor.disk import guarded
from auditor.errors import StoreUnwritable


def scratch_folder(identity: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return the folder for a store; it is made, for this user alone.

    It is in $XDG_CACHE_HOME, or in the system's folder for temporary files. Raises StoreUnwritable
    if another user owns it or may write to it.
    """
    cache = environ.get("XDG_CACHE_HOME", "")
    if Path(cache).is_absolute():
        parent = Path(cache) / "auditor"
    else:
        parent = Path(tempfile.gettempdir()) / f"auditor-{os.geteuid()}"
    folder = parent / hashlib.sha256(identity.encode()).hexdigest()[:32]
    with guarded(parent):
        parent.parent.mkdir(parents=True, exist_ok=True)
    for each in (parent, folder):
        _make_private(each)
    return folder


def _make_private(folder: Path) -> None:
    with guarded(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
    if not is_own or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StoreUnwritable(
            f"{folder}: another user may write to it",
            hint="set XDG_CACHE_HOME to a folder that only the auditor's user may write to",
        )
