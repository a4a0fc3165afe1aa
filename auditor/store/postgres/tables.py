"""Describes the tables of a PostgreSQL store for SQLAlchemy; `sql/schema/` creates them."""

from typing import Any

import pyarrow as pa
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.types import DateTime, Float, TypeEngine

from auditor.tables import (
    AVAILABILITY_KEY,
    CELL,
    INVENTORY_KEY,
    KEYS,
    PER_SNAPSHOT,
    SCHEMAS,
    STATE,
    schema_of,
)

CHECKED = ("checked_at", "checked_snapshot_id")
"""Columns whose values change every night. They are stored once for all keys of a check."""
CHECKS = {
    "inventory": INVENTORY_KEY[:-1],
    "availability": (*CELL, "product_id", "sku_id", "reservation_scope"),
}
"""By relation with answers: the columns that name a check.

A key that was checked at another time than most keys of its check is in `_checked_apart`.
"""
_KEYS = {"inventory": INVENTORY_KEY, "availability": AVAILABILITY_KEY}
SCHEMA = "auditor_tables"
"""The schema of the tables; readers have no access to it and use the views."""
_META = MetaData(schema=SCHEMA)


def key(relation: str) -> tuple[str, ...]:
    """Return the key columns of a known row: those of the relation, without `snapshot_id`."""
    return tuple(name for name in KEYS[relation] if name != "snapshot_id")


def of_interval(relation: str) -> tuple[str, ...]:
    """Return the columns of a relation that its interval table stores."""
    apart = ("snapshot_id", *(CHECKED if relation in CHECKS else ()))
    return tuple(name for name in SCHEMAS[relation].names if name not in apart)


_TYPES: dict[pa.DataType, type[TypeEngine[Any]]] = {  # by Arrow type; Text for all others
    pa.int64(): BigInteger,
    pa.int16(): SmallInteger,
    pa.bool_(): Boolean,
    pa.float64(): Float,
    pa.date32(): Date,
}


def _column(relation: str, name: str) -> Column[object]:
    kind = schema_of(relation).field(name).type
    if pa.types.is_timestamp(kind):
        return Column(name, DateTime(timezone=True))
    return Column(name, _TYPES.get(kind, Text))


def _columns(relation: str) -> dict[str, tuple[str, ...]]:
    """Return the tables of a relation; for each table, the relation's columns that it has."""
    if relation in PER_SNAPSHOT:
        return {relation: tuple(SCHEMAS[relation].names)}
    tables = {relation: of_interval(relation)}
    if relation in CHECKS:
        tables[f"{relation}_checked"] = ("snapshot_id", *CHECKS[relation], *CHECKED)
        tables[f"{relation}_checked_apart"] = ("snapshot_id", *_KEYS[relation], *CHECKED)
    return tables


def _table(name: str, relation: str, columns: tuple[str, ...], *, is_staged: bool) -> Table:
    table_name = f"{name}_interval" if name in STATE else name
    own: list[Column[object]] = []
    if is_staged:
        own.append(Column("epoch", BigInteger))
    if relation in STATE:
        own.append(Column("bucket", SmallInteger))
    if name in STATE:
        own += (
            [Column("is_over", Boolean)]
            if is_staged
            else [Column("valid_from", BigInteger), Column("valid_to", BigInteger)]
        )
    table_name = f"staged_{table_name}" if is_staged else table_name
    return Table(table_name, _META, *own, *(_column(relation, c) for c in columns))


TABLES = {
    name: _table(name, relation, columns, is_staged=False)
    for relation in SCHEMAS
    for name, columns in _columns(relation).items()
}
"""Tables of the published rows: facts of each snapshot, intervals, and the times of checks."""
STAGED = {
    name: _table(name, relation, columns, is_staged=True)
    for relation in SCHEMAS
    if relation != "snapshot"
    for name, columns in _columns(relation).items()
}
"""Tables of the staged rows of the snapshot that is being published."""
ATTEMPT = Table(
    "attempt", _META, *(_column("attempt", name) for name in schema_of("attempt").names)
)
SHARED_FILE = Table("shared_file", _META, Column("name", Text), Column("data", LargeBinary))
STORE = Table("store", _META, Column("buckets", SmallInteger), Column("epoch", BigInteger))
PUBLICATION = Table(
    "publication",
    _META,
    Column("snapshot_id", Text),
    Column("config_hash", Text),
    Column("pruned_at", DateTime(timezone=True)),
)
DIGEST = Table(
    "publication_digest",
    _META,
    Column("snapshot_id", Text),
    Column("relation", Text),
    Column("row_count", BigInteger),
    Column("digest", Numeric),
)
LATEST = Table(
    "latest",
    _META,
    *(Column(name, Text) for name in (*CELL, "snapshot_id", "status")),
    Column("sequence", BigInteger),
)
HELD_CELL = Table(
    "held_cell",
    _META,
    *(Column(name, Text) for name in ("snapshot_id", *CELL)),
    Column("sequence", BigInteger),
)
"""A view of the cells of each snapshot that is not pruned."""
_VIEWS = MetaData()
STORE_INFO = Table(
    "store_info", _VIEWS, Column("buckets", SmallInteger), Column("schema_step", SmallInteger)
)
PUBLISHED = Table("snapshot", _VIEWS, *(_column("snapshot", n) for n in SCHEMAS["snapshot"].names))
"""Views that every reader may use."""
SNAPSHOT_ROWS = {
    relation: Table(
        relation, MetaData(), *(_column(relation, name) for name in SCHEMAS[relation].names)
    )
    for relation in SCHEMAS
}
"""By relation: a view of the rows of every snapshot that is not pruned."""
