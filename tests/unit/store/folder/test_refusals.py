"""Rows that would make an invalid snapshot are refused before publishing."""

from pathlib import Path

import pyarrow as pa
import pytest

from auditor.errors import Bug, UsageError
from auditor.model import bucket_of
from tests.builders.store_lake import (
    ACME,
    BOND,
    at,
    cover,
    make,
    publish,
    rows_table,
    snapshot_row,
    stock,
)
from tests.unit.store.folder.test_publication import FIRST


@pytest.mark.parametrize(
    ("relation", "rows", "message"),
    [
        ("inventory", [stock(ACME, "1", "restricted", at(1))] * 2, "repeated key"),
        ("inventory", [stock(ACME, "1", "restricted", at(1), country=None)], "null"),
        (
            "inventory",
            [stock(ACME, "1", "restricted", at(1), snapshot_id="s0")],
            "a snapshot other than",
        ),
    ],
)
def test_rows_that_break_the_rules_of_a_relation_are_a_bug(
    tmp_path: Path, relation: str, rows: list[dict[str, object]], message: str
) -> None:
    store = make(tmp_path)
    with pytest.raises(Bug, match=message):
        publish(store, "s1", at(1), {"coverage": [cover(ACME, "DE")], relation: rows})


def test_rows_outside_the_coverage_are_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    rows = {"inventory": [stock(ACME, "1", "restricted", at(1))]}
    with pytest.raises(Bug, match="not covered"):
        publish(store, "s1", at(1), {"coverage": [cover(BOND, "DE")], **rows})
    with pytest.raises(Bug, match="has left"):
        publish(store, "s1", at(1), {"coverage": [cover(ACME, "DE", status="left")], **rows})


def test_rows_in_the_wrong_bucket_or_with_other_columns_are_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    table = rows_table("inventory", [stock(ACME, "1", "restricted", at(1))], "s1")
    wrong = (bucket_of(ACME, store.buckets) + 1) % store.buckets
    with store.publishing(0.0) as publication:
        publication.stage("s1")
        with pytest.raises(Bug, match="bucket"):
            publication.write("inventory", wrong, table)
        with pytest.raises(Bug, match="verdict"):
            publication.write("inventory", 0, table.drop_columns("verdict"))


def test_a_bucket_cannot_be_written_again_after_another_bucket(tmp_path: Path) -> None:
    store = make(tmp_path)
    of = {f"c{n}": bucket_of(f"c{n}", store.buckets) for n in range(40)}
    first, again = [name for name in of if of[name] == of["c0"]][:2]
    other = next(name for name in of if of[name] != of["c0"])

    def rows(name: str) -> pa.Table:
        return rows_table("inventory", [stock(name, "1", "restricted", at(1))], "s1")

    with store.publishing(0.0) as publication:
        publication.stage("s1")
        publication.write("inventory", of[first], rows(first))
        publication.write("inventory", of[other], rows(other))
        with pytest.raises(Bug, match="is written twice"):
            publication.write("inventory", of[again], rows(again))


def test_a_snapshot_row_without_a_column_is_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    row = snapshot_row("s1", at(1))
    del row["run_id"]
    with store.publishing(0.0) as publication:
        publication.stage("s1")
        with pytest.raises(Bug, match="run_id"):
            publication.commit(row, "c")


def test_writing_or_committing_before_staging_is_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    table = rows_table("coverage", FIRST["coverage"][:1], "s1")
    bucket = bucket_of(ACME, store.buckets)
    with store.publishing(0.0) as publication:
        with pytest.raises(Bug, match="write before stage"):
            publication.write("coverage", bucket, table)
        with pytest.raises(Bug, match="commit before stage"):
            publication.commit(snapshot_row("s1", at(1)), "c")
        publication.stage("s1")
        publication.write("coverage", bucket, table)
        with pytest.raises(Bug, match="out of order"):
            publication.write("coverage", bucket, table)


def test_every_entry_of_the_staging_folder_is_removed(tmp_path: Path) -> None:
    store = make(tmp_path)
    staging = store.root / ".staging"
    (staging / "file").write_text("x")
    (staging / "link").symlink_to(tmp_path)
    (staging / "folder").mkdir()
    with store.publishing(0.0):
        assert [*staging.iterdir()] == []
    assert store.root.is_dir()


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a\0b", "x" * 300, ".hidden"])
def test_a_snapshot_id_is_never_used_as_a_path(tmp_path: Path, name: str) -> None:
    """S9."""
    store = make(tmp_path)
    with store.publishing(0.0) as publication, pytest.raises(UsageError):
        publication.stage(name)
