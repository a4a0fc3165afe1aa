"""P4: `changes --between` is the comparison of a night, with two published snapshots."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import InputMissing
from auditor.store.interface import Store
from auditor.tables import SCHEMAS
from tests.builders.nightly import INVENTORY_KEY, Key, Night, nights, seeds
from tests.builders.store_lake import ACME, at, cover, make, publish, stock

Row = dict[str, Any]  # Any: cells of a table
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
SIDES = ("verdict", "reason_codes", "restriction_values")
KEY = ("subject", *SCHEMAS["change"].names[5:17])
NOT_COUNTED = {"gap_snapshots"}
"""The columns that `--between` does not fill: it reads no snapshot between the two."""


def between(store: Store, before: str, after: str) -> list[Row]:
    """Return the changes between two snapshots, as rows of the relation `change`."""
    found = store.changes(between=(before, after)).select(SCHEMAS["change"].names)
    return list(found.drop_columns(list(NOT_COUNTED)).to_pylist())


def published(store: Store, snapshot: str) -> list[Row]:
    """Return the changes that a snapshot published. A suspect one is of no verdict."""
    found = store.arrow("change", snapshot_id=snapshot).drop_columns(list(NOT_COUNTED))
    return [row for row in found.to_pylist() if not row["suspect"]]


def by_id(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: row["event_id"])


def sided(row: Row, first: str, second: str) -> tuple[object, ...]:
    """Return the key of a change and both its observations, in the order asked for."""
    observed = (row[f"{name}_{side}"] for side in (first, second) for name in SIDES)
    return (*(row[name] for name in KEY), *observed)


def own(rows: list[Row]) -> list[Row]:
    """Return the changes without those of keys that came back with their SKU.

    If a SKU leaves the catalog, that is one change for all its keys. If it comes back, its
    keys that are restricted or not purchasable have changes of their own too.
    """
    names = ("country", "reservation_scope", "product_id", "sku_id")
    returned = {
        tuple(row[name] for name in names)
        for row in rows
        if (row["subject"], row["kind"]) == ("catalog", "entered_catalog")
    }

    def is_back_with_its_sku(row: Row) -> bool:
        where = tuple(row[name] for name in names)
        is_back = not returned.isdisjoint({where, (*where[:-1], "")})
        return is_back and row["subject"] != "catalog" and row["kind"] == "entered_catalog"

    return [row for row in rows if not is_back_with_its_sku(row)]


def seen(rows: list[Row]) -> set[tuple[object, ...]]:
    return {(row["kind"], *sided(row, "before", "after")) for row in own(rows)}


def mirrored(rows: list[Row]) -> set[tuple[object, ...]]:
    """Return what the opposite comparison finds: a key that was first seen is not in it."""
    return {
        (MIRROR[row["kind"]], *sided(row, "after", "before"))
        for row in own(rows)
        if row["kind"] != "first_seen_restricted"
    }


def truths_apart(night: Night, first: int, last: int) -> set[Key]:
    """Return the inventory keys of both nights whose verdict, codes or values differ."""
    one, other = night.inventory_truth(first), night.inventory_truth(last)
    return {key for key in one.keys() & other.keys() if one[key] != other[key]}


def changed_keys(rows: list[Row], kept: set[Key]) -> tuple[set[Key], set[Key]]:
    """Return the changed inventory keys, and those of `kept` whose SKU left the catalog."""
    keys = {
        tuple(row[name] for name in INVENTORY_KEY)
        for row in rows
        if row["subject"] == "inventory" and row["kind"] != "first_seen_restricted"
    }
    left = {
        (row["country"], row["reservation_scope"], row["product_id"], row["sku_id"])
        for row in rows
        if (row["subject"], row["kind"]) == ("catalog", "left_catalog")
    }
    return keys, {
        key for key in kept if not left.isdisjoint({(key[2], *key[5:]), (key[2], *key[5:7], "")})
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("is_database", [False, True], ids=["folder", "database"])
@pytest.mark.parametrize("seed", seeds([2], range(3, 20)))
async def test_between_two_snapshots_is_what_a_night_would_have_published(
    seed: int, is_database: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """P4: whole rows, event ids included; the opposite comparison mirrors them."""
    url = request.getfixturevalue("store_url") if is_database else ""
    async with nights(tmp_path, seed, store=url) as night:
        ids = [[s.snapshot_id for s in (await night.run(n)).snapshots] for n in (1, 2, 3)]
        subjects = set()
        found: set[Key] = set()
        gone: set[Key] = set()
        apart = truths_apart(night, 1, 3)
        for first, second, third in zip(*ids, strict=True):
            for before, after in ((first, second), (second, third)):
                there = between(night.store, before, after)
                assert by_id(there) == by_id(published(night.store, after))
                assert seen(between(night.store, after, before)) == mirrored(there)
                assert between(night.store, after, after) == []
                subjects |= {row["subject"] for row in there}
            there = between(night.store, first, third)
            assert seen(between(night.store, third, first)) == mirrored(there)
            keys, left = changed_keys(there, apart)
            found |= keys
            gone |= left
        assert found == apart - gone
        assert subjects == {"inventory", "availability", "catalog"}


@pytest.mark.parametrize("is_database", [False, True], ids=["folder", "database"])
def test_a_pruned_snapshot_is_input_that_is_missing(
    is_database: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """P4: exit 66, and not "nothing changed"."""
    store = request.getfixturevalue("postgres_store") if is_database else make(tmp_path)
    rows = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [stock(ACME, "0001", "unrestricted", at(1))],
    }
    for number in (1, 2, 3):
        publish(store, f"s{number}", at(number), rows)
    assert store.prune(timedelta(days=1), at(3, 30), apply=True).num_rows
    assert between(store, "s3", "s3") == []
    for pair in (("s1", "s3"), ("s3", "s1")):
        with pytest.raises(InputMissing, match="s1: its rows were pruned") as caught:
            store.changes(between=pair)
        assert caught.value.exit_status == 66
