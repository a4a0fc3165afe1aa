"""Delta tables have exactly the rows of the store's relations, however often they are exported."""

import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from deltalake import DeltaTable

from auditor.errors import InputMissing, SettingsError, StoreFailed, UsageError
from auditor.store.delta.export import export
from auditor.store.folder.store import FolderStore
from tests.builders import report_lake
from tests.builders.delta import RELATIONS, assert_same, exported, stored, versions
from tests.builders.store_lake import ACME, at, cover, make, publish, stock
from tests.unit.store import test_views_latest

PROJECT = Path(__file__).parents[4]


def next_night(lake: FolderStore, name: str = "s9") -> None:
    rows = [stock(ACME, "0001", "restricted", at(9))]
    publish(lake, name, at(9), {"coverage": [cover(ACME, "DE")], "inventory": rows})


def written(lake: FolderStore, folder: Path, **how: int) -> Mapping[str, int]:
    table = export(lake, str(folder), **how)
    assert table.column("relation").to_pylist() == sorted(RELATIONS, key=RELATIONS.index)
    return dict(zip(*(table.column(n).to_pylist() for n in ("relation", "written")), strict=True))


@pytest.mark.parametrize("lake_of", [report_lake.two_nights, test_views_latest.two_nights])
def test_every_table_has_the_rows_of_its_relation(
    lake_of: Callable[[Path], FolderStore], tmp_path: Path
) -> None:
    lake, folder = lake_of(tmp_path), tmp_path / "tables"
    counts = written(lake, folder)
    assert_same(lake, folder)
    assert counts == {name: len(stored(lake, name)) for name in RELATIONS}
    assert counts["inventory"] > 0


def test_only_what_is_lacking_is_written(tmp_path: Path) -> None:
    lake, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    export(lake, str(folder))
    before = versions(folder)
    assert set(written(lake, folder).values()) == {0}
    assert versions(folder) == before
    next_night(lake)
    counts = written(lake, folder)
    assert (counts["inventory"], counts["coverage"]) == (1, 1)
    assert_same(lake, folder)


def test_one_commit_holds_as_many_snapshots_as_fit(tmp_path: Path) -> None:
    lake = report_lake.two_nights(tmp_path)
    snapshots = len(lake.published())
    for at_once, commits in ((1, snapshots), (10**6, 1)):
        folder = tmp_path / f"tables-{at_once}"
        export(lake, str(folder), at_once=at_once)
        assert versions(folder)["inventory"] == commits
        assert_same(lake, folder)


def test_exporters_at_once_write_each_row_once(tmp_path: Path) -> None:
    lake, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    with ThreadPoolExecutor(3) as pool:
        exports = [pool.submit(export, lake, str(folder), at_once=1) for _ in range(3)]
        counts = [sum(each.result().column("written").to_pylist()) for each in exports]
    assert sum(counts) >= sum(len(stored(lake, name)) for name in RELATIONS)
    assert_same(lake, folder)


@pytest.mark.parametrize("count", [2, 6, 11])
def test_an_export_that_was_killed_is_completed_by_the_next(count: int, tmp_path: Path) -> None:
    lake, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    words = ("tests.builders.delta", str(lake.root), str(folder), str(count))
    killed = subprocess.run([sys.executable, "-m", *words], cwd=PROJECT, check=False)
    assert killed.returncode == -signal.SIGKILL
    if (folder / "snapshot").exists():  # a snapshot is not named before its rows are there
        assert exported(folder, "snapshot") == []
    export(lake, str(folder))
    assert_same(lake, folder)


def test_pruned_rows_stay(tmp_path: Path) -> None:
    lake, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    next_night(lake)
    export(lake, str(folder))
    before = {name: exported(folder, name) for name in RELATIONS}
    lake.prune(timedelta(0), at(30), apply=True)
    assert stored(lake, "inventory") != before["inventory"]
    export(lake, str(folder))
    assert {name: exported(folder, name) for name in RELATIONS} == before


def test_tables_need_no_feature_that_readers_may_lack(tmp_path: Path) -> None:
    """No deletion vectors, no column mapping."""
    lake, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    export(lake, str(folder))
    for name in RELATIONS:
        protocol = DeltaTable(str(folder / name)).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
        assert not protocol.reader_features


def test_the_tables_of_another_store_are_not_touched(tmp_path: Path) -> None:
    folder = tmp_path / "tables"
    export(report_lake.two_nights(tmp_path), str(folder))
    other = make(tmp_path / "other")
    next_night(other)
    before = versions(folder)
    with pytest.raises(UsageError, match="not made from this store"):
        export(other, str(folder))
    assert versions(folder) == before


def test_a_store_without_snapshots_has_nothing_to_export(tmp_path: Path) -> None:
    with pytest.raises(InputMissing):
        export(make(tmp_path), str(tmp_path / "tables"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreFailed, match="file/tables"):
        export(report_lake.two_nights(tmp_path), str(tmp_path / "file" / "tables"))


@pytest.mark.parametrize(
    "url",
    [
        "https://account.blob.core.windows.net/c?sig=SECRET",
        "abfss://c@account.dfs.core.windows.net/c?sig=SECRET",
        "s3://key:SECRET@bucket/path",
    ],
)
def test_a_url_with_a_key_is_refused_and_not_shown(url: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        export(report_lake.two_nights(tmp_path), url)
    assert "SECRET" not in f"{refused.value} {refused.value.hint}"


def test_without_the_extra_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = report_lake.two_nights(tmp_path)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(SettingsError) as missing:
        export(lake, str(tmp_path / "tables"))
    assert (missing.value.exit_status, "[delta]" in missing.value.hint) == (78, True)


def test_a_forgotten_customer_is_deleted(tmp_path: Path) -> None:
    """The store no longer has rows of a customer that the tables have."""
    both, folder = report_lake.two_nights(tmp_path), tmp_path / "tables"
    export(both, str(folder))
    with duckdb.connect() as con:
        for path in both.root.rglob("*.parquet"):
            where = f"customer_id <> '{ACME}'"
            names = con.sql(f"SELECT * FROM '{path}' LIMIT 0").columns
            if "customer_id" in names and path.parent.name != "_schema":
                kept = con.sql(f"FROM '{path}' WHERE {where}").to_arrow_table()
                con.register("kept", kept)
                con.execute(f"COPY kept TO '{path}' (FORMAT parquet)")
    result = export(both, str(folder)).to_pylist()
    assert {row["relation"] for row in result if row["deleted"]} >= {"coverage", "inventory"}
    for name in RELATIONS:
        assert not any(ACME in row for row in exported(folder, name)), name
