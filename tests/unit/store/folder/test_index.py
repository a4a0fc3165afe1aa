"""The index when several threads use it at once, one for each partner."""

from collections.abc import Iterator

import pyarrow as pa

from auditor.model import Cell
from auditor.store.folder.index import Index

BUCKETS = 4
ROWS = [
    {
        "partner_tenant_id": "t",
        "customer_id": f"c-{number}",
        "country": "",
        "snapshot_id": "s",
    }
    for number in range(12)
]


class ReadTwice:
    """A latest map that a second thread reads while the first is reading it."""

    def __init__(self) -> None:
        self.index = Index((), self.table, is_stale=False)
        self.seen: list[set[Cell]] = []

    @property
    def table(self) -> pa.Table:
        return self  # replaces a table: the index calls only these methods

    def select(self, columns: list[str]) -> "ReadTwice":
        assert columns == list(ROWS[0])
        return self

    def to_pylist(self) -> Iterator[dict[str, str]]:
        for place, row in enumerate(ROWS):
            if place == 1 and not self.seen:
                self.seen.append(set())
                self.seen.append(known(self.index))
            yield dict(row)


def known(index: Index) -> set[Cell]:
    found = (index.current_cells("t", bucket, BUCKETS) for bucket in range(BUCKETS))
    return {cell for of_bucket in found for cells in of_bucket.values() for cell in cells}


def test_no_thread_sees_a_half_built_map() -> None:
    """P3, P14: the threads of two partners build the map at the same time."""
    read_twice = ReadTwice()
    everything = known(read_twice.index)
    assert len(everything) == len(ROWS)
    assert read_twice.seen[1] == everything
