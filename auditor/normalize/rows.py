"""Rows gathered into Arrow tables."""

import pyarrow as pa

_PACK_ROWS = 50_000
"""Rows held as Python values, which are large, before they are packed into Arrow."""


class RowBuffer:
    """Rows of one schema, gathered column by column."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[tuple[object, ...]] = []
        self._packed: list[pa.RecordBatch] = []

    def add(self, *row: object) -> None:
        """Add one row, its values in the schema's order."""
        self._rows.append(row)
        if len(self._rows) >= _PACK_ROWS:
            self._pack()

    def __len__(self) -> int:
        """Return the number of rows."""
        packed: int = sum(batch.num_rows for batch in self._packed)
        return packed + len(self._rows)

    def _pack(self) -> None:
        columns = zip(*self._rows, strict=True)
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(columns, self._schema, strict=True)
        ]
        self._packed.append(pa.record_batch(arrays, schema=self._schema))
        self._rows = []

    def table(self) -> pa.Table:
        """Return the rows so far."""
        if self._rows:
            self._pack()
        return pa.Table.from_batches(self._packed, schema=self._schema)
