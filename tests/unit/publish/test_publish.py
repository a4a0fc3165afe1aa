"""A night gives the same files, published in whole buckets or in many chunks."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from auditor.normalize.staged import AT_ONCE
from tests.builders.guard import OPEN, A, B, Run, kinds, known, many, published, turned


@pytest.mark.asyncio
async def test_a_bucket_published_in_chunks_is_the_same_bucket(tmp_path: Path) -> None:
    """P25: outcomes are sorted by check id, which is a hash, however they were compared."""
    rows = {}
    truth = many(B, 5)
    for number in range(12):
        truth |= many(A, 3, product=f"DZH{number}")
    for at_once in (1, 5, AT_ONCE):
        partner = await known(tmp_path / str(at_once), truth)
        turned(partner, OPEN)
        partner.night(2)
        run = Run(partner)
        await run.ask()
        await run.check()
        run.publish(at_once)
        files = sorted(partner.store.root.glob(f"snapshot={run.snapshot_id}/*/*.parquet"))
        rows[at_once] = {f"{p.parent.name}/{p.name}": pq.read_table(p).to_pylist() for p in files}
        outcomes = [path for path in files if path.parent.name == "check_outcome"]
        for path in outcomes:
            ids = pq.read_table(path).column("check_id").to_pylist()
            assert ids == sorted(ids)
        metadata = [pq.read_metadata(path) for path in outcomes]
        assert sum(one.num_rows for one in metadata) >= 12
        assert any(one.num_row_groups > 1 for one in metadata) is (at_once < AT_ONCE)
    assert rows[1] == rows[5] == rows[AT_ONCE]


@pytest.mark.asyncio
async def test_a_snapshot_published_before_is_reported_unchanged(tmp_path: Path) -> None:
    """P12: as after an attempt whose reply was lost."""
    partner = await known(tmp_path, many(A, 3))
    turned(partner, OPEN)
    partner.night(2)
    run = Run(partner)
    await run.ask()
    await run.check()
    partner.others.append(partner.store)  # so that it is published twice

    run.publish()

    report = published(run)
    assert partner.store.published()[-1] == report.snapshot_id == run.snapshot_id
    assert (report.status, report.rows["inventory"]) == ("complete", 3)
    assert report.changes == {kind: count for (kind, _), count in kinds(run).items()} != {}
