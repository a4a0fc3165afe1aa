"""The files of a folder store hold the meaning of each column, for other tools."""

import tomllib

import pyarrow.parquet as pq
import pytest

from auditor.errors import Bug
from auditor.store import comments, sql
from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS, SCHEMAS
from tests.builders.report_lake import two_nights


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("lake"))


def test_every_column_of_every_file_says_what_it_means(lake: FolderStore) -> None:
    walked = set()
    for path in lake.root.glob("**/*.parquet"):
        relation = path.stem if path.parent.name == "_schema" else path.parent.name
        if path.name == "latest.parquet":
            relation = "latest_cell"
        for field in pq.read_schema(path):
            said = (field.metadata or {}).get(comments.FIELD, b"").decode()
            assert said == comments.comment(relation, field.name), (path, field.name)
            walked.add((relation, field.name))

    assert walked > {(name, column) for name in KEYS for column in SCHEMAS[name].names}


def test_every_column_of_every_view_says_what_it_means(lake: FolderStore) -> None:
    asked = "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    found = lake.sql(asked).to_pylist()

    walked = set()
    for row in found:
        if row["table_name"] in (*sql.BASE, *sql.VIEWS):
            said = comments.comment(row["table_name"], row["column_name"])
            assert row["comment"] == said, row
            walked.add(row["table_name"])
    assert walked == {*sql.BASE, *sql.VIEWS}


def test_a_column_that_nobody_explained_is_told() -> None:
    with pytest.raises(Bug, match=r"columns\.toml does not say what change\.nonsense is"):
        comments.comment("change", "nonsense")


def test_nothing_is_explained_that_is_not_there(lake: FolderStore) -> None:
    """A renamed column leaves no comment behind; only a database has `store_info`."""
    there = {name: set(lake.arrow(name).column_names) for name in (*sql.BASE, *sql.VIEWS)}
    there |= {name: set(schema.names) for name, schema in SCHEMAS.items()}
    there["store_info"] = {"buckets", "schema_step"}
    there["column"] = set().union(*there.values())

    for section, columns in tomllib.loads(sql.columns()).items():
        assert set(columns) <= there[section], section
        for column, said in columns.items():
            assert 0 < len(said) <= 100, column
            assert not said.endswith("."), column


def test_a_view_of_a_relation_says_what_the_relation_says() -> None:
    for view in ("current_customer", "latest_customer"):
        assert comments.comment(view, "country") == comments.comment("customer", "country")
    assert comments.comment("latest_cell", "country") != comments.comment("customer", "country")
