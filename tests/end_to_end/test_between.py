"""`changes --between B A` is the inverse of `--between A B`."""

from pathlib import Path

import pytest

from tests.builders.nightly import INVENTORY_KEY, nights

MIRROR = {
    "newly_restricted": "restriction_lifted",
    "restriction_lifted": "newly_restricted",
    "restriction_changed": "restriction_changed",
    "left_catalog": "entered_catalog",
    "entered_catalog": "left_catalog",
    "no_longer_purchasable": "purchasable_again",
    "purchasable_again": "no_longer_purchasable",
    "terms_changed": "terms_changed",
}


@pytest.mark.asyncio
async def test_changes_between_two_snapshots_are_inverted_in_reverse(tmp_path: Path) -> None:
    async with nights(tmp_path, 2) as night:
        first = [s.snapshot_id for s in (await night.run(1)).snapshots]
        await night.run(2)
        last = [s.snapshot_id for s in (await night.run(3)).snapshots]
        one, three = night.inventory_truth(1), night.inventory_truth(3)
        expected = {k for k in one.keys() & three.keys() if one[k] != three[k]}
        found = set()
        for before, after in zip(first, last, strict=True):
            there = night.store.changes(between=(before, after)).to_pylist()
            back = night.store.changes(between=(after, before)).to_pylist()
            keys = [
                (r["subject"], *(r[n] for n in INVENTORY_KEY), r["term_duration"], r["ordinal"])
                for r in there
            ]
            assert {(*k, MIRROR[r["kind"]]) for k, r in zip(keys, there, strict=True)} == {
                (
                    r["subject"],
                    *(r[n] for n in INVENTORY_KEY),
                    r["term_duration"],
                    r["ordinal"],
                    r["kind"],
                )
                for r in back
            }
            assert not night.store.changes(between=(after, after)).num_rows
            found |= {k[1:9] for k in keys if k[0] == "inventory"}
        assert found == expected
