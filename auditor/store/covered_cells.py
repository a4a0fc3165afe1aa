"""Which cells a snapshot covers, and which of them its rows are about."""

import pyarrow as pa

from auditor.errors import Bug
from auditor.model import Cell
from auditor.store import conform
from auditor.tables import STATE


class Covering:
    """What was written of one snapshot so far, by cell."""

    def __init__(self) -> None:
        self._status: dict[Cell, str] = {}
        self._with_rows: dict[str, set[Cell]] = {relation: set() for relation in STATE}

    def note(self, relation: str, table: pa.Table) -> None:
        """Take in rows that are written; Bug for a cell whose rows were written before."""
        if relation == "coverage":
            for row in table.select([*conform.cell_columns(relation), "status"]).to_pylist():
                status = row.pop("status")
                self._status[Cell(**row)] = status
        elif relation in STATE:
            cells, _ = conform.cells_of(relation, table)
            noted = self._with_rows[relation]
            if twice := noted.intersection(cells):
                raise Bug(f"{relation}: rows of {min(twice)} are written twice")
            noted.update(cells)

    def check(self) -> None:
        """Raise Bug for rows of a cell that is not covered, or has left."""
        for relation, cells in self._with_rows.items():
            for cell in cells:
                if self._status.get(cell, "left") == "left":
                    raise Bug(f"{relation}: rows in {cell}, which is not covered or has left")

    def without_rows(self, relation: str) -> list[Cell]:
        """Return the covered cells that hold nothing of a relation."""
        return [cell for cell in self._status if cell not in self._with_rows[relation]]
