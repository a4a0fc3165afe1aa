"""A DuckDB file with every relation and view over the folder's current files."""

import subprocess
import sys
from pathlib import Path

import duckdb

from auditor.store import comments, sql
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import two_nights
from tests.builders.store_lake import BOND, at, client, cover, publish

SCRIPT = Path(__file__).parents[4] / "jobs" / "duckdb_views.py"


def written(lake: FolderStore, file: Path) -> Path:
    subprocess.run([sys.executable, str(SCRIPT), str(lake.root), str(file)], check=True)
    return file


def asked(file: Path, query: str) -> list[object]:
    with duckdb.connect(str(file), read_only=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        return sorted(con.sql(query).to_arrow_table().to_pylist(), key=repr)


def test_the_views_of_the_file_give_the_rows_of_the_store(tmp_path: Path) -> None:
    folder = tmp_path / "O'Hara's [old] lake"
    folder.mkdir()
    lake = two_nights(folder)
    file = written(lake, tmp_path / "views.duckdb")

    for name in (*sql.BASE, *sql.VIEWS):
        found, expected = asked(file, f"SELECT * FROM {name}"), lake.arrow(name).to_pylist()
        for row in (*found, *expected):
            row.pop("hours_since_complete", None)  # it counts to the present
        assert sorted(found, key=repr) == sorted(expected, key=repr), name
    for name in sql.names("dashboards"):
        query = sql.statement(f"dashboards/{name}")
        assert asked(file, query) == sorted(lake.sql(query).to_pylist(), key=repr), name
    comment_rows = asked(file, "SELECT comment FROM duckdb_columns() WHERE table_name = 'dim_date'")
    assert {"comment": comments.comment("dim_date", "iso_week")} in comment_rows
    view_rows = asked(file, "SELECT comment FROM duckdb_views() WHERE view_name = 'dim_reason'")
    assert view_rows == [{"comment": comments.of_view("dim_reason")}]


def test_the_views_of_the_file_include_later_snapshots(tmp_path: Path) -> None:
    lake = two_nights(tmp_path)
    file = written(lake, tmp_path / "views.duckdb")
    before = lake.arrow("snapshot").num_rows
    rows = {"coverage": [cover(BOND, "")], "customer": [client(BOND, "Renamed")]}
    publish(lake, "20261109T020000Z-00000f", at(9), rows)

    assert len(asked(file, "SELECT * FROM snapshot")) == before + 1
    names = asked(file, f"SELECT company_name FROM dim_customer WHERE customer_id = '{BOND}'")
    assert names == [{"company_name": "Renamed"}]


def test_the_file_can_be_written_again(tmp_path: Path) -> None:
    lake = two_nights(tmp_path)
    for name in (".views.duckdb.4711.new", ".views.duckdb.4711.new.wal"):
        (tmp_path / name).write_bytes(b"left by a killed writer")
    for _ in range(2):
        file = written(lake, tmp_path / "views.duckdb")
    assert asked(file, "SELECT * FROM latest_sku")
    assert [path.name for path in tmp_path.glob("*duckdb*")] == ["views.duckdb"]
