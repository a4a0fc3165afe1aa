"""`sql` only reads, and only this store (S6), for any statement and any place of the store."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pytest

from auditor.errors import AuditorError, StoreFailed, UsageError
from auditor.store import landlock, read_only, sql
from auditor.store.duck import connect
from auditor.store.folder import untrusted_sql
from auditor.store.folder.store import FolderStore
from tests.builders import hostile_sql, report_lake
from tests.builders.hostile_sql import everything, filled

BY_KERNEL = pytest.param(
    True,
    marks=pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock"),
    id="kernel",
)
BY_COPIES = pytest.param(False, id="copies")
BOTH_WAYS = pytest.mark.parametrize("by_kernel", [BY_KERNEL, BY_COPIES])
ALL_NAMES = " ".join((*sql.BASE, *sql.VIEWS))


@pytest.fixture
def lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[FolderStore]:
    """Give a store with a secret file beside it; fail if any file in or around it changes."""
    store = report_lake.two_nights(tmp_path)
    (tmp_path / "secret.txt").write_text("hunter2")
    (store.root / "link.txt").symlink_to(tmp_path / "secret.txt")
    for name in ("home", "work", "temp"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temp"))
    monkeypatch.chdir(tmp_path / "work")
    store.index()
    before = everything(tmp_path)

    yield store
    after = everything(tmp_path)
    assert [one for one in after if not one[0].endswith("/temp")] == [
        one for one in before if not one[0].endswith("/temp")
    ]
    assert not list((tmp_path / "temp").iterdir())
    assert not list(Path("/dev/shm").glob("auditor-outside*"))  # noqa: S108 - nothing may be there
    assert capfd.readouterr().out == ""


def test_the_lists_of_statements_are_long() -> None:
    assert len(hostile_sql.writing()) > 500
    assert len(hostile_sql.OUTSIDE) > 30
    assert len(hostile_sql.HARMLESS) > 50


def test_every_writing_statement_is_refused_by_its_syntax_tree(lake: FolderStore) -> None:
    with connect() as con:
        for statement in hostile_sql.writing():
            asked = filled(statement, lake.root)
            with pytest.raises(UsageError) as caught:
                read_only.check(con, asked)
            check_refusal(caught.value, asked)


@pytest.mark.parametrize(
    "statement",
    [
        "WITH x AS (COPY (SELECT 1 AS a) TO '{lake}/{published}' (FORMAT parquet)) FROM x",
        "WITH x AS (COPY (SELECT 1 AS a) TO '{lake}/{folder}' (PARTITION_BY a, OVERWRITE)) FROM x",
        "EXPLAIN ANALYZE WITH x AS (COPY (SELECT 1) TO '{lake}/{manifest}' (FORMAT csv)) FROM x",
        "SELECT '\ud800'",
        "SELECT " + "(SELECT " * 500 + "1" + ")" * 500,
        *hostile_sql.OUTSIDE,
    ],
)
def test_a_refused_statement_gives_64_and_a_hint(lake: FolderStore, statement: str) -> None:
    local_frame = pd.DataFrame({"a": [1]})
    with pytest.raises(UsageError) as caught:
        lake.sql(filled(statement, lake.root))
    check_refusal(caught.value, statement)
    assert "hunter2" not in caught.value.message
    assert len(local_frame) == 1


def check_refusal(error: AuditorError, asked: str) -> None:
    assert error.exit_status == 64, asked
    assert error.message.strip(), asked
    assert "\n" not in error.message, asked
    assert error.hint, asked


@BOTH_WAYS
def test_an_unchecked_statement_writes_nothing_either(lake: FolderStore, by_kernel: bool) -> None:
    """Each statement runs without the check; the fixture of the store fails if a file changes."""
    asked = [filled(statement, lake.root) for statement in hostile_sql.writing()]

    def work(con: duckdb.DuckDBPyConnection) -> int:
        refused = 0
        for statement in asked:
            try:
                con.execute(statement)
            except Exception:  # noqa: BLE001 - any kind: DuckDB raises some foreign ones
                refused += 1
            with suppress(duckdb.Error):
                con.execute("ROLLBACK")
        return refused

    place = lake.root, lake.index(), lake.buckets
    refused = untrusted_sql.harmless(*place, ALL_NAMES, work, by_kernel=by_kernel)
    assert refused > len(asked) / 2


@pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
def test_without_landlock_such_a_statement_writes(tmp_path: Path) -> None:
    """This proves that the test above can fail: an unrestricted statement changes files."""
    lake = report_lake.two_nights(tmp_path)
    write = filled("COPY (SELECT 1) TO '{lake}/{published}' (FORMAT parquet)", lake.root)
    before = everything(lake.root)
    with lake.connect() as con:
        con.execute(f"WITH x AS ({write}) FROM x").fetchall()
    assert everything(lake.root) != before


@BOTH_WAYS
def test_a_statement_that_only_reads_is_answered(lake: FolderStore, by_kernel: bool) -> None:
    views = [f"SELECT * FROM {name}" for name in (*sql.BASE, *sql.VIEWS)]

    def work(con: duckdb.DuckDBPyConnection, asked: str) -> pa.Table:
        read_only.check(con, asked)
        return untrusted_sql.run(con, asked)

    def every(con: duckdb.DuckDBPyConnection) -> list[pa.Table]:
        return [work(con, asked) for asked in (*hostile_sql.HARMLESS, *views)]

    place = lake.root, lake.index(), lake.buckets
    found = untrusted_sql.harmless(*place, ALL_NAMES, every, by_kernel=by_kernel)
    assert all(table.num_columns for table in found)
    for name, table in zip(
        (*sql.BASE, *sql.VIEWS), found[len(hostile_sql.HARMLESS) :], strict=True
    ):
        assert table.num_rows == lake.arrow(name).num_rows, name


def test_relations_are_found_in_upper_case_and_beside_comment_marks(lake: FolderStore) -> None:
    """If the kernel cannot restrict DuckDB, the relations are found in the statement's text."""
    place = lake.root, lake.index(), lake.buckets
    asked = "SELECT '--', COUNT(*) AS n FROM LATEST_INVENTORY"
    found = untrusted_sql.harmless(
        *place, asked, partial(untrusted_sql.run, query=asked), by_kernel=False
    )
    assert found.column("n").to_pylist() == [lake.arrow("latest_inventory").num_rows]


@BOTH_WAYS
def test_data_beyond_memory_can_be_spilled_to_disk(lake: FolderStore, by_kernel: bool) -> None:
    """The folder is outside the store and is removed afterwards; the fixture checks both."""

    def work(con: duckdb.DuckDBPyConnection) -> tuple[Path, bool]:
        [[folder]] = con.execute("SELECT current_setting('temp_directory')").fetchall()
        con.execute(f"COPY (SELECT 1) TO '{folder}/spilled.csv'")
        return Path(folder), Path(folder, "spilled.csv").exists()

    place = lake.root, lake.index(), lake.buckets
    folder, is_written = untrusted_sql.harmless(*place, "", work, by_kernel=by_kernel)
    assert is_written
    assert not folder.is_relative_to(lake.root)


def test_no_temporary_files_are_made_inside_the_store(
    lake: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(lake.root))
    place = lake.sql("SELECT current_setting('temp_directory') AS place").to_pylist()
    assert place == [{"place": ""}]


def test_a_missing_file_of_the_store_is_an_error_of_the_store(tmp_path: Path) -> None:
    lake = report_lake.two_nights(tmp_path)
    with pytest.raises(UsageError):
        lake.sql(f"FROM read_parquet('{lake.root}/nothing.parquet')")
    next(lake.root.glob("snapshot=*/inventory/*.parquet")).unlink()
    with pytest.raises(StoreFailed) as caught:
        lake.sql("SELECT * FROM inventory")
    assert caught.value.exit_status == 74
