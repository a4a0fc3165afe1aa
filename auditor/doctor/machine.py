"""The doctor's checks of this machine: can a run write to its folders, and do files stay there?"""

import shutil
import tempfile
from pathlib import Path

from auditor.doctor.finding import Finding, State
from auditor.errors import AuditorError, StoreUnwritable
from auditor.object_url import is_object_url
from auditor.scope import recall
from auditor.settings import InventoryApi, Settings
from auditor.store import open_store, tried_out

_GIB = 1 << 30
_LOW = 2 * _GIB
_FULL = _GIB // 8
_MOUNTS = Path("/proc/self/mounts")
_PASSING = {
    "tmpfs": "in memory (tmpfs), gone at a restart",
    "ramfs": "in memory (ramfs), gone at a restart",
    "overlay": "in the container's own layer, gone with the container",
}
_CLEANED = (Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"))  # noqa: S108 - to warn of them


def examine(settings: Settings, mounts: str | None = None) -> list[Finding]:
    """Return the findings about the store and `state_dir`; no file is left behind.

    `mounts` replaces the content of `/proc/self/mounts`, for tests.
    """
    if mounts is None:
        mounts = _MOUNTS.read_text(encoding="utf-8") if _MOUNTS.exists() else ""
    found = [_store(settings)]
    if "://" not in settings.store:
        found += _folder("store", Path(settings.store), mounts)
    found += _folder("state_dir", settings.state_dir, mounts)
    return found


def _store(settings: Settings) -> Finding:
    if "://" not in settings.store and not Path(settings.store).exists():
        return Finding(
            check="store", message=f"{settings.store} is not there: the first run makes it"
        )
    try:
        if is_object_url(settings.store) and not tried_out(settings.store):
            return Finding(
                check="store",
                message=f"{settings.store} can be written; the first run makes the store",
            )
        count = len(open_store(settings.store).published())
    except AuditorError as error:
        return Finding.fault("store", error)
    return Finding(check="store", message=f"{settings.shown_store()} opens: {count} snapshot(s)")


def moved(settings: Settings) -> list[Finding]:
    """Return which partners `inventory_api = "auto"` has moved to the newer inventory API."""
    if settings.scope.inventory_api is not InventoryApi.AUTO:
        return []
    try:
        store = open_store(settings.store)
        those = [one.name for one in settings.partner if recall.has_moved(store, one.tenant_id)]
    except AuditorError:
        return []  # there is no store yet, or `examine` says what is wrong with it
    return [
        Finding(
            check="inventory api",
            partner=name,
            message="checkInventory said that it is gone: asked by resource type;"
            " each run tries checkInventory once",
        )
        for name in those
    ]


def _folder(check: str, folder: Path, mounts: str) -> list[Finding]:
    there = next(place for place in (folder, *folder.parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as exc:
        refusal = StoreUnwritable(
            f"{there} cannot be written: {exc.strerror}",
            hint="make it a folder that the auditor's user may write to",
        )
        return [Finding.fault(check, refusal)]
    return [_room(check, there), _lasting(check, folder, there.resolve(), mounts)]


def _room(check: str, there: Path) -> Finding:
    free = shutil.disk_usage(there).free
    state = State.OK if free >= _LOW else State.WARNING if free >= _FULL else State.FAULT
    return Finding(
        check=check,
        state=state,
        message=f"{there} can be written, {free / _GIB:.1f} GiB free",
        hint="" if state is State.OK else "free disk space: a full disk ends a run",
        exit_status=74 if state is State.FAULT else 0,
    )


def _lasting(check: str, folder: Path, there: Path, mounts: str) -> Finding:
    kind = _kind_of(there, mounts)
    passing = _PASSING.get(kind, "")
    if not passing and any(there.is_relative_to(place) for place in _CLEANED):
        passing = "in a folder that the system cleans from time to time"
    if not passing:
        return Finding(
            check=check, message=f"{folder} is on a persistent disk ({kind or 'unknown'})"
        )
    lost = "the replies of a stopped run" if check == "state_dir" else "all snapshots"
    return Finding(
        check=check,
        state=State.WARNING,
        message=f"{folder} is {passing}; {lost} would be lost with it",
        hint="put it on a persistent disk or volume",
    )


def _kind_of(there: Path, mounts: str) -> str:
    """Return the file system of a folder; of several mounts on one path the last one counts."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) < 3:  # noqa: PLR2004 - device, place, kind
            continue
        place = fields[1].encode().decode("unicode_escape")
        depth = len(Path(place).parts)
        if there.is_relative_to(place) and depth >= best:
            best, kind = depth, fields[2]
    return kind
