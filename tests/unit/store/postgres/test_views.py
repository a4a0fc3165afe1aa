"""Rows are copied from a database batch by batch."""

from collections.abc import Iterator

import pyarrow as pa

from auditor.store.postgres.views import filled

ROWS = 100_000
SCHEMA = pa.schema({"n": pa.int64()})


def test_a_relation_is_copied_without_being_in_memory_as_a_whole() -> None:
    """At most two of ten batches are in memory at once."""
    before = pa.total_allocated_bytes()
    most = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal most
        for number in range(10):
            values = pa.array(range(number * ROWS, (number + 1) * ROWS), pa.int64())
            most = max(most, pa.total_allocated_bytes() - before)
            yield pa.record_batch([values], schema=SCHEMA)

    reader = pa.RecordBatchReader.from_batches(SCHEMA, batches())
    with filled([("latest_cell", reader)], frozenset({"latest_cell"})) as con:
        found = con.execute("SELECT count(*), sum(n) FROM latest_cell").fetchone()

    assert found == (10 * ROWS, sum(range(10 * ROWS)))
    assert most < 3 * 8 * ROWS


def test_a_relation_without_rows_has_its_columns() -> None:
    reader = pa.RecordBatchReader.from_batches(SCHEMA, [])
    with filled([("latest_cell", reader)], frozenset({"latest_cell"})) as con:
        assert con.table("latest_cell").columns == ["n"]
