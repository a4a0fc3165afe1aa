"""The values of the metrics, partner by partner, and where they come from.

A store that can be read knows all of them. If it is down, the last export knows what was published,
and the run itself knows how its attempt ended.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from auditor.journal.attempts import Attempt
from auditor.metrics.names import LAST_ATTEMPT, LAST_COMPLETE, LAST_FULL, METRICS
from auditor.model import ChangeKind
from auditor.store import sql

if TYPE_CHECKING:
    from auditor.store.interface import Store

Figures = dict[tuple[str, str], float]
"""The values of one partner, by metric and value of the second label, which may be ''."""

NEVER: Figures = {(LAST_COMPLETE, ""): 0.0, (LAST_FULL, ""): 0.0}
"""The values of a partner that was never asked."""

_SHARES = ("checks", "customers", "keys")
_OUTCOMES = ("answered", "failed", "skipped", "not_eligible")
_COUNTS = ("listings_failed", "customers_unlisted", "calls", "retries", "throttled")
_RELATIONS = ("inventory", "availability")

Row = Mapping[str, Any]  # a row of a statement; its columns have several types


def of_store(store: "Store") -> dict[str, Figures]:
    """Return the values of each partner that the store knows, by partner tenant.

    Raises:
        AuditorError: the store cannot be read.
    """
    partners = store.sql(sql.statement("read/metrics/partner")).to_pylist()
    changes = store.sql(sql.statement("read/metrics/change")).to_pylist()
    return {
        row["partner_tenant_id"]: _of_row(
            row, [each for each in changes if each["partner_tenant_id"] == row["partner_tenant_id"]]
        )
        for row in partners
    }


def of_attempt(attempt: Attempt) -> Figures:
    """Return the values that describe one attempt of a full run."""
    return _of_attempt(attempt.started_at, attempt.ended_at, attempt.exit, attempt.error_code)


def merged(published: Figures, attempts: Iterable[Figures], now: datetime) -> Figures:
    """Return the values of what is published, with those of the newest attempt.

    `published` may describe an attempt too. An attempt that ended after `now` does not count: the
    clock was wrong then, and it would stay the newest.
    """
    ended = [each for each in (published, *attempts) if _ended_at(each) <= now.timestamp()]
    newest = max(ended, key=_ended_at, default={})
    state = {key: value for key, value in published.items() if not METRICS[key[0]].is_of_attempt}
    return state | attempt_alone(newest)


def attempt_alone(figures: Figures) -> Figures:
    """Return only the values that describe the attempt."""
    return {key: value for key, value in figures.items() if METRICS[key[0]].is_of_attempt}


def _ended_at(figures: Figures) -> float:
    return figures.get((LAST_ATTEMPT, ""), 0.0)


def _of_row(row: Row, changes: Iterable[Row]) -> Figures:
    found = dict(NEVER)
    if row["last_kind"] == "full" and row["last_exit"] is not None:
        found |= _of_attempt(
            row["last_started_at"], row["last_ended_at"], row["last_exit"], row["last_error_code"]
        )
    if row["complete_published_at"] is not None:
        found[LAST_COMPLETE, ""] = row["complete_published_at"].timestamp()
    if not row["full_snapshot_id"]:
        return found
    found[LAST_FULL, ""] = row["full_published_at"].timestamp()
    found["auditor_last_full_is_complete", ""] = float(row["full_status"] == "complete")
    for of in _SHARES:
        if row[f"{of}_unknown_share"] is not None:
            found["auditor_unanswered_share", of] = row[f"{of}_unknown_share"]
    found |= {("auditor_checks", each): float(row[f"checks_{each}"]) for each in _OUTCOMES}
    found |= {("auditor_rows", each): float(row[f"{each}_rows"]) for each in _RELATIONS}
    found |= {(f"auditor_{each}", ""): float(row[each]) for each in _COUNTS}
    found |= {("auditor_changes", kind.value): 0.0 for kind in ChangeKind}
    found["auditor_suspect_changes", ""] = 0.0
    for each in changes:
        if each["suspect"]:
            found["auditor_suspect_changes", ""] += each["changes"]
        else:
            found["auditor_changes", each["kind"]] = float(each["changes"])
    return found


def _of_attempt(
    started_at: datetime, ended_at: datetime | None, exit_status: int, code: str
) -> Figures:
    ended = started_at if ended_at is None else ended_at
    found = {
        (LAST_ATTEMPT, ""): ended.timestamp(),
        ("auditor_last_attempt_exit", ""): float(exit_status),
        ("auditor_last_attempt_duration_seconds", ""): (ended - started_at).total_seconds(),
    }
    if code:
        found["auditor_last_attempt_error", code] = 1.0
    return found
