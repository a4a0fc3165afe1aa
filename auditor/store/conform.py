"""Makes a table fit its relation, and checks its columns, types, order, keys and bucket."""

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from auditor.errors import Bug, UsageError
from auditor.model import Cell, bucket_of
from auditor.tables import CELL, KEYS, SCHEMAS, default

_SNAPSHOT_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_ROOM = 2**62
_BEFORE_ALL = -(2**63)
_SPARSE = 8
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_WITHOUT_COUNTRY = ("customer", "azure_subscription", "commerce_subscription")


def cell_columns(relation: str) -> tuple[str, ...]:
    """Return the columns of a relation that name a row's cell.

    If the relation lacks such a column, that part of the cell is ''.
    """
    if relation == "sku":
        return ("partner_tenant_id", "country")
    if relation in _WITHOUT_COUNTRY:
        return ("partner_tenant_id", "customer_id")
    return CELL


def cells_of(relation: str, table: pa.Table) -> tuple[list[Cell], Codes]:
    """Return the cells in a table and, for each row, the index of its cell among them."""
    columns = cell_columns(relation)
    _, first, which = np.unique(ranks(table, columns), return_index=True, return_inverse=True)
    rows = table.select(columns).take(pa.array(first)).to_pylist()
    cells = [Cell(**{"customer_id": "", "country": "", **row}) for row in rows]
    return cells, which


def ranks(table: pa.Table, columns: Sequence[str]) -> Codes:
    """Return one number per row, so that the numbers sort and compare as the rows do.

    Nulls sort first.
    """
    return _folded(table.num_rows, (_codes(table.column(name)) for name in columns))


def numbers(table: pa.Table) -> Codes:
    """Return one number per row. Equal rows get the same number; two nulls count as equal.

    The numbers start at 0 and are small enough to index an array. Their order means nothing.
    """
    folded = _folded(table.num_rows, map(_unordered_codes, table.columns))
    return _dense(folded) if folded.max(initial=0) > _SPARSE * len(folded) else folded


def _folded(rows: int, columns: Iterable[Codes]) -> Codes:
    folded: Codes = np.zeros(rows, dtype=np.int64)
    top = 1
    for codes in columns:
        size = int(codes.max(initial=0)) + 1
        if size == 1:
            continue
        if top * size >= _ROOM:
            folded = _dense(folded)
            top = int(folded.max(initial=0)) + 1
        folded = folded * np.int64(size) + codes
        top *= size
    return folded


def _unordered_codes(column: pa.ChunkedArray) -> Codes:
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = pa.concat_arrays(column.unify_dictionaries().chunks)
    return _from_zero(whole.indices)


def _from_zero(indices: pa.Array) -> Codes:
    """Return the indices. If some are null, each null becomes 0 and all others grow by 1."""
    codes: Codes = indices.cast(pa.int64()).fill_null(-1).to_numpy()
    return codes + 1 if indices.null_count else codes


def _dense(codes: Codes) -> Codes:
    dense: Codes = np.unique(codes, return_inverse=True)[1]
    return dense


def _codes(column: pa.ChunkedArray) -> Codes:
    if not len(column):
        return np.zeros(0, dtype=np.int64)
    if pa.types.is_integer(column.type) or pa.types.is_timestamp(column.type):
        return _dense(column.cast(pa.int64()).fill_null(_BEFORE_ALL).to_numpy())
    return _from_zero(_tidied(column).indices)


def _tidied(column: pa.ChunkedArray) -> pa.DictionaryArray:
    """Return text with a sorted dictionary of only the used values: equal rows give equal bytes."""
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = pa.concat_arrays(column.unify_dictionaries().chunks)
    is_used = np.zeros(len(whole.dictionary), dtype=bool)
    is_used[whole.indices.drop_null().to_numpy()] = True
    is_tidy = is_used.all() and whole.indices.type == pa.int32()
    if is_tidy and _is_ascending(whole.dictionary):
        return whole
    values = whole.dictionary.filter(pa.array(is_used))
    new = np.zeros(len(is_used), dtype=np.int32)
    new[is_used] = pc.rank(values, tiebreaker="dense").to_numpy() - 1
    is_null = whole.indices.is_null().to_numpy(zero_copy_only=False).astype(bool)
    old = whole.indices.fill_null(0).to_numpy()
    codes = new[old] if len(new) else np.zeros(len(old), dtype=np.int32)
    ordered = values.take(pc.sort_indices(values)).unique()
    return pa.DictionaryArray.from_arrays(pa.array(codes, mask=is_null), ordered)


def _is_ascending(values: pa.Array) -> bool:
    return bool(pc.all(pc.less(values[:-1], values[1:]), skip_nulls=False, min_count=0).as_py())


def conformed(relation: str, table: pa.Table, snapshot_id: str) -> pa.Table:
    """Return the table with its relation's column order and types, sorted by key.

    Raises Bug for wrong columns, a null or repeated key, or rows of another snapshot.
    """
    schema = SCHEMAS[relation]
    if sorted(table.column_names) != sorted(schema.names):
        odd = sorted(set(table.column_names) ^ set(schema.names))
        raise Bug(f"{relation}: columns missing or unknown: {', '.join(odd) or 'one is repeated'}")
    arrays = [_typed(relation, field, table.column(field.name)) for field in schema]
    table = pa.Table.from_arrays(arrays, schema=schema)
    if table.column("snapshot_id").unique().to_pylist() not in ([], [snapshot_id]):
        raise Bug(f"{relation}: rows of a snapshot other than {snapshot_id}")
    rank = ranks(table, KEYS[relation])
    if not (np.diff(rank) > 0).all():
        order = np.argsort(rank, kind="stable")
        table, rank = table.take(pa.array(order)), rank[order]
    repeated = np.flatnonzero(np.diff(rank) == 0)
    if len(repeated):
        key = table.select(KEYS[relation]).slice(int(repeated[0]), 1).to_pylist()[0]
        raise Bug(f"{relation}: repeated key: {key}")
    return table


def completed(relation: str, table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns `names` of a relation's rows. A column that the file lacks is filled."""
    schema = pa.schema([SCHEMAS[relation].field(name) for name in names])
    for field in schema:
        if field.name not in table.column_names:
            value = pa.scalar(default(relation, field.name), _value_type(field.type))
            table = table.append_column(field.name, pa.repeat(value, table.num_rows))
    return table.select(names).cast(schema)


def _value_type(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _typed(relation: str, field: pa.Field, column: pa.ChunkedArray) -> pa.ChunkedArray:
    if not field.nullable and column.null_count:
        raise Bug(f"{relation}.{field.name}: a key column is null")
    try:
        if column.num_chunks and pa.types.is_dictionary(field.type):
            column = pa.chunked_array([_tidied(column)])
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # a value or type does not fit
        raise Bug(f"{relation}.{field.name}: {column.type} is not {field.type}") from error


def tidied(table: pa.Table) -> pa.Table:
    """Return a table whose dictionaries hold only the texts of its own rows."""
    arrays = [
        pa.chunked_array([_tidied(column)], column.type)
        if pa.types.is_dictionary(column.type) and len(column)
        else pa.chunked_array([], column.type)
        if not len(column)
        else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(arrays, schema=table.schema)


def plain(table: pa.Table) -> pa.Table:
    """Return a table without dictionaries, which may hold the texts of many other rows."""
    kinds = (_value_type(field.type) for field in table.schema)
    return table.cast(pa.schema(zip(table.column_names, kinds, strict=True)))


def check_snapshot_id(snapshot_id: str) -> None:
    """Raise UsageError if a text cannot be the id of a snapshot."""
    if not _SNAPSHOT_ID.fullmatch(snapshot_id):
        raise UsageError(f"{snapshot_id!r} is not a snapshot id")


def check_bucket(relation: str, table: pa.Table, bucket: int, buckets: int) -> None:
    """Raise Bug for a row that belongs to another bucket."""
    has_customer = "customer_id" in table.column_names
    customers = table.column("customer_id").unique().to_pylist() if has_customer else [""]
    for customer_id in customers:
        if bucket_of(customer_id, buckets) != bucket:
            raise Bug(f"{relation}: customer {customer_id!r} is not in bucket {bucket}")


def snapshot_table(row: Mapping[str, object]) -> pa.Table:
    """Return the one-row table of the relation `snapshot`. Raise Bug if a column is missing."""
    schema = SCHEMAS["snapshot"]
    odd = set(row) ^ set(schema.names)
    if odd:
        raise Bug(f"snapshot: columns missing or unknown: {', '.join(sorted(odd))}")
    return pa.Table.from_pylist([dict(row)], schema=schema)
