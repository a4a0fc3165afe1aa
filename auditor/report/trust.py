"""How far each partner's newest full run can be trusted; `status` and commands that read show it.

A partner counts as known only if its last full run published a complete snapshot.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

if TYPE_CHECKING:
    from auditor.store.interface import Store


class State(StrEnum):
    """How a partner's newest full run went."""

    COMPLETE = "complete"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    """The last full run published nothing."""
    OLD = "old"
    NEVER = "never asked"


class Trust(msgspec.Struct, frozen=True, kw_only=True):
    """One partner's newest full run, and its last complete one."""

    partner: str
    state: State
    reason: str = ""
    """What is missing, or why nothing was published."""
    last_started_at: datetime | None = None
    complete_started_at: datetime | None = None
    row: dict[str, Any]
    """The row of `partner_status` or `partner_night`; empty for a partner that was never asked."""

    @property
    def is_known(self) -> bool:
        """Whether the newest full run is complete."""
        return self.state is State.COMPLETE

    @property
    def is_lacking(self) -> bool:
        """Whether its last full run left something unknown."""
        return self.state in {State.INCOMPLETE, State.FAILED, State.OLD}

    def sentence(self) -> str:
        """Return one line for people."""
        since = "never" if self.complete_started_at is None else _minute(self.complete_started_at)
        match self.state:
            case State.COMPLETE:
                return f"{self.partner}: complete, asked {_minute(self.last_started_at)}"
            case State.NEVER:
                return f"{self.partner}: never asked"
            case State.OLD:
                return f"{self.partner}: not asked since {_minute(self.last_started_at)}"
            case State.INCOMPLETE:
                missing = self.reason or "not everything was answered"
                return f"{self.partner}: incomplete, {missing}; last complete night: {since}"
            case State.FAILED:
                why = _short(self.reason) or "nothing was published"
                return (
                    f"{self.partner}: not asked {_minute(self.last_started_at)}, {why};"
                    f" last complete night: {since}"
                )


def of_partners(
    store: "Store",
    partners: Iterable[str] = (),
    *,
    now: datetime | None = None,
    max_age: timedelta | None = None,
    with_shares: bool = False,
) -> list[Trust]:
    """Return the partners of a store by name, and those of `partners` that the store lacks.

    With `max_age`, a complete run that began more than that time before `now` counts as old. The
    shares of unknown customers and keys are read only `with_shares`, because that reads every key.
    """
    rows = store.arrow("partner_status" if with_shares else "partner_night").to_pylist()
    found = [_trust(row, now, max_age) for row in rows]
    missing = set(partners) - {each.partner for each in found}
    found += [Trust(partner=name, state=State.NEVER, row={}) for name in missing]
    return sorted(found, key=lambda each: each.partner)


def of_rows(rows: Iterable[dict[str, Any]]) -> tuple[Trust, ...]:
    """Return the partners of rows of `partner_night`, by name."""
    return tuple(sorted((_trust(row, None, None) for row in rows), key=lambda each: each.partner))


def of_customer(store: "Store", customer: str) -> list[str]:
    """Return what is unknown about one customer: one line for each reason."""
    rows = store.arrow("unanswered", customer=customer).to_pylist()
    counts = Counter((row["company_name"] or row["customer_id"], row["reason"]) for row in rows)
    return [
        f"{name}: {count} question(s) without an answer, {reason}"
        for (name, reason), count in sorted(counts.items())
    ]


def _trust(row: dict[str, Any], now: datetime | None, max_age: timedelta | None) -> Trust:
    state, reason = _state(row)
    began = row["complete_started_at"]
    is_old = now is not None and max_age is not None and began is not None and now - began > max_age
    if state is State.COMPLETE and is_old:
        state = State.OLD
    return Trust(
        partner=row["partner_name"],
        state=state,
        reason=reason,
        last_started_at=row["last_started_at"],
        complete_started_at=began,
        row=row,
    )


def _state(row: dict[str, Any]) -> tuple[State, str]:
    if row["last_kind"] == "full" and row["last_exit"] is not None and not row["last_snapshot_id"]:
        code = row["last_error_code"]
        return State.FAILED, f"{code}: {row['last_reason']}" if code else row["last_reason"]
    if not row["full_snapshot_id"]:
        return State.NEVER, ""
    if row["full_status"] == "complete":
        return State.COMPLETE, ""
    is_of_full = row["last_snapshot_id"] == row["full_snapshot_id"]
    return State.INCOMPLETE, row["last_reason"] if is_of_full else ""


def _short(reason: str) -> str:
    """Return a reason without the body of a reply that it quotes."""
    return reason.partition(": {")[0].partition(" (request ")[0]


def _minute(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"


def table(found: Sequence[Trust]) -> pa.Table:
    """Return one row for each partner: its state, and its columns of `partner_status`."""
    rows = [
        {
            "partner": each.partner,
            "state": each.state.value,
            "reason": each.reason,
            **{name: each.row.get(name) for name in _COLUMNS},
        }
        for each in found
    ]
    own = {name: pa.string() for name in ("partner", "state", "reason")}
    schema = pa.schema({**own, **_COLUMNS})
    return pa.Table.from_pylist(rows, schema=schema)


_TIME = pa.timestamp("us", tz="UTC")
_COLUMNS = {
    "partner_tenant_id": pa.string(),
    "last_run_id": pa.string(),
    "last_kind": pa.string(),
    "last_started_at": _TIME,
    "last_ended_at": _TIME,
    "last_exit": pa.int64(),
    "last_error_code": pa.string(),
    "last_reason": pa.string(),
    "last_snapshot_id": pa.string(),
    "full_snapshot_id": pa.string(),
    "full_started_at": _TIME,
    "full_published_at": _TIME,
    "full_status": pa.string(),
    "complete_snapshot_id": pa.string(),
    "complete_started_at": _TIME,
    "complete_published_at": _TIME,
    "hours_since_complete": pa.float64(),
    "checks_unknown_share": pa.float64(),
    "customers_unknown_share": pa.float64(),
    "keys_unknown_share": pa.float64(),
}
