"""Checks that a snapshot has rows only in the cells that it covers."""

import pyarrow as pa

from auditor.errors import Bug
from auditor.model import Cell
from auditor.store import conform
from auditor.tables import STATE


class CoveredCells:
    """The covered cells of one snapshot, and the cells of the rows that are written so far."""

    def __init__(self) -> None:
        self._status: dict[Cell, str] = {}
        self._with_rows: dict[str, set[Cell]] = {relation: set() for relation in STATE}

    def add(self, relation: str, table: pa.Table) -> None:
        """Add the cells of written rows. Raise Bug if a cell already has rows of the relation."""
        if relation == "coverage":
            for row in table.select([*conform.cell_columns(relation), "status"]).to_pylist():
                status = row.pop("status")
                self._status[Cell(**row)] = status
        elif relation in STATE:
            cells, _ = conform.cells_of(relation, table)
            with_rows = self._with_rows[relation]
            if twice := with_rows.intersection(cells):
                raise Bug(f"{relation}: rows of {min(twice)} are written twice")
            with_rows.update(cells)

    def check(self) -> None:
        """Raise Bug if a cell that is not covered, or has left, has rows."""
        for relation, cells in self._with_rows.items():
            for cell in cells:
                if self._status.get(cell, "left") == "left":
                    raise Bug(f"{relation}: rows in {cell}, which is not covered or has left")

    def without_rows(self, relation: str) -> list[Cell]:
        """Return the covered cells that have no rows of a relation."""
        return [cell for cell in self._status if cell not in self._with_rows[relation]]
