"""Any number of check outcomes is yielded in the order of their ids."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pytest

from auditor.publish.outcomes_on_disk import Outcomes


@pytest.mark.parametrize("count", [0, 1, 100, 101, 5000])
def test_all_outcomes_are_yielded_in_the_order_of_their_ids(tmp_path: Path, count: int) -> None:
    """P25: only a limited number is in memory at once, and the file is removed."""
    ids = [hashlib.sha256(str(n).encode()).hexdigest() for n in range(count)]
    path = tmp_path / "spill" / "outcomes"
    with Outcomes(path, at_once=100) as outcomes:
        for first in range(0, count, 37):
            some = ids[first : first + 37]
            reasons = pa.array([name[:3] for name in some]).dictionary_encode()
            outcomes.add(pa.table({"check_id": some, "reason": reasons}))
        assert path.exists() is (count > 100)
        yielded = [table.to_pylist() for table in outcomes.tables()]

    assert [row for rows in yielded for row in sorted(rows, key=str)] == [
        {"check_id": name, "reason": name[:3]} for name in sorted(ids)
    ]
    assert all(len(rows) < 2 * 100 + 100 for rows in yielded)
    assert not path.exists()
