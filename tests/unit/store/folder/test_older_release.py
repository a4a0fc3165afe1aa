"""P34: a folder of an older release is read as it is, and grows when it is published into."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import StoreTooNew
from auditor.store import open_store
from auditor.store.folder.store import FolderStore
from auditor.tables import SCHEMA_VERSION
from tests.builders import next_release
from tests.builders.store_lake import ACME, BOND, at, cover, listed, make, publish, stock


@pytest.fixture
def lake(tmp_path: Path) -> FolderStore:
    """Two nights of this release; the next one is the later release."""
    store = make(tmp_path)
    for night in (1, 2):
        rows = {
            "coverage": [cover(ACME, "DE"), cover(BOND, "DE"), cover("", "DE")],
            "inventory": [stock(one, "0011", "restricted", at(night)) for one in (ACME, BOND)],
            "sku": [listed("0011")],
        }
        publish(store, f"2026110{night}T020000Z-00000a", at(night), rows)
    return store


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of the snapshots, and what defines the store."""
    paths = [*root.glob("snapshot=*/**/*"), *root.glob("_schema/*"), root / "store.json"]
    return {str(path): path.read_bytes() for path in paths if path.is_file()}


def values(rows: list[dict[str, Any]], name: str) -> list[object]:
    return sorted((row[name] for row in rows), key=str)


def test_a_reader_that_does_not_publish_reads_it_and_writes_nothing(lake: FolderStore) -> None:
    before = contents(lake.root)
    asked = ("views", "rows=inventory", "rows=coverage", "rows=sku", "rows=extra", "verify")
    views, inventory, coverage, sku, extra, faults = next_release.run(str(lake.root), *asked)
    assert (views["inventory"], views["latest_inventory"], views["extra"]) == (4, 2, 0)
    assert values(inventory, "note") == [None] * 4
    assert values(coverage, "pages") == [0] * 6
    assert values(sku, "channel") == [""] * 2
    assert (extra, faults) == ([], [])
    assert contents(lake.root) == before


def test_what_is_known_has_the_columns_that_its_files_lack(lake: FolderStore) -> None:
    """The rows a publisher compares with, which no DuckDB reads."""
    inventory, sku, extra = next_release.run(
        str(lake.root), "known=inventory", "known=sku", "known=extra"
    )
    assert [row["note"] for row in inventory] == [None, None]
    assert [row["channel"] for row in sku] == [""]
    assert extra == []


def test_sql_from_outside_reads_it_too(lake: FolderStore) -> None:
    inventory, extra = next_release.run(str(lake.root), "sql=current_inventory", "sql=extra")
    assert (values(inventory, "note"), extra) == ([None, None], [])


def test_publishing_into_it_upgrades_it_and_changes_no_older_snapshot(lake: FolderStore) -> None:
    before = contents(lake.root)
    asked = (f"publish={ACME}", "views", "rows=inventory", "rows=coverage", "rows=sku")
    new, views, inventory, coverage, sku = next_release.run(str(lake.root), *asked)
    assert (new, views["snapshot"], views["extra"], views["latest_inventory"]) == (True, 3, 1, 2)
    assert values(inventory, "note") == [None] * 4 + ["seen"]
    assert values(coverage, "pages") == [0] * 7 + [7]
    assert values(sku, "channel") == ["", "", "web"]
    after = contents(lake.root)
    assert {path: after[path] for path in before if "snapshot=" in path} == {
        path: data for path, data in before.items() if "snapshot=" in path
    }
    info = json.loads((lake.root / "store.json").read_text())
    assert info == {"schema_version": SCHEMA_VERSION + 1, "buckets": 4}
    assert (lake.root / "_schema" / "extra.parquet").exists()


def test_a_file_of_views_over_it_reads_what_is_published_later(
    lake: FolderStore, tmp_path: Path
) -> None:
    """Only of a relation that had no file yet it has to be written again: docs/bi.md."""
    first, second = (str(tmp_path / name) for name in ("first.duckdb", "second.duckdb"))
    _, before, _, after, _, again = next_release.run(
        str(lake.root),
        *(f"file={first}", f"count={first}", f"publish={ACME}", f"count={first}"),
        *(f"file={second}", f"count={second}"),
    )
    assert (before["inventory"], before["extra"]) == (4, 0)
    assert (after["inventory"], after["current_inventory"], after["extra"]) == (5, 2, 0)
    assert (again["inventory"], again["sku"], again["extra"]) == (5, 3, 1)


def test_over_both_snapshots_pruning_and_verifying_work(lake: FolderStore) -> None:
    asked = (f"publish={ACME}", "verify", "prune", "verify", "views", "known=inventory")
    *_, faults, pruned, still, views, known = next_release.run(str(lake.root), *asked)
    assert (faults, pruned, still) == ([], 1, [])
    assert (views["inventory"], views["extra"], views["coverage"]) == (3, 1, 8)
    assert values(known, "note") == [None, "seen"]


def test_the_older_release_refuses_what_the_newer_one_upgraded(lake: FolderStore) -> None:
    """One that opened it before, too: a snapshot of two releases has neither's columns."""
    next_release.run(str(lake.root), f"publish={ACME}")
    with pytest.raises(StoreTooNew) as caught:
        open_store(str(lake.root))
    assert caught.value.exit_status == 76
    with pytest.raises(StoreTooNew), lake.publishing(0.0):
        pass


def test_an_upgrade_that_was_killed_is_done_again(lake: FolderStore) -> None:
    """The columns are written first; until the version is raised, the older release goes on."""
    copy = lake.root.with_name("copy")
    shutil.copytree(lake.root, copy)
    next_release.run(str(copy), f"publish={ACME}")
    shutil.copytree(copy / "_schema", lake.root / "_schema", dirs_exist_ok=True)

    views, inventory = next_release.run(str(lake.root), "views", "rows=inventory")
    assert (views["extra"], values(inventory, "note")) == (0, [None] * 4)
    assert next_release.run(str(lake.root), f"publish={ACME}", "rows=extra")[1][0]["word"] == "new"
