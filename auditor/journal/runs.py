"""A run's files in `state_dir`: its header, whether it ended, and the locks."""

import errno
import fcntl
import os
import re
import shutil
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from auditor import atomic_file
from auditor.atomic_file import sync_folder
from auditor.disk import private, refused
from auditor.errors import (
    InputMissing,
    Locked,
    ScopeError,
    StoreFailed,
    StoreUnwritable,
    UsageError,
)
from auditor.settings import Narrow, Settings
from auditor.settings.identity import difference

_HEADER = "run.json"
_STAMP = "%Y%m%dT%H%M%SZ"
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
"""The id of a run that nobody has named."""
_NAME = re.compile(r"[A-Za-z0-9_+:-][A-Za-z0-9_+:.-]{0,199}")
"""A run id that a user may give. It is the name of a folder, so it does not begin with a dot."""
KEPT = timedelta(days=14)
"""A finished run's replies are removed after this time: they show what customers bought."""
_LOCK = "lock"
NAME_HINT = "a run id has up to 200 letters, digits and -_.:+ and begins with no dot"


def is_name(text: str) -> bool:
    """Return whether a user may give a run this id (`--run`)."""
    return _NAME.fullmatch(text) is not None


def is_at_work(folder: Path) -> bool:
    """Return whether a process holds the lock of the run in `folder`."""
    try:
        with (folder / _LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


class RunHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The identity of one run, kept beside its journals."""

    run_id: str
    started_at: datetime
    config_hash: str
    identity: dict[str, object]
    snapshots: dict[str, str]
    """Snapshot id by partner tenant."""
    is_finished: bool = False
    report: dict[str, object] | None = None
    """What the run reported; None until it has ended, and in the runs of older releases."""


class RunFolder(NamedTuple):
    """The folder of one run."""

    path: Path
    began_at: datetime
    header: RunHeader | None
    """None if the run was killed before it wrote one."""

    @property
    def is_unfinished(self) -> bool:
        """Whether the run can be resumed."""
        return self.header is not None and not self.header.is_finished


_header = msgspec.json.Decoder(RunHeader)
"""Made by one thread: two partners' threads that prepare the same type at once can crash."""


class Runs:
    """The runs of one `state_dir`."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._runs = state_dir / "runs"
        self._locks = state_dir / "locks"

    def folder(self, run_id: str) -> Path:
        """Return where a run keeps its journals."""
        return self._runs / run_id

    def begin(
        self, settings: Settings, narrow: Narrow, tenants: Sequence[str], at: datetime, entropy: str
    ) -> RunHeader:
        """Return the header of a new run, not yet on disk; `entropy` is a few random hex digits.

        Raises:
            UsageError: the id that the user gives the run cannot be one.
        """
        if narrow.run and not is_name(narrow.run):
            raise UsageError(f"{narrow.run[:60]!a} is not the id of a run", hint=NAME_HINT)
        stamp = f"{at.astimezone(UTC):{_STAMP}}"
        taken = f"{int(entropy, 16) % (1 << 24):06x}"
        return RunHeader(
            run_id=narrow.run or f"{stamp}-{taken}",
            started_at=at,
            config_hash=settings.config_hash(narrow),
            identity=settings.identity(narrow),
            snapshots={
                tenant: f"{stamp}-{(int(taken, 16) + place) % (1 << 24):06x}"
                for place, tenant in enumerate(tenants, start=1)
            },
        )

    def save(self, header: RunHeader) -> None:
        """Write a run's header, so that it can be resumed. The run must hold its lock."""
        self._write(header)

    def finish(self, header: RunHeader) -> None:
        """Write down that nothing is left to resume."""
        self._write(msgspec.structs.replace(header, is_finished=True))

    def to_resume(self, settings: Settings, narrow: Narrow, now: datetime) -> RunHeader | None:
        """Return the run that `--run` or `--resume` selects; None starts a new run.

        Raises:
            InputMissing: the named run is unknown.
            ScopeError: the named run was of another configuration.
        """
        if narrow.run:
            return self._of_id(narrow.run, settings, narrow)
        if narrow.resume is None:
            return None
        if narrow.resume:
            return self._named(narrow.resume, settings, narrow)
        oldest = now - timedelta(hours=settings.run.resume_max_age_hours)
        mine = settings.config_hash(narrow)
        unfinished = [
            header
            for header in self._headers()
            if not header.is_finished and header.config_hash == mine and header.started_at >= oldest
        ]
        return max(unfinished, key=lambda h: (h.started_at, h.run_id), default=None)

    def _named(self, run_id: str, settings: Settings, narrow: Narrow) -> RunHeader:
        found = self._of_id(run_id, settings, narrow)
        if found is None:
            raise InputMissing(
                f"no run {run_id} in {self._runs}",
                code="E_RUN_UNKNOWN",
                hint="`auditor run --resume` goes on with the newest unfinished run",
            )
        return found

    def _of_id(self, run_id: str, settings: Settings, narrow: Narrow) -> RunHeader | None:
        found = next((header for header in self._headers() if header.run_id == run_id), None)
        if found is not None and found.config_hash != settings.config_hash(narrow):
            keys = difference(settings.identity(narrow), found.identity)
            raise ScopeError(
                f"run {run_id} is of another configuration; it differs in: {', '.join(keys)}",
                code="E_RUN_CONFIG",
                hint="resume it with the configuration and flags it was started with",
            )
        return found

    def prune(self, now: datetime, resume_max_age_hours: float) -> None:
        """Remove old files of runs; what cannot be removed stays until the next time.

        Removed are unfinished files of killed writers, the folders of runs that finished long ago,
        and equally old folders without a header: their runs were killed before writing one.
        """
        oldest = now.astimezone(UTC) - max(KEPT, timedelta(hours=resume_max_age_hours))
        for header in self._headers():
            if header.is_finished and header.started_at < oldest:
                shutil.rmtree(self.folder(header.run_id), ignore_errors=True)
        with suppress(OSError):
            for folder in sorted(self._runs.iterdir()):
                if folder.is_symlink():  # somebody made a link here: never clear its target
                    continue
                atomic_file.remove_leftovers_in(folder)
                is_nobodys = not (folder / _HEADER).exists() and _RUN_ID.fullmatch(folder.name)
                if is_nobodys and folder.name < f"{oldest:{_STAMP}}":
                    shutil.rmtree(folder, ignore_errors=True)

    def folders(self) -> Iterator[RunFolder]:
        """Yield the folder of each run, in the order of the ids."""
        headers = {header.run_id: header for header in self._headers()}
        with suppress(FileNotFoundError):
            for path in sorted(self._runs.iterdir()):
                if path.is_symlink() or not path.is_dir():  # made by somebody else
                    continue
                if header := headers.get(path.name):
                    yield RunFolder(path, header.started_at, header)
                elif _RUN_ID.fullmatch(path.name):
                    stamp = path.name.partition("-")[0]
                    yield RunFolder(
                        path, datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC), None
                    )

    @contextmanager
    def holding(self, folder: Path) -> Iterator[None]:
        """Hold the lock of the run in `folder`. Raise Locked if a process works on the run."""
        with self._lock(folder / _LOCK, f"run {folder.name}"):
            yield

    @contextmanager
    def standing_still(self, tenants: Sequence[str]) -> Iterator[None]:
        """Hold the locks of these partners, of all that ever ran here, and of every run.

        Raises:
            Locked: a process is at work on a run.
        """
        with suppress(FileNotFoundError):
            tenants = [*tenants, *(path.stem for path in self._locks.glob("*.lock"))]
        with ExitStack() as held:
            for tenant in sorted(set(tenants)):
                path = self._locks / f"{tenant}.lock"
                held.enter_context(self._lock(path, "a run of this partner"))
            for run in self.folders():
                held.enter_context(self.holding(run.path))
            yield

    def _headers(self) -> Iterator[RunHeader]:
        with suppress(FileNotFoundError):
            for path in sorted(self._runs.iterdir()):
                with suppress(OSError, msgspec.DecodeError):
                    header = _header.decode((path / _HEADER).read_bytes())
                    # `folder` makes a path of the id: an id that is not this folder's is ignored.
                    if header.run_id == path.name:
                        yield header

    def _write(self, header: RunHeader) -> None:
        path = self.folder(header.run_id) / _HEADER
        try:
            self._make_private(self._runs, path.parent)
            with atomic_file.replacing(path) as file:
                file.write(msgspec.json.encode(header))
                file.commit()
            sync_folder(self._runs)
        except OSError as exc:
            raise _refused(path, exc) from exc

    def _make_private(self, *folders: Path) -> None:
        """Make folders that only this user can open; links inside the state folder are refused."""
        self._state_dir.parent.mkdir(parents=True, exist_ok=True)
        for folder in (self._state_dir, *folders):
            folder.mkdir(mode=0o700, exist_ok=True)
            if folder is not self._state_dir and folder.is_symlink():
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))

    @contextmanager
    def locked(
        self, tenants: Sequence[str], select: Callable[[], RunHeader]
    ) -> Iterator[RunHeader]:
        """Hold the lock of each partner and of a run, and yield the header of the run.

        `select` chooses the run. It is called while the partners' locks are held, so it sees all
        that their earlier runs have written. Without the run's lock, two processes could resume one
        run and spoil its journal. The kernel frees the locks when the process ends.

        Raises:
            Locked: another process is at work on this run, or on a full run of this configuration.
        """
        with ExitStack() as held:
            files = [
                held.enter_context(
                    self._lock(self._locks / f"{tenant}.lock", "a run of this partner")
                )
                for tenant in sorted(tenants)
            ]
            header = select()
            files.append(held.enter_context(self._lock(self._lock_of(header), "this run")))
            for file in files:
                _write_holder(file, header)
            yield header

    def _lock_of(self, header: RunHeader) -> Path:
        return self.folder(header.run_id) / _LOCK

    @contextmanager
    def _lock(self, path: Path, what: str) -> Iterator[IO[bytes]]:
        """Lock a file while the block runs."""
        try:
            self._make_private(self._runs, self._locks, path.parent)
            file = open(path, "a+b", opener=private)  # noqa: SIM115 - closed below
        except OSError as exc:
            raise _refused(path, exc) from exc
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                holder = file.read(500).decode(errors="replace").strip()
                raise Locked(
                    f"another process is at work on {what}: {holder}",
                    hint="wait for it with --wait 30m, or ask for one customer with --customer",
                ) from None
            yield file


def _write_holder(file: IO[bytes], header: RunHeader) -> None:
    """Write into a lock file which process holds it."""
    try:
        file.truncate(0)
        file.write(
            f"run {header.run_id}, host {socket.gethostname()}, pid {os.getpid()},"
            f" since {header.started_at:%Y-%m-%dT%H:%M:%SZ}\n".encode()
        )
        file.flush()
    except OSError as exc:
        raise _refused(Path(file.name), exc) from exc


def _refused(path: Path, exc: OSError) -> StoreUnwritable | StoreFailed:
    return refused(f"state_dir: {exc.filename or path} cannot be written", exc)
