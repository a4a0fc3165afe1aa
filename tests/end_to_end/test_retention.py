"""`snapshots prune` removes old data from the store and from `state_dir`."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.sandbox import WorldSize
from tests.builders.another_partner_center import auditor
from tests.builders.nightly import Night, nights

TINY = WorldSize(
    partners=1, customers=3, products=1, regions=1, sizes_per_product=1, licence_products=1
)
KINDS = {"snapshot", "attempt", "run", "raw_replies", "quarantine"}


def files(night: Night) -> set[Path]:
    folders = (Path(night.settings.store), night.settings.state_dir)
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.mark.asyncio
async def test_prune_shows_each_kind_and_with_apply_removes_it(tmp_path: Path) -> None:
    """S18: the oldest of three nights goes; a run itself would remove its files after 14 days."""
    now = datetime.now(UTC)
    async with nights(tmp_path, 1, size=TINY) as night:
        for number, days in ((1, 13), (2, 10), (3, 0)):
            await night.run(number, began=now - timedelta(days=days, hours=1))
        before = files(night)
        words = ("snapshots", "prune", "--keep", "12d", "--format", "json")
        dry = await auditor(tmp_path, *words, **night.environ)
        assert dry.status == 0
        assert files(night) == before
        rows = json.loads(dry.stdout)
        assert {row["what"] for row in rows} == KINDS
        for kind in KINDS:
            assert f"{kind}: 1" in dry.stderr
        assert "nothing is deleted without --apply" in dry.stderr

        applied = await auditor(tmp_path, *words, "--apply", **night.environ)
        assert json.loads(applied.stdout) == rows
        left = files(night)
        assert {path.name for path in left - before} == {"pruned.json"}
        assert len(left) < len(before)
        assert len(list(night.settings.state_dir.glob("runs/*"))) == 2
        for snapshot_id in night.store.published():
            assert night.store.verify(snapshot_id) == []
        again = await auditor(tmp_path, *words, "--apply", **night.environ)
        assert (again.status, json.loads(again.stdout), files(night)) == (0, [], left)
