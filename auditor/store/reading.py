"""Helps to read a store in DuckDB.

It checks names, builds conditions, finds a customer by name, and turns an error of DuckDB into one
of the auditor's own.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import duckdb
import msgspec
import pyarrow as pa

from auditor.customer_names import CustomerName, ambiguous, as_id, matching, unknown
from auditor.errors import AuditorError, StoreCorrupt, StoreFailed, UsageError
from auditor.store import sql
from auditor.tables import KEYS

_GONE = ("No files found", "No such file or directory")
"""DuckDB's messages for a missing file: the first when it searches, the second when it opens."""


class FileGone(StoreFailed):
    """A file that existed when the connection was made has been removed."""


def check_name(name: str) -> None:
    """Raise UsageError unless `name` is a relation or view."""
    known = (*sql.BASE, *sql.VIEWS)
    if name not in known:
        near = get_close_matches(name, known, n=3)
        raise UsageError(f"no relation or view {name!r}", hint=", ".join(near or sorted(known)))


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition in SQL that one column of a row must meet, and the values bound in it."""

    column: str
    text: str
    values: tuple[object, ...]


_OF_PARTNER = (
    '"partner_tenant_id" IN (SELECT partner_tenant_id FROM snapshot'
    " WHERE partner_tenant_id = lower(?) OR partner_name = ?)"
)


def conditions(
    customer_id: str | None,
    product: str | None,
    sku: str | None,
    partner: str | None,
    columns: Mapping[str, object],
) -> list[Condition]:
    """Return one condition for each keyword argument; the value None means no condition."""
    equal = {"customer_id": customer_id, "product_id": product, "sku_id": sku, **columns}
    if sku is not None and ":" in sku:
        equal["product_id"], equal["sku_id"] = sku.split(":", 1)
    found = [
        Condition(column=column, text=f'"{column}" = ?', values=(value,))
        for column, value in equal.items()
        if value is not None
    ]
    if partner is not None:
        values = (partner, partner)
        found.append(Condition(column="partner_tenant_id", text=_OF_PARTNER, values=values))
    return found


def rows(con: duckdb.DuckDBPyConnection, name: str, wanted: Sequence[Condition]) -> pa.Table:
    """Return the rows of a relation or view that meet all conditions, in a stable order."""
    try:
        columns = con.sql(f'SELECT * FROM "{name}" LIMIT 0').columns  # noqa: S608 - a known name
        for condition in wanted:
            if condition.column not in columns:
                hint = ", ".join(columns)
                raise UsageError(f"{name} has no column {condition.column!r}", hint=hint)
        where = " AND ".join(["true", *(condition.text for condition in wanted)])
        order = _order(name, columns)
        statement = f'SELECT * FROM "{name}" WHERE {where} ORDER BY {order}'  # noqa: S608 - known names, bound values
        values = [value for condition in wanted for value in condition.values]
        return con.sql(statement, params=values).to_arrow_table()
    except duckdb.Error as error:
        raise translated(error) from error


def _order(name: str, columns: Sequence[str]) -> str:
    key = KEYS.get(name.removeprefix("latest_").removeprefix("current_"), ())
    return ", ".join(f'"{column}"' for column in key if column in columns) or "ALL"


def find_customer(con: duckdb.DuckDBPyConnection, customer: str) -> str:
    """Return the id of the customer that has this id, domain or exact company name.

    An id is returned even if no such customer is known now: the customer may have left.
    """
    if customer_id := as_id(customer):
        return customer_id
    rows = con.sql(sql.statement("read/customer_names")).fetchall()
    known = [
        CustomerName(customer_id=customer_id, company_name=company_name, domain=domain)
        for customer_id, company_name, domain in rows
    ]
    found = matching(customer, known)
    if len(found) > 1:
        raise ambiguous(customer, found)
    if not found:
        raise unknown([customer], known)
    return found[0]


def find_partner(con: duckdb.DuckDBPyConnection, partner: str) -> str:
    """Return the tenant id of the partner that has this name or tenant id."""
    names = con.sql(sql.statement("read/partner_names")).fetchall()
    found = {
        tenant for tenant, name in names if partner in {name, tenant} or partner.lower() == tenant
    }
    if len(found) == 1:
        return str(found.pop())
    if found:
        hint = f"name one by its tenant id: {' or '.join(sorted(found))}"
        raise UsageError(f"{len(found)} partners are named {partner!r}", hint=hint)
    known = sorted({name for _, name in names})
    raise UsageError(
        f"no partner {partner!r}",
        code="E_PARTNER_UNKNOWN",
        hint=f"the store knows {', '.join(known)}" if known else "no partner was audited yet",
    )


def check_covered(con: duckdb.DuckDBPyConnection, customer_id: str) -> None:
    """Raise UsageError if no snapshot has ever covered a customer."""
    query = sql.statement("read/covered_customer")
    if not con.sql(query, params={"customer_id": customer_id}).fetchall():
        rows = con.sql(sql.statement("read/customer_names")).fetchall()
        raise unknown([customer_id], [CustomerName(customer_id=row[0]) for row in rows])


def translated(error: duckdb.Error, *, is_users_sql: bool = False) -> AuditorError:
    """Return our error for an error of DuckDB.

    With `is_users_sql`, a wrong statement gives a UsageError, because the user wrote it.
    """
    message = str(error).strip().splitlines()[0]
    if isinstance(error, duckdb.IOException) and any(words in message for words in _GONE):
        return FileGone(message)
    if is_users_sql:
        return refused(message)
    if isinstance(error, duckdb.InvalidInputException):
        return StoreCorrupt(message, hint="see: auditor snapshots verify")
    return StoreFailed(message)


def refused(message: str) -> UsageError:
    """Return the error for a user's statement that the engine refused with `message`."""
    hint = "to list relations and views: SELECT table_name FROM information_schema.tables"
    return UsageError(f"sql: {message}", hint=hint)
