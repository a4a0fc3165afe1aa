"""Rows of any content are read from a store's files exactly as they were written."""

from datetime import UTC
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS, SCHEMAS
from tests.builders.store_lake import ACME, P, at, cover, publish, rows_table

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = {
    pa.string(): TEXT,
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.bool_(): st.booleans(),
    pa.float64(): st.floats(allow_nan=False),
}


def a_row(relation: str) -> st.SearchStrategy[dict[str, Any]]:
    columns = {}
    for field in SCHEMAS[relation]:
        if pa.types.is_dictionary(field.type):
            values: st.SearchStrategy[Any] = TEXT
        elif pa.types.is_timestamp(field.type):
            values = st.datetimes(timezones=st.just(UTC))
        else:
            values = VALUES[field.type]
        columns[field.name] = values if not field.nullable else st.none() | values
    fixed = {"snapshot_id": st.just("s1"), "partner_tenant_id": st.just(P)}
    return st.fixed_dictionaries({**columns, **fixed, "customer_id": st.just(ACME)})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), relation=st.sampled_from(["inventory", "restriction", "availability"]))
def test_rows_are_read_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, relation: str
) -> None:
    key = [name for name in KEYS[relation] if name != "snapshot_id"]
    rows = data.draw(
        st.lists(a_row(relation), max_size=6, unique_by=lambda row: tuple(row[k] for k in key))
    )
    lake = FolderStore.open(str(tmp_path_factory.mktemp("lake")), create=True, buckets=1)
    cells = {row["country"]: cover(ACME, row["country"]) for row in rows}
    publish(lake, "s1", at(1), {"coverage": list(cells.values()), relation: rows})
    table = rows_table(relation, rows, "s1")
    expected = sorted(table.to_pylist(), key=lambda row: tuple(row[k] for k in key))
    assert (
        lake.known(relation, 0, P).to_pylist()
        == table.from_pylist(expected, schema=table.schema).drop_columns("snapshot_id").to_pylist()
    )
    assert lake.arrow(relation).to_pylist() == expected
