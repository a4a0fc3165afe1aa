"""Computes a checksum of rows that ignores their order: P15 for a store without files."""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_MODULUS = 2**64
_PRIME = np.uint64(0x9E3779B97F4A7C15)
_NULL = np.uint64(0xD1B54A32D192ED03)
_Numbers = npt.NDArray[np.uint64]


def digest(table: pa.Table) -> int:
    """Return the sum of one number per row; the order of rows does not matter.

    Each distinct text is hashed only once: a night has millions of rows, but few texts.
    """
    rows: _Numbers = np.zeros(table.num_rows, dtype=np.uint64)
    for column in table.columns:
        rows = _mixed(rows * _PRIME + _numbers(column))
    return int(rows.sum(dtype=np.uint64))


def added(one: int, other: int) -> int:
    """Return the digest of two tables together."""
    return (one + other) % _MODULUS


def _mixed(numbers: _Numbers) -> _Numbers:
    numbers = (numbers ^ (numbers >> np.uint64(31))) * _PRIME
    return numbers ^ (numbers >> np.uint64(29))


def _numbers(column: pa.ChunkedArray) -> _Numbers:
    """Return one number per value. Equal values get equal numbers, whatever the column type."""
    if pa.types.is_floating(column.type):
        bits: _Numbers = column.fill_null(0.0).to_numpy().astype(np.float64).view(np.uint64)
    elif pa.types.is_string(column.type) or pa.types.is_dictionary(column.type):
        return _texts(column)
    else:
        whole = column.cast(pa.int32()) if pa.types.is_date(column.type) else column
        bits = whole.cast(pa.int64()).fill_null(0).to_numpy().view(np.uint64)
    if column.null_count:
        return np.where(column.is_null().to_numpy(), _NULL, bits)
    return bits


def _texts(column: pa.ChunkedArray) -> _Numbers:
    if not len(column):
        return np.zeros(0, dtype=np.uint64)
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    whole = pa.concat_arrays(column.unify_dictionaries().chunks)
    hashed = np.array([*map(_hashed, whole.dictionary.to_pylist()), _NULL], dtype=np.uint64)
    codes = whole.indices.cast(pa.int64()).fill_null(len(hashed) - 1).to_numpy()
    found: _Numbers = hashed[codes]
    return found


def _hashed(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
