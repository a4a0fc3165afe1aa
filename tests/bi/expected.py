"""Computes in Python, from the rows of a store, what each chart of the dashboard must show."""

import json
import math
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

import yaml

from auditor.store import sql
from auditor.store.folder.store import FolderStore

BUNDLE = Path(__file__).parents[2] / "sql" / "dashboards" / "superset"
Row = dict[str, Any]  # of whatever columns a chart has


def read(folder: str) -> dict[str, dict[str, Any]]:
    """Return the files of one folder of the bundle by their uuid."""
    found = (yaml.safe_load(path.read_text()) for path in (BUNDLE / folder).glob("*.yaml"))
    return {each["uuid"]: each for each in found}


def rows(lake: FolderStore, dataset: str) -> list[Row]:
    """Return the rows of a dataset of the bundle."""
    is_query = dataset in sql.names("dashboards")
    table = lake.sql(sql.statement(f"dashboards/{dataset}")) if is_query else lake.arrow(dataset)
    found: list[Row] = table.to_pylist()
    return found


def chart(query: Mapping[str, Any], rows: Iterable[Row]) -> list[Row]:
    """Return the result of a chart's saved query over the rows of its dataset."""
    columns = [_name(column) for column in query["columns"]]
    if not query.get("metrics"):
        ordered = list(rows)
        for column, is_ascending in reversed(query["orderby"]):
            ordered.sort(key=lambda row: row[column], reverse=not is_ascending)
        return [{name: row[name] for name in columns} for row in ordered][: query["row_limit"]]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault(tuple(row[name] for name in columns), []).append(row)
    if not columns:
        groups.setdefault((), [])
    found = [
        dict(zip(columns, key, strict=True))
        | {metric["label"]: _measured(metric, group) for metric in query["metrics"]}
        for key, group in groups.items()
    ]
    if len(found) > query["row_limit"]:
        first = query["metrics"][0]["label"]
        found.sort(key=lambda row: row[first], reverse=True)
    return found[: query["row_limit"]]


def _name(column: Any) -> str:  # as Superset saves it: a name, or an expression with a label
    return str(column["label"] if isinstance(column, dict) else column)


def _measured(metric: Mapping[str, Any], group: list[Row]) -> int:
    match metric:
        case {"expressionType": "SQL", "sqlExpression": "COUNT(*)"}:
            return len(group)
        case {"aggregate": "SUM", "column": {"column_name": name}}:
            return int(sum(row[name] for row in group))
        case _:
            raise NotImplementedError(json.dumps(metric))


def differences(found: list[Row], wanted: list[Row]) -> list[str]:
    """Return the differences between found and wanted rows, ignoring their order."""
    actual = sorted((_plain(row) for row in found), key=repr)
    expected = sorted((_plain(row) for row in wanted), key=repr)
    if len(actual) != len(expected):
        return [f"{len(actual)} rows, not {len(expected)}"]
    return [
        f"{one} is not {other}"
        for one, other in zip(actual, expected, strict=True)
        if not _is_same(one, other)
    ]


def _plain(row: Row) -> list[tuple[str, Any]]:
    return sorted((name, _value(value)) for name, value in row.items())


def _value(value: Any) -> Any:  # of any cell: times are milliseconds, as Superset has them
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, date):
        return int(datetime.combine(value, time(), UTC).timestamp() * 1000)
    return round(value, 6) if isinstance(value, float) else value


def _is_same(one: list[tuple[str, Any]], other: list[tuple[str, Any]]) -> bool:
    if [name for name, _ in one] != [name for name, _ in other]:
        return False
    return all(
        math.isclose(a, b, rel_tol=1e-9, abs_tol=2e-6)
        if isinstance(a, float) or isinstance(b, float)
        else a == b
        for (_, a), (_, b) in zip(one, other, strict=True)
    )
