"""A night is published the same with whole buckets or with many chunks."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from auditor.normalize.staged import AT_ONCE
from tests.builders.guard import OPEN, A, B, Run, kinds, known, many, published, turned


@pytest.mark.asyncio
async def test_a_bucket_published_some_at_a_time_is_the_same_bucket(tmp_path: Path) -> None:
    """P25: outcomes are sorted by check ids, which are hashes, whatever was compared first."""
    told = {}
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
        told[at_once] = {f"{p.parent.name}/{p.name}": pq.read_table(p).to_pylist() for p in files}
        outcomes = [path for path in files if path.parent.name == "check_outcome"]
        for path in outcomes:
            ids = pq.read_table(path).column("check_id").to_pylist()
            assert ids == sorted(ids)
        said = [pq.read_metadata(path) for path in outcomes]
        assert sum(one.num_rows for one in said) >= 12
        assert any(one.num_row_groups > 1 for one in said) is (at_once < AT_ONCE)
    assert told[1] == told[5] == told[AT_ONCE]


@pytest.mark.asyncio
async def test_what_was_published_before_is_told_as_it_stands(tmp_path: Path) -> None:
    """P12: the reply to an earlier attempt was lost."""
    partner = await known(tmp_path, many(A, 3))
    turned(partner, OPEN)
    partner.night(2)
    run = Run(partner)
    await run.ask()
    await run.check()
    partner.others.append(partner.store)  # so that it is published twice

    run.publish()

    told = published(run)
    assert partner.store.published()[-1] == told.snapshot_id == run.snapshot_id
    assert (told.status, told.rows["inventory"]) == ("complete", 3)
    assert told.changes == {kind: count for (kind, _), count in kinds(run).items()} != {}
