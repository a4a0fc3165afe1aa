"""Reads published changes, and counts how many snapshots covered a cell after a given one."""

from collections.abc import Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import TypedDict

import duckdb
import msgspec
import pyarrow as pa

from auditor.errors import UsageError
from auditor.store import between, reading, sql
from auditor.store.duck import connect

KNOWN_VALUES = "read/changes/known_value"
_NOUNS = {
    "country": "country",
    "region": "region",
    "sku": "SKU",
    "subscription": "Azure subscription",
}


class Selection(TypedDict, total=False):
    """Selects changes, in the words of a reader. What is left out or None has no condition.

    Without `snapshot`, `between` and `since`, the changes are those after each partner's previous
    full snapshot, as in the view `newly_restricted`.
    """

    snapshot: str | None
    between: tuple[str, str] | None
    """Compare two snapshots of one partner: see `between.changes`."""
    since: date | None
    """A time of publication or, if it is no datetime, a business date."""
    kinds: Sequence[str]
    customer: str | None
    """An id, a domain or an exact company name."""
    partner: str | None
    """A name or a tenant id."""
    country: str | None
    region: str | None
    """The Azure region that was asked, or else that of the SKU."""
    sku: str | None
    """PRODUCT:SKU."""
    subscription: str | None
    """The id of an Azure subscription."""


class ChangeFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects changes. By default, selects changes after each partner's previous full snapshot."""

    snapshot: str | None = None
    between: tuple[str, str] | None = None
    since: date | None = None
    kinds: tuple[str, ...] = ()
    customer: str | None = None
    partner: str | None = None
    """A tenant id."""
    country: str | None = None
    region: str | None = None
    product: str | None = None
    sku: str | None = None
    """The id of a SKU of `product`."""
    subscription: str | None = None
    """An Azure subscription."""

    @property
    def may_be_unknown(self) -> bool:
        """Whether it names something of which the store may know nothing."""
        named = (self.country, self.region, self.sku, self.subscription)
        return any(value is not None for value in named)

    def binds(self) -> dict[str, object]:
        """Return the values that `change_named` binds."""
        return {
            "kinds": list(self.kinds),
            "customer": self.customer,
            "partner": self.partner,
            "country": self.country,
            "region": self.region,
            "product": self.product,
            "sku": self.sku,
            "subscription": self.subscription,
        }


EVERY_CHANGE = ChangeFilter().binds()
"""The values that `change_named` binds to select every change."""


def changes(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    """Return the selected changes with the names of customers, products and SKUs."""
    try:
        con.register("change_row", _rows(con, wanted))
        statement = sql.statement("read/changes/change_named")
        return con.sql(statement, params=wanted.binds()).to_arrow_table()
    except duckdb.Error as error:
        raise reading.translated(error) from error


def query(wanted: ChangeFilter) -> str:
    """Return SQL that reads at least the relations and views that `changes` reads."""
    named = sql.statement("read/changes/change_named")
    if wanted.between is not None:
        return f"{named} {' '.join(between.RELATIONS)}"
    range_of = "newest_change" if wanted.since is None else "published_since"
    return sql.statement(f"read/changes/{range_of}") + named


def check_known(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> None:
    """Raise UsageError for a country, region, SKU or subscription that the store does not know."""
    sku = f"{wanted.product}:{wanted.sku}" if wanted.sku is not None else None
    asked = {
        "country": wanted.country,
        "region": wanted.region,
        "sku": sku,
        "subscription": wanted.subscription,
    }
    known: dict[str, list[str]] = {}
    for of, value in con.sql(sql.statement(KNOWN_VALUES)).fetchall():
        known.setdefault(of, []).append(value)
    for of, value in asked.items():
        if value is not None and value not in known.get(of, ()):
            near = get_close_matches(value, known.get(of, ()), n=3)
            raise UsageError(
                f"the store knows no {_NOUNS[of]} {value}",
                hint=f"did you mean {' or '.join(near)}?" if near else "it was never asked about",
            )


def _rows(con: duckdb.DuckDBPyConnection, wanted: ChangeFilter) -> pa.Table:
    if wanted.between is not None:
        return between.changes(con, *wanted.between)
    if wanted.snapshot is not None:
        statement = "SELECT * FROM change WHERE snapshot_id = ?"
        return con.sql(statement, params=[wanted.snapshot]).to_arrow_table()
    if wanted.since is not None:
        is_time = isinstance(wanted.since, datetime)
        binds = {
            "since_at": wanted.since if is_time else None,
            "since_day": None if is_time else wanted.since,
        }
        return con.sql(sql.statement("read/changes/published_since"), params=binds).to_arrow_table()
    return con.sql(sql.statement("read/changes/newest_change")).to_arrow_table()


def alike(changes: pa.Table) -> pa.Table:
    """Return changes for people: those of several subscriptions or terms of one SKU are one row.

    The columns `subscriptions` and `keys` count what a row stands for.
    """
    with connect() as con:
        con.register("change_row", changes)
        return con.sql(sql.statement("read/changes/alike")).to_arrow_table()


def gaps(cells_and_before: pa.Table, published: pa.Table, coverage: pa.Table) -> pa.Table:
    """Compute `Store.gaps` from the tables `published` (snapshot_id, sequence) and `coverage`."""
    with connect() as con:
        con.register("asked", cells_and_before)
        con.register("published", published)
        con.register("coverage", coverage)
        return con.sql(sql.statement("read/changes/gap")).to_arrow_table()
