"""Opens DuckDB with copies of a database's rows, and every view over them."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from auditor.store import sql
from auditor.store.duck import opened, spill_folder


@contextmanager
def filled(
    relations: Iterable[tuple[str, pa.RecordBatchReader]],
    only: frozenset[str] | None,
    *,
    is_sparing: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB on copies of base views, with every view over them, or only the views `only`.

    The rows are copied batch by batch before the `with` block runs. Rows that do not fit in memory
    are spilled to disk.
    """
    con = opened(is_sparing=is_sparing)
    try:
        con.execute("SET temp_directory = $1", [spill_folder()])
        for name, batches in relations:
            _fill(con, name, batches)
        for name in sql.VIEWS:
            if only is None or name in only:
                con.execute(sql.statement(f"views/{name}"))
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def _fill(con: duckdb.DuckDBPyConnection, name: str, batches: pa.RecordBatchReader) -> None:
    con.register("_batch", batches.schema.empty_table())
    con.execute(f"CREATE TABLE {name} AS FROM _batch")
    for batch in batches:  # DuckDB does not read the batches, so that an error is the driver's
        con.register("_batch", pa.Table.from_batches([batch]))
        con.execute(f"INSERT INTO {name} FROM _batch")
    con.unregister("_batch")
