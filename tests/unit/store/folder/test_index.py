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


class Meanwhile:
    """A latest map that another thread also reads when it is half read."""

    def __init__(self) -> None:
        self.index = Index((), self.table, is_stale=False)
        self.heard: list[set[Cell]] = []

    @property
    def table(self) -> pa.Table:
        return self  # stands for a table: no more than this is asked of it

    def select(self, columns: list[str]) -> "Meanwhile":
        assert columns == list(ROWS[0])
        return self

    def to_pylist(self) -> Iterator[dict[str, str]]:
        for place, row in enumerate(ROWS):
            if place == 1 and not self.heard:
                self.heard.append(set())
                self.heard.append(known(self.index))
            yield dict(row)


def known(index: Index) -> set[Cell]:
    found = (index.current_cells("t", bucket, BUCKETS) for bucket in range(BUCKETS))
    return {cell for of_bucket in found for cells in of_bucket.values() for cell in cells}


def test_nobody_sees_half_of_what_is_known() -> None:
    """P3, P14: two partners' threads build the map at once; neither may see it half built."""
    meanwhile = Meanwhile()
    everything = known(meanwhile.index)
    assert len(everything) == len(ROWS)
    assert meanwhile.heard[1] == everything
