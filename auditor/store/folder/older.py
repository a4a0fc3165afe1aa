"""Reads relations from files of older releases, which lack the columns that were added later."""

import re
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa

from auditor.store.folder import attempts, manifest
from auditor.store.folder.index import Index
from auditor.tables import KEYS, SINCE, default, lacking, schema_of

_READ = re.compile(
    r"read_parquet\(getvariable\('(?:current_)?(?P<relation>\w+)_files'\),"
    r" hive_partitioning = false\)"
)
_TYPES = {
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.float64(): "DOUBLE",
    pa.date32(): "DATE",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}
"""DuckDB's types, by Arrow type; VARCHAR for all others."""


def oldest_version(root: Path, index: Index) -> int:
    """Return the schema version of the oldest file that a reader may open."""
    made = manifest.read_store_info(root).schema_version
    return min([made, *(entry.schema_version for entry in index.entries)])


def has_columns(root: Path, relation: str) -> bool:
    """Return True if a store has the file without rows that defines a relation's columns.

    A store lacks the file if every release that published into the store is older than the
    relation.
    """
    return relation not in SINCE or (root / "_schema" / f"{relation}.parquet").exists()


def absent(root: Path, index: Index) -> frozenset[str]:
    """Return the relations that have no file at all."""
    return frozenset(
        relation
        for relation in (*KEYS, "attempt")
        if not has_columns(root, relation)
        and not any(relation in entry.buckets for entry in index.entries)
        and not (relation == "attempt" and attempts.paths(root))
    )


def completed(definition: str, oldest: int, without_file: Collection[str] = ()) -> str:
    """Return a base view's statement, changed so that it gives the columns that its files lack.

    `oldest` is the schema version of the oldest file. `without_file` are the relations that have no
    file. If no column is missing, the statement stays unchanged: to unite columns by name, DuckDB
    must open every file before the first row, which is slow.
    """

    def source(found: re.Match[str]) -> str:
        relation = found["relation"]
        missing = lacking(relation, oldest)
        if not missing:
            return found[0]
        nothing = f"SELECT {', '.join(map(_null, schema_of(relation)))} WHERE false"
        if relation in without_file:
            return f"({nothing})"
        by_name = found[0].removesuffix(")") + ", union_by_name = true)"
        filled = ", ".join(
            f"COALESCE({name}, {_literal(value)}) AS {name}"
            for name in missing
            if (value := default(relation, name)) is not None
        )
        columns = f"* REPLACE ({filled})" if filled else "*"
        every = f"{nothing} UNION ALL BY NAME FROM {by_name}"
        return f"(SELECT {columns} FROM ({every}))"  # noqa: S608 - known names

    return _READ.sub(source, definition)


def _null(field: pa.Field) -> str:
    return f"CAST(NULL AS {_TYPES.get(field.type, 'VARCHAR')}) AS {field.name}"


def _literal(value: object) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)
