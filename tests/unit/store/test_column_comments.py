"""The files and views of a folder store explain each column, for other tools."""

import tomllib

import pyarrow.parquet as pq
import pytest

from auditor.errors import Bug
from auditor.store import comments, sql
from auditor.store.folder.store import FolderStore
from auditor.tables import ATTEMPT, KEYS, SCHEMAS
from tests.builders.report_lake import two_nights


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("lake"))


def test_every_column_of_every_file_has_its_comment(lake: FolderStore) -> None:
    walked = set()
    for path in lake.root.glob("**/*.parquet"):
        relation = path.stem if path.parent.name == "_schema" else path.parent.name
        if path.name == "latest.parquet":
            relation = "latest_cell"
        for field in pq.read_schema(path):
            stored = (field.metadata or {}).get(comments.FIELD, b"").decode()
            assert stored == comments.comment(relation, field.name), (path, field.name)
            walked.add((relation, field.name))

    assert walked > {(name, column) for name in KEYS for column in SCHEMAS[name].names}


def test_every_column_of_every_view_has_its_comment(lake: FolderStore) -> None:
    asked = "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal"
    found = lake.sql(asked).to_pylist()

    walked = set()
    for row in found:
        if row["table_name"] in (*sql.BASE, *sql.VIEWS):
            expected = comments.comment(row["table_name"], row["column_name"])
            assert row["comment"] == expected, row
            walked.add(row["table_name"])
    assert walked == {*sql.BASE, *sql.VIEWS}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT view_name AS name, comment FROM duckdb_views()",
        "SELECT table_name AS name, table_comment AS comment FROM information_schema.tables",
    ],
)
def test_every_view_has_its_comment(lake: FolderStore, query: str) -> None:
    found = {row["name"]: row["comment"] for row in lake.sql(query).to_pylist()}
    assert {name: found[name] for name in (*sql.BASE, *sql.VIEWS)} == {
        name: comments.of_view(name) for name in (*sql.BASE, *sql.VIEWS)
    }


def test_the_comment_of_a_view_is_what_its_file_says_first() -> None:
    assert comments.of_view("dim_customer") == (
        "The customers known now. One row: one customer of a partner, identified by customer_key."
    )
    for name in (*sql.BASE, *sql.VIEWS):
        text = comments.of_view(name)
        assert text.count(". One row: ") == 1, name
        assert text.endswith("."), name
        assert "Reads:" not in text, name
    for name in sql.BASE:  # a view is the same in both stores
        assert sql.heading(f"duckdb/{name}") == sql.heading(f"postgres/{name}"), name


def test_a_column_without_an_explanation_is_reported() -> None:
    with pytest.raises(Bug, match=r"columns\.toml does not say what change\.nonsense is"):
        comments.comment("change", "nonsense")


def test_every_explained_column_exists(lake: FolderStore) -> None:
    """No comment remains for a renamed column. Only a database has `store_info`."""
    there = {name: set(lake.arrow(name).column_names) for name in (*sql.BASE, *sql.VIEWS)}
    there |= {name: set(schema.names) for name, schema in SCHEMAS.items()}
    there["attempt"] = set(ATTEMPT.names)
    there["store_info"] = {"buckets", "schema_step"}
    there["column"] = set().union(*there.values())

    for section, columns in tomllib.loads(sql.columns()).items():
        assert set(columns) <= there[section], section
        for column, text in columns.items():
            assert 0 < len(text) <= 100, column
            assert not text.endswith("."), column


def test_a_view_of_a_relation_has_the_comments_of_the_relation() -> None:
    for view in ("current_customer", "latest_customer"):
        assert comments.comment(view, "country") == comments.comment("customer", "country")
    assert comments.comment("latest_cell", "country") != comments.comment("customer", "country")
