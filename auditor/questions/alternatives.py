"""What could a customer buy instead of a SKU that is restricted for it?"""

import duckdb
import msgspec
import pyarrow as pa

from auditor.questions import skus
from auditor.questions.asking import answer, asking
from auditor.questions.skus import AskedSku, FoundSkus
from auditor.store.interface import Store

_DESCRIBED = "read/alternatives/described"
_OFFERED = "read/alternatives/offered"
_ALTERNATIVE = "read/alternatives/alternative"
_ABOUT = "read/alternatives/about"
_SILENT = "read/alternatives/silent"
STATEMENTS = (_DESCRIBED, _OFFERED, _ALTERNATIVE, _ABOUT, _SILENT)


class Alternatives(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer could buy instead of some SKUs."""

    about: pa.Table
    """What is known of the SKUs themselves, one row for each key of the customer."""
    table: pa.Table
    """One row for each key and each SKU that can be bought in its place, the nearest first."""
    silent: int
    """Checks of the customer without an answer."""


def alternatives(store: Store, customer: str, asked: AskedSku) -> Alternatives:
    """Return what a customer could buy instead of the SKUs that `asked` names.

    Raises UsageError if there is no such customer or SKU.
    """
    customer_id = store.covered_customer(customer)
    found = skus.find(store, asked)
    with asking(store, *STATEMENTS, customer_id=customer_id) as con:
        return read(con, customer_id, found, asked.binds)


def read(
    con: duckdb.DuckDBPyConnection, customer_id: str, found: FoundSkus, binds: dict[str, object]
) -> Alternatives:
    """Return the alternatives from a connection that is open for `STATEMENTS`."""
    given = {**binds, "customer_id": customer_id}
    described, offered = answer(con, _DESCRIBED, given), answer(con, _OFFERED, given)
    tables = {"described": described, "offered": offered, "asked_sku": found.table}
    [silent] = answer(con, _SILENT, given).to_pylist()
    return Alternatives(
        about=answer(con, _ABOUT, given, **tables),
        table=answer(con, _ALTERNATIVE, given),
        silent=silent["checks"],
    )
