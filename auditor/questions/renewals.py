"""Which licences are renewed soon, and can what the renewal buys be bought?"""

from datetime import datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.questions.asking import answer, asking
from auditor.store.interface import Store

RENEWAL = "read/renewals/renewal"


class Renewals(msgspec.Struct, frozen=True, kw_only=True):
    """The renewals ahead."""

    table: pa.Table
    """One row for each licence; those at risk stand first, then those that are not known."""
    days: int
    at_risk: int
    """Renewals that would buy what cannot be bought."""
    unknown: int
    """Renewals of which nothing, or only something stale, is known; none of them is at risk."""

    @property
    def total(self) -> int:
        """All renewals: the denominator of the other counts."""
        return len(self.table)


def renewals(store: Store, now: datetime, days: int) -> Renewals:
    """Return the renewals from `now` to so many days later, of every customer."""
    with asking(store, RENEWAL) as con:
        return of_rows(answer(con, RENEWAL, binds(now, days)), days)


def binds(now: datetime, days: int, customer_id: str = "") -> dict[str, object]:
    """Return what the statement binds; with `customer_id`, for one customer."""
    return {"from_at": now, "to_at": now + timedelta(days=days), "customer_id": customer_id}


def of_rows(table: pa.Table, days: int) -> Renewals:
    """Count the rows of the statement."""
    at_risk = table.filter(table.column("is_at_risk"))
    rest = table.filter(pc.invert(table.column("is_at_risk")))
    is_unknown = pc.or_(pc.equal(rest.column("verdict"), "unknown"), rest.column("is_stale"))
    return Renewals(
        table=table,
        days=days,
        at_risk=at_risk.num_rows,
        unknown=rest.filter(is_unknown).num_rows,
    )
