"""Asks several statements of `sql/read/` on one connection, so that all read the same snapshots."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from auditor.store import reading, sql
from auditor.store.interface import Store


@contextmanager
def asking(
    store: Store,
    *statements: str,
    customer_id: str | None = None,
    products: Sequence[str] = (),
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a store for these statements; `customer_id` and `products` as in `Store.connect`."""
    query = "\n".join(map(sql.statement, statements))
    with store.connect(customer_id=customer_id, products=products, query=query) as con:
        yield con


def answer(
    con: duckdb.DuckDBPyConnection,
    statement: str,
    binds: Mapping[str, object] | None = None,
    **registered: pa.Table,
) -> pa.Table:
    """Return the rows of one statement; of `binds`, those that it names are bound.

    The tables that are `registered` stay for later statements.
    """
    text = sql.statement(statement)
    try:
        for name, rows in registered.items():
            con.register(name, rows)
        given = binds or {}
        bound = {name: value for name, value in given.items() if f"${name}" in text}
        return con.sql(text, params=bound or None).to_arrow_table()
    except duckdb.Error as error:
        raise reading.translated(error) from error
