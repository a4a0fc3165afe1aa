"""The Delta tables of a database have the rows of its relations."""

from pathlib import Path

from auditor.store.delta.export import export
from auditor.store.postgres.store import PostgresStore
from tests.builders import report_lake
from tests.builders.delta import assert_same, versions
from tests.postgres.test_both_stores import copy_snapshots


def test_every_table_has_the_rows_of_its_relation(
    tmp_path: Path, postgres_store: PostgresStore
) -> None:
    copy_snapshots(report_lake.two_nights(tmp_path), postgres_store)
    folder = tmp_path / "tables"
    export(postgres_store, str(folder))
    assert_same(postgres_store, folder)
    before = versions(folder)
    export(postgres_store, str(folder))
    assert versions(folder) == before
