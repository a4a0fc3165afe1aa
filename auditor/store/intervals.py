"""What a snapshot says of a bucket that the night before did not: only that is written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import duckdb
import pyarrow as pa

from auditor.store import conform, places
from auditor.store.duck import connect
from auditor.store.sql import statement


class News:
    """The rows of one relation and bucket, compared with what is known of the same cells."""

    def __init__(self, con: duckdb.DuckDBPyConnection, relation: str) -> None:
        self._con = con
        self._relation = relation

    @classmethod
    @contextmanager
    def between(cls, relation: str, known: pa.Table, stated: pa.Table) -> Iterator[Self]:
        """Compare; cells without a row in `stated` are left out."""
        columns = list(places.of_interval(relation))
        with connect() as con:
            con.register("stated", stated)
            con.register("said", stated.select(columns))
            con.register("known", _in_cells(relation, known, stated).select(columns))
            yield cls(con, relation)

    def tables(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield what is to be staged, by the name of its table."""
        over = self._rows("FROM known EXCEPT FROM said")
        begun = self._rows("FROM said EXCEPT FROM known")
        yield self._relation, _marked(over, is_over=True)
        yield self._relation, _marked(begun, is_over=False)
        if self._relation in places.CHECKS:
            checked = f"{self._relation}_checked"
            self._con.execute(statement(f"publish/{checked}"))
            yield checked, self._con.table(checked).to_arrow_table()
            yield f"{checked}_apart", self._rows(statement(f"publish/{checked}_apart"))

    def _rows(self, query: str) -> pa.Table:
        return self._con.sql(query).to_arrow_table()


def _in_cells(relation: str, known: pa.Table, stated: pa.Table) -> pa.Table:
    wanted = set(conform.cells_of(relation, stated)[0])
    found, which = conform.cells_of(relation, known)
    keep = pa.array([cell in wanted for cell in found], pa.bool_())
    return known.filter(keep.take(pa.array(which))) if found else known


def _marked(table: pa.Table, *, is_over: bool) -> pa.Table:
    return table.append_column("is_over", pa.repeat(pa.scalar(is_over), table.num_rows))
