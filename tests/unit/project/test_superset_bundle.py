"""The Superset dashboard: its files fit together and contain the ready queries word for word."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from auditor.store import comments, sql
from auditor.store.folder.store import FolderStore
from tests.builders.store_lake import make

BUNDLE = Path(__file__).parents[3] / "sql" / "dashboards" / "superset"
FILES = sorted(BUNDLE.rglob("*.yaml"))
QUERIES = sql.names("dashboards")
OF_VIEWS = {
    *("fact_restriction_day", "fact_run_day", "latest_change", "latest_commerce_subscription"),
    *("dim_country", "dim_reason", "dim_reseller"),
}
"""Datasets that are a view as it is, for charts of one's own."""
_SQL = re.compile(r"^sql: \|\n.*", re.MULTILINE | re.DOTALL)


def read(folder: str) -> list[dict[str, Any]]:
    return [yaml.safe_load(path.read_text()) for path in sorted((BUNDLE / folder).glob("*.yaml"))]


DATASETS = {each["uuid"]: each for each in read("datasets")}
CHARTS = {each["uuid"]: each for each in read("charts")}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return make(tmp_path_factory.mktemp("lake"))


@pytest.mark.parametrize("name", QUERIES)
def test_a_dataset_contains_its_query_golden(name: str) -> None:
    path = BUNDLE / "datasets" / f"{name}.yaml"
    block = "".join(f"  {line}".rstrip() + "\n" for line in _lines(name))
    text = path.read_text()
    wanted = _SQL.sub(lambda _: f"sql: |\n{block}", text)
    if os.environ.get("REWRITE_GOLDEN"):
        path.write_text(wanted)
        text = wanted
    assert text == wanted
    assert yaml.safe_load(text)["sql"].splitlines() == _lines(name)


def _lines(name: str) -> list[str]:
    return sql.statement(f"dashboards/{name}").splitlines()


def test_every_query_is_a_dataset_with_its_columns(lake: FolderStore) -> None:
    assert {each["table_name"] for each in DATASETS.values()} == {*QUERIES, *OF_VIEWS}
    for each in DATASETS.values():
        name = each["table_name"]
        query = each.get("sql") or f"SELECT * FROM {name}"
        assert [c["column_name"] for c in each["columns"]] == lake.sql(query).column_names, name


@pytest.mark.parametrize("name", sorted(OF_VIEWS))
def test_a_dataset_of_a_view_describes_it_and_each_column(name: str) -> None:
    (each,) = (one for one in DATASETS.values() if one["table_name"] == name)
    assert each["description"] == comments.of_view(name)
    described = {column["column_name"]: column["description"] for column in each["columns"]}
    assert described == {column: comments.comment(name, column) for column in described}


@pytest.mark.parametrize("uuid", CHARTS, ids=lambda uuid: CHARTS[uuid]["slice_name"])
def test_a_chart_uses_only_columns_of_its_dataset(uuid: str) -> None:
    """Both in the chart's parameters and in the query that is saved with it for the API."""
    chart = CHARTS[uuid]
    there = {c["column_name"] for c in DATASETS[chart["dataset_uuid"]]["columns"]}
    params, (query,) = chart["params"], json.loads(chart["query_context"])["queries"]
    shown = params.get("all_columns") or ([params["x_axis"]] if "x_axis" in params else [])
    metrics = params.get("metrics") or ([params["metric"]] if "metric" in params else [])
    asked = [c["label"] if isinstance(c, dict) else c for c in query["columns"]]

    assert shown == asked
    assert set(shown) <= there
    assert metrics == query.get("metrics", [])
    assert {m["column"]["column_name"] for m in metrics if "column" in m} <= there
    assert params["viz_type"] == chart["viz_type"]


def test_the_dashboard_shows_every_chart() -> None:
    (dashboard,) = read("dashboards")
    placed = [each["meta"] for key, each in dashboard["position"].items() if "CHART-" in key]

    assert sorted(meta["uuid"] for meta in placed) == sorted(CHARTS)
    assert all(CHARTS[meta["uuid"]]["slice_name"] == meta["sliceName"] for meta in placed)
    (by_partner,) = dashboard["metadata"]["native_filter_configuration"]
    (target,) = by_partner["targets"]
    there = {c["column_name"] for c in DATASETS[target["datasetUuid"]]["columns"]}
    assert target["column"]["name"] in there


def test_the_bundle_contains_no_password() -> None:
    """S1: Superset asks for the password where the mask is, and it only reads."""
    (database,) = read("databases")
    assert re.search(r"//bi_reader:X{10}@localhost", database["sqlalchemy_uri"])
    assert not database["allow_dml"]
    assert {each["database_uuid"] for each in DATASETS.values()} == {database["uuid"]}
    for path in FILES:
        assert not re.search(r"(?i)password|secret|token", path.read_text()), path
