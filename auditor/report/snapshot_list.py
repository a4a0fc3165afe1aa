"""Lists snapshots for people, and the attempts that published nothing."""

from typing import TYPE_CHECKING, TextIO

import duckdb
import pyarrow as pa

from auditor.report import formats
from auditor.store import reading, sql

if TYPE_CHECKING:
    from auditor.store.interface import Store

_READS = "snapshot attempt current_customer"


def tables(store: "Store", time_zone: str) -> tuple[pa.Table, pa.Table]:
    """Return the snapshots and the attempts without one, newest first, times in this zone."""
    with store.connect(query=_READS) as con:
        try:
            published, unpublished = (
                con.sql(
                    sql.statement(f"read/snapshots/{name}"), params={"time_zone": time_zone}
                ).to_arrow_table()
                for name in ("listed", "unpublished")
            )
        except duckdb.Error as error:
            raise reading.translated(error) from error
    return published, unpublished


def write(store: "Store", time_zone: str, stream: TextIO) -> None:
    """Write both lists, and the time zone."""
    published, unpublished = tables(store, time_zone)
    formats.write(published, "table", stream)
    stream.write(f"times in {time_zone}\n")
    if unpublished.num_rows:
        stream.write("\nAttempts that published nothing:\n")
        formats.write(unpublished, "table", stream)
