"""Check outcomes are yielded in the order of their ids, however many there are."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from auditor.publish.outcomes_on_disk import Outcomes


@pytest.mark.parametrize("count", [0, 1, 100, 101, 5000])
def test_all_come_out_in_the_order_of_their_ids(tmp_path: Path, count: int) -> None:
    """P25: a limited number at a time, and the file is removed."""
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    path = tmp_path / "spill" / "outcomes"
    with Outcomes(path, at_once=100) as outcomes:
        for first in range(0, count, 37):
            some = ids[first : first + 37]
            reasons = pa.array([name[:3] for name in some]).dictionary_encode()
            outcomes.add(pa.table({"check_id": some, "reason": reasons}))
        assert path.exists() is (count > 100)
        told = [table.to_pylist() for table in outcomes.tables()]

    assert [row for rows in told for row in sorted(rows, key=str)] == [
        {"check_id": name, "reason": name[:3]} for name in sorted(ids)
    ]
    assert all(len(rows) < 2 * 100 + 100 for rows in told)
    assert not path.exists()
