"""Lists snapshots for people, and the attempts that published nothing."""

from typing import TYPE_CHECKING, TextIO

import pyarrow as pa

from auditor.questions.asking import answer, asking
from auditor.report import formats

if TYPE_CHECKING:
    from auditor.store.interface import Store

_LISTED = "read/snapshots/listed"
_UNPUBLISHED = "read/snapshots/unpublished"


def tables(store: "Store", time_zone: str) -> tuple[pa.Table, pa.Table]:
    """Return the snapshots and the attempts without one, newest first, times in this zone."""
    given = {"time_zone": time_zone}
    with asking(store, _LISTED, _UNPUBLISHED) as con:
        return answer(con, _LISTED, given), answer(con, _UNPUBLISHED, given)


def write(store: "Store", time_zone: str, stream: TextIO) -> None:
    """Write both lists, and the time zone."""
    published, unpublished = tables(store, time_zone)
    formats.write(published, "table", stream)
    stream.write(f"times in {time_zone}\n")
    if unpublished.num_rows:
        stream.write("\nAttempts that published nothing:\n")
        formats.write(unpublished, "table", stream)
