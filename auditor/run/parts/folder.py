"""The names of a divided run's shared files, and what is in them.

    RUN/run                               the header, put by the first process
    RUN/TENANT/start                      what the store knew when the run began
    RUN/TENANT/claims/PLACE/NUMBER        who works on a place: see `claims`
    RUN/TENANT/replies/PLACE/NUMBER-PART  replies, as a journal has them: see `segments`
    RUN/TENANT/results/PLACE/NUMBER/NAME  what one process made of a bucket
    RUN/TENANT/done/PLACE                 whose result counts; put when everything of it is there
    RUN/TENANT/failed/NAME                why a process had to give up the partner

A place is a bucket of customers, or the discovery.
"""

from collections.abc import Callable, Iterable

import msgspec
import pyarrow as pa

from auditor.errors import InputMissing, ScopeError
from auditor.journal.runs import RunHeader
from auditor.scope.known import AtStart
from auditor.settings import Narrow, Settings
from auditor.settings.identity import difference
from auditor.store.shared_files import SharedFiles

DISCOVERY = "discovery"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `done/PLACE`."""

    number: int
    """The number of the claim under which the counted result was made."""


class Failed(msgspec.Struct, frozen=True, kw_only=True):
    """The content of `failed/NAME`: an error that ended a part's work on a partner."""

    exit_status: int
    error_code: str
    message: str


# Made here, by one thread: two partners' threads that prepared the same type at once have crashed.
_at_start = msgspec.msgpack.Decoder(AtStart)
_header = msgspec.json.Decoder(RunHeader)
_done = msgspec.json.Decoder(Done)
_failed = msgspec.json.Decoder(Failed)


class FilesGone(Exception):
    """The partner's shared files are deleted: its snapshot is published."""


class RunFolder:
    """The shared files of one run. All calls block: use a thread."""

    def __init__(self, files: SharedFiles, run_id: str) -> None:
        self.files = files
        self.run_id = run_id

    def begin(self, header: RunHeader) -> RunHeader:
        """Put the header of the run, and return the one that counts: the first."""
        name = f"{self.run_id}/run"
        self.files.put_if_absent(name, msgspec.json.encode(header))
        return self.header() or header

    def header(self) -> RunHeader | None:
        """Return the header of the run; None if no part of it has begun."""
        data = self.files.get(f"{self.run_id}/run")
        return None if data is None else _header.decode(data)

    def of_partner(self, tenant_id: str) -> "PartnerFolder":
        """Return the files of one partner."""
        return PartnerFolder(self.files, f"{self.run_id}/{tenant_id}")


class PartnerFolder:
    """The shared files of one partner's part of a run. All calls block: use a thread."""

    def __init__(self, files: SharedFiles, path: str) -> None:
        self.files = files
        self._path = path

    @property
    def claims(self) -> str:
        """The folder of the claims."""
        return f"{self._path}/claims"

    def begin(self, known: Callable[[], AtStart]) -> AtStart:
        """Return what the store knew when the run began; the first process calls `known`.

        All processes of a run need the same: what is known decides what is asked.
        """
        name = f"{self._path}/start"
        if self.files.get(name) is None:
            self.files.put_if_absent(name, packed(msgspec.msgpack.encode(known())))
        data = self.files.get(name)
        if data is None:
            raise FilesGone
        return _at_start.decode(unpacked(data))

    @property
    def all_replies(self) -> str:
        """The folder of the replies of all places."""
        return f"{self._path}/replies"

    def replies(self, place: str) -> str:
        """Return the folder of a place's replies."""
        return f"{self.all_replies}/{place}"

    def result(self, place: str, number: int) -> str:
        """Return the folder of the result that was made under one claim."""
        return f"{self._path}/results/{place}/{number:06}"

    def finish(self, place: str, done: Done) -> None:
        """Write that a place is done. If another process was first, its result counts."""
        self.files.put_if_absent(f"{self._path}/done/{place}", msgspec.json.encode(done))

    def done(self, place: str) -> Done | None:
        """Return whose result of a place counts; None if it is not done."""
        data = self.files.get(f"{self._path}/done/{place}")
        return None if data is None else _done.decode(data)

    def places_done(self) -> frozenset[str]:
        """Return the places that are done."""
        return frozenset(n.rpartition("/")[2] for n in self.files.names(f"{self._path}/done"))

    def fail(self, name: str, failed: Failed) -> None:
        """Write why a process gave up the partner."""
        self.files.put_if_absent(f"{self._path}/failed/{name}", msgspec.json.encode(failed))

    def failure(self) -> Failed | None:
        """Return why a process gave up the partner; None if none did."""
        for name in self.files.names(f"{self._path}/failed"):
            data = self.files.get(name)
            if data is not None:
                return _failed.decode(data)
        return None

    def delete(self) -> None:
        """Delete everything: the partner's snapshot is published."""
        self.files.delete(self._path)


def begun(files: SharedFiles, run_id: str, settings: Settings) -> Narrow:
    """Return which part of the portfolio the parts of a divided run ask about.

    Raises:
        InputMissing: no part of this run has begun.
        ScopeError: the run is of another configuration.
    """
    header = RunFolder(files, run_id).header()
    if header is None:
        raise InputMissing(
            f"no part of a run {run_id} has begun in this store",
            code="E_RUN_UNKNOWN",
            hint="start its parts first: auditor run --part 1/2 --run ID",
        )
    narrow = Narrow(
        run=run_id,
        is_divided=True,
        partners=_texts(header.identity.get("--partner")),
        countries=_texts(header.identity.get("--country")),
    )
    check_same(header, settings, narrow)
    return narrow


def check_same(header: RunHeader, settings: Settings, narrow: Narrow) -> None:
    """Raise ScopeError if a run was begun with another configuration, or other flags."""
    if header.config_hash == settings.config_hash(narrow):
        return
    keys = difference(settings.identity(narrow), header.identity)
    raise ScopeError(
        f"run {header.run_id} is of another configuration; it differs in: {', '.join(keys)}",
        code="E_RUN_CONFIG",
        hint="all parts of a run need the same configuration and flags",
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(each) for each in value) if isinstance(value, Iterable) else ()


def packed(data: bytes) -> bytes:
    """Return data compressed, for `unpacked`."""
    size = len(data).to_bytes(8, "little")
    small: bytes = pa.compress(data, codec="zstd", asbytes=True)
    return size + small


def unpacked(data: bytes) -> bytes:
    """Return what was compressed by `packed`."""
    size = int.from_bytes(data[:8], "little")
    whole: bytes = pa.decompress(data[8:], decompressed_size=size, codec="zstd", asbytes=True)
    return whole
