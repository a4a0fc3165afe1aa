"""Records each reply that could not be used, or only in part; the records stay with the run.

A record names the reply and the reason; the body stays in the run's journal, as `keep_raw` says.
See docs/decisions/0011-quarantine-is-an-index-of-the-journal.md.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
import pyarrow as pa

from auditor import atomic_file
from auditor.errors import InputMissing, StoreFailed
from auditor.journal.journal import reading
from auditor.log import redacted
from auditor.model import (
    ODD_FIELD,
    SPOILED_ITEM,
    UNREADABLE,
    Outcome,
    Reply,
    Request,
    Settled,
)
from auditor.partner_center.decoding import MOST_TOLD, Spoiled
from auditor.tables import TEXT

MOST_SHOWN = 256 * 2**10
"""The most bytes of a body that are shown."""
_SUCCESS = range(200, 300)
SCHEMA = pa.schema(
    [
        ("at", pa.timestamp("us", tz="UTC")),
        ("partner", TEXT),
        ("endpoint", TEXT),
        ("customer_id", TEXT),
        ("reason", TEXT),
        ("items", TEXT),
        ("status", pa.int32()),
        ("sha256", pa.string()),
        ("size", pa.int64()),
        ("request_id", pa.string()),
        ("correlation_id", pa.string()),
        ("body", pa.string()),
    ]
)


class QuarantineRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One reply that could not be used, or only in part."""

    at: datetime
    endpoint: str
    customer_id: str
    reason: str
    items: str
    """A text for people: the unused items by reason, or the fault of the whole reply."""
    status: int
    sha256: str
    size: int
    request_id: str
    correlation_id: str
    key: str
    """The journal's key of the reply, in hex."""


class Quarantine:
    """The records of one partner's run."""

    def __init__(self) -> None:
        self._records: dict[bytes, QuarantineRecord] = {}

    @property
    def keys(self) -> frozenset[bytes]:
        """The journal's keys of the replies."""
        return frozenset(self._records)

    @property
    def records(self) -> tuple[QuarantineRecord, ...]:
        """The records so far."""
        return tuple(self._records.values())

    def take(self, records: Iterable[QuarantineRecord]) -> None:
        """Add the records of another process."""
        self._records |= {bytes.fromhex(record.key): record for record in records}

    def refuse(self, request: Request, reply: Reply, what: str) -> None:
        """Record a reply that discovery could not use."""
        self._record(request, reply, reply.cause or UNREADABLE, what)

    def set_apart(self, request: Request, reply: Reply, spoiled: Sequence[Spoiled]) -> None:
        """Record a reply of discovery with items that cannot be used."""
        shown = "; ".join(f"{one.shown}: {one.reason}" for one in spoiled[:MOST_TOLD])
        self._record(request, reply, SPOILED_ITEM, f"{len(spoiled)} {SPOILED_ITEM}: {shown}")

    def overlook(self, request: Request, reply: Reply, odd_fields: int) -> None:
        """Record a reply of discovery with fields that could not be read and decide nothing."""
        if request.key() not in self._records:
            self._record(request, reply, ODD_FIELD, f"{odd_fields} {ODD_FIELD}")

    def _record(self, request: Request, reply: Reply, reason: str, items: str) -> None:
        self._records[request.key()] = QuarantineRecord(
            at=reply.sent_at,
            endpoint=request.endpoint,
            customer_id=request.customer_id,
            reason=reason,
            items=items,
            status=reply.status,
            sha256=hashlib.sha256(reply.body).hexdigest(),
            size=len(reply.body),
            request_id=reply.request_id,
            correlation_id=reply.correlation_id,
            key=request.key().hex(),
        )

    def settle(self, settled: Iterable[Settled], body: Callable[[bytes], bytes]) -> None:
        """Record the replies to checks that could not be used, or only in part."""
        for each in settled:
            is_failed = each.outcome is Outcome.FAILED
            if each.http_status not in _SUCCESS or each.sent_at is None:
                continue
            if each.key not in self._records and (is_failed or each.set_apart):
                sent = body(each.key)
                self._records[each.key] = QuarantineRecord(
                    at=each.sent_at,
                    endpoint=each.endpoint,
                    customer_id=each.question.checks[0].customer_id,
                    reason=each.reason or each.set_apart.split(",")[0].split(" ")[-1],
                    items=each.set_apart,
                    status=each.http_status,
                    sha256=hashlib.sha256(sent).hexdigest(),
                    size=len(sent),
                    request_id=each.request_id,
                    correlation_id=each.correlation_id,
                    key=each.key.hex(),
                )

    def save(self, path: Path) -> None:
        """Write the records, for `table` and `keys` to read.

        Raises:
            StoreFailed: the file cannot be written.
        """
        write(path, self._records.values())


def write(path: Path, kept: Iterable[QuarantineRecord]) -> None:
    """Write records in place of those that the file holds. Raise StoreFailed if that fails."""
    lines = msgspec.json.Encoder().encode_lines(list(kept))
    try:
        with atomic_file.replacing(path) as file:
            file.write(lines)
            file.commit()
    except OSError as exc:
        raise StoreFailed(f"cannot write {path}: {exc.strerror}") from exc


def path_of(folder: Path, tenant_id: str) -> Path:
    """Return the file of a partner's records, in the run's folder."""
    return folder / f"{tenant_id}.quarantine"


def keys(path: Path) -> frozenset[bytes]:
    """Return the journal's keys of the replies that were recorded.

    Raises:
        InputMissing: the file is not there, or cannot be read.
    """
    return frozenset(bytes.fromhex(record.key) for record in records(path))


def table(folder: Path, tenant_id: str, partner: str, *, with_bodies: bool) -> pa.Table:
    """Return the records of a partner's run, ordered by time.

    Raises:
        InputMissing: the run used another state folder, or its replies are already removed.
    """
    path = path_of(folder, tenant_id)
    found = records(path)
    with reading(folder / f"{tenant_id}.journal") as reply_to:
        rows = []
        for record in sorted(found, key=lambda r: (r.at, r.key)):
            row = msgspec.structs.asdict(record) | {"partner": partner}
            reply = reply_to(bytes.fromhex(record.key)) if with_bodies else None
            row["body"] = shown(reply.body) if reply else ""
            rows.append(row)
    names = SCHEMA.names if with_bodies else SCHEMA.names[:-1]
    return pa.Table.from_pylist(rows, schema=SCHEMA).select(names)


def shown(body: bytes) -> str:
    """Return the beginning of a body as text, without what looks like a secret."""
    return redacted(body[:MOST_SHOWN].decode("utf-8", "backslashreplace"))


def records(path: Path) -> list[QuarantineRecord]:
    """Return the records of a partner's run. Raise InputMissing if they cannot be read."""
    try:
        return msgspec.json.Decoder(QuarantineRecord).decode_lines(path.read_bytes())
    except FileNotFoundError:
        raise InputMissing(
            f"{path} is not there: the run was on another machine, or its files are removed",
            hint="unusable replies stay in the run's `state_dir` for 14 days",
        ) from None
    except OSError as exc:
        raise InputMissing(f"{path} cannot be read: {exc.strerror}") from exc
    except msgspec.DecodeError as exc:
        raise InputMissing(f"{path} is damaged: {exc}") from exc
