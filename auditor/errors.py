"""Every error this project raises, sorted by what the caller does about it.

AuditorError
├── SettingsError            before any call: stop (78)
├── UsageError               the command line, or a name on it, is wrong: stop (64)
├── ScopeError               before any check: stop (65)
├── PartnerCenterError       one request, or one partner
│   ├── Retryable
│   │   ├── Throttled        429: wait as `Retry-After` says
│   │   ├── OutOfTime        not asked, because the run's time was over (75)
│   │   └── Unreachable      timeout, reset, refused, 5xx
│   │       └── Untrusted    TLS: the server cannot prove its identity
│   ├── Rejected             Partner Center refuses the request: record it, go on
│   │   ├── ContextMissing   400026
│   │   ├── Forbidden        401 or 403 on one customer, view or segment
│   │   ├── RouteGone        the inventory API is not there any more
│   │   └── NotFound         404: 400013, 400018, 400019, 20003, …
│   ├── Unauthorized         the partner's own credential is refused: this partner is out
│   └── UnexpectedReply      a 200 that cannot be decoded: keep the bytes, record it, go on
├── StoreError               stop; nothing is published
│   ├── StoreCorrupt         a published file differs from its manifest (65)
│   ├── StoreUnwritable      cannot create output (73)
│   ├── StoreTooNew          written by a newer version of this program (76)
│   ├── StoreTooOld          its schema, or its server, is older than this version can use (76)
│   ├── StoreUnreachable     the database, or the object storage, does not answer (75)
│   ├── StoreRefused         it does not let us (77)
│   └── StoreFailed          disk full, I/O error (74)
├── Locked                   another run, or another publisher, is at work (75)
│   ├── LockLost             the publish lock went with its session, and another has it (75)
│   └── Superseded           another publisher was first: compare with its snapshot (75)
├── QuotaUnreachable         the database that shares the quota is down (75)
└── Bug                      a promise of ours is broken (70)
"""

import errno
import os
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from types import TracebackType
from typing import ClassVar


class Does(StrEnum):
    """How the run treats a reply that is no answer. `docs/errors.md` is made from these texts."""

    RETRIED = "sent again, three times in all"
    WAITED_FOR = "sent again after the wait that `Retry-After` asks for, ten minutes in all"
    TOKEN_RENEWED = "sent once more with a fresh token"  # noqa: S105 - words
    HALVED = "a batch is halved until the bad item is alone in its call"
    LEARNED = (
        "the context item it names is sent with all checks of the product, which are asked again"
    )
    MOVED = 'asked once more; if gone again, `inventory_api = "auto"` asks the other API'
    POSTED = "asked with a POST, as is the rest of the run"
    # How the question or listing ends:
    FAILED = "the check is `failed`, with this code"
    NOT_IN_CATALOG = "an answer: `not_in_catalog`"
    LEFT_CATALOG = "an answer: it left the catalog"
    LEFT = "an answer: the customer has `left`"
    ENDED = "an answer: the customer no longer holds it"
    CUSTOMER_FAILED = (
        "this customer is `failed`: its checks are `skipped`, its known rows are carried forward"
    )
    CARRIED = "its known rows are carried forward, its checks are `skipped`"
    PASSED_OVER = "left out and recorded as `forbidden`; its known rows are carried forward"
    PAGES_FAILED = (
        "the customers of the pages that were not read are `failed`; without any page, the partner"
        " is not published"
    )
    PARTNER_OUT = "the partner is out: it is not asked about any more and not published"


class AuditorError(Exception):
    """The auditor cannot go on.

    `code` and `exit_status` are a contract (docs/contract.md); `hint` says what to do.
    """

    code: ClassVar[str] = "E_INTERNAL"
    exit_status: ClassVar[int] = 70

    def __init__(self, message: str, *, code: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.error_code = code or self.code


class UsageError(AuditorError):
    """The command line is wrong: for example, a name in it fits nothing, or several things."""

    code = "E_USAGE"
    exit_status = 64


class SettingsError(AuditorError):
    """The configuration is wrong, or a secret is missing.

    `problems` holds a (code, message, hint) for each problem, not only the first.
    """

    code = "E_CONFIG_VALUE"
    exit_status = 78

    def __init__(
        self,
        message: str,
        *,
        code: str = "",
        hint: str = "",
        problems: tuple[tuple[str, str, str], ...] = (),
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.problems = problems or ((self.error_code, message, hint),)


class ConfigMissing(AuditorError):
    """There is no configuration file."""

    code = "E_CONFIG_MISSING"
    exit_status = 66


class ScopeError(AuditorError):
    """The scope is empty, or differs from the scope of the run to resume."""

    code = "E_EMPTY_SCOPE"
    exit_status = 65


class InputMissing(AuditorError):
    """A named run or snapshot does not exist."""

    code = "E_INPUT_MISSING"
    exit_status = 66


class PartnerCenterError(AuditorError):
    """Partner Center gave no usable answer to one request.

    `status` is 0 if no reply came. `reason` is the kind of failure in one word. `error_code_sent`
    is the code in the reply's body. `does` says how the run treats the error. The request was sent
    `attempts` times, the last time at `sent_at`. `key` is the request's key in the journal.
    """

    code = "E_PARTNER_CENTER"
    exit_status = 69

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        status: int = 0,
        reason: str = "",
        error_code_sent: str = "",
        does: tuple[Does, ...] = (),
        request_id: str = "",
        correlation_id: str = "",
        attempts: int = 0,
        sent_at: datetime | None = None,
        key: bytes = b"",
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.reason = reason
        self.error_code_sent = error_code_sent
        self.does = does
        self.request_id = request_id
        self.correlation_id = correlation_id
        self.attempts = attempts
        self.sent_at = sent_at
        self.key = key


class Retryable(PartnerCenterError):
    """The request may succeed later."""


class Throttled(Retryable):
    """Partner Center answered 429 for longer than the run could wait."""

    code = "E_THROTTLED"
    exit_status = 75


class OutOfTime(Retryable):
    """The time of the run was over before there was a reply."""

    code = "E_DEADLINE"
    exit_status = 75


class Unreachable(Retryable):
    """Partner Center gave no usable reply: a timeout, a reset, a refused connection, or a 5xx."""

    code = "E_UNREACHABLE"


class Untrusted(Unreachable):
    """A check of TLS failed; a retry does not help."""


class Rejected(PartnerCenterError):
    """Partner Center understood the request and refused it."""

    code = "E_REJECTED"


class ContextMissing(Rejected):
    """An inventory check lacked a context item that a SKU asks for (400026)."""


class Forbidden(Rejected):
    """The partner may not read one customer, target view or segment."""

    code = "E_FORBIDDEN"
    exit_status = 77


class RouteGone(Rejected):
    """The inventory API itself is gone: a 404 or 410 for the route, not for a product."""


class NotFound(Rejected):
    """The product, SKU, customer or subscription does not exist."""


class Unauthorized(PartnerCenterError):
    """The partner's own credential is refused; further requests are useless."""

    code = "E_AUTH"
    exit_status = 77


class UnexpectedReply(PartnerCenterError):
    """The reply reports success, but its body does not fit the API's documents."""


class StoreError(AuditorError):
    """The store cannot be read or written; the snapshot is not published."""

    code = "E_STORE"
    exit_status = 74


class StoreFailed(StoreError):
    """The disk is full, an I/O error occurred, or this process may open no more files."""

    code = "E_IO"


TOO_MANY_OPEN = "raise the limit (ulimit -n) or lower [partner.limits] concurrency, then --resume"
"""The hint if this process may open no more files."""


class StoreCorrupt(StoreError):
    """A published file differs from its manifest."""

    code = "E_SNAPSHOT_CORRUPT"
    exit_status = 65


class StoreUnwritable(StoreError):
    """The output folder cannot be created or written."""

    code = "E_OUTPUT"
    exit_status = 73


class StoreTooNew(StoreError):
    """The store was written by a newer version."""

    code = "E_SCHEMA_NEW"
    exit_status = 76


class StoreTooOld(StoreError):
    """The database's schema or server is too old for this version."""

    code = "E_SCHEMA_OLD"
    exit_status = 76


class StoreUnreachable(StoreError):
    """The database, or the object storage, does not answer, or stopped answering.

    An operation that was going on has failed.
    """

    code = "E_DATABASE"
    exit_status = 75


class StoreRefused(StoreError):
    """The database or the object storage refuses our credentials, or does not let us do a thing."""

    code = "E_DATABASE_REFUSED"
    exit_status = 77


class Locked(AuditorError):
    """Another run, or another publisher, holds the lock."""

    code = "E_LOCKED"
    exit_status = 75


class LockLost(Locked):
    """The database session ended, and another process took the publish lock.

    Nothing is published.
    """


class Superseded(Locked):
    """Another publisher published a snapshot of the same partner during the comparison.

    Nothing is published. To compare again, with the other's snapshot, is enough.
    """


class QuotaUnreachable(AuditorError):
    """The database that holds the quota shared with other machines cannot be opened."""

    code = "E_QUOTA"
    exit_status = 75


class Bug(AuditorError):
    """The auditor's own code has a fault: a rule that it promises to keep is broken."""

    code = "E_INTERNAL"


_DISK_FAULTS = frozenset(
    [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EMFILE, errno.ENFILE]
)


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group of errors, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


def as_auditor_error(error: BaseException) -> AuditorError:
    """Return the error to show to the user; the text of a foreign error is not shown."""
    if isinstance(error, AuditorError):
        return error
    if isinstance(error, OSError) and error.errno in _DISK_FAULTS:
        place = f"{error.filename}: " if error.filename else ""
        too_many = error.errno in {errno.EMFILE, errno.ENFILE}
        hint = TOO_MANY_OPEN if too_many else "make room, then `auditor run --resume`"
        return StoreFailed(f"{place}{error.strerror}", hint=hint)
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    place = "" if step is None else _place(step)
    return Bug(
        f"{type(error).__name__}{place}: the auditor itself is at fault",
        hint="run again with --debug and report what it prints",
    )


def _place(step: TracebackType) -> str:
    code = step.tb_frame.f_code
    return f" in {os.path.basename(code.co_filename)}:{step.tb_lineno}"  # noqa: PTH119 - a name
