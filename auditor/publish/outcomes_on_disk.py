"""Sorts the check outcomes of a bucket by check id, on disk.

Outcomes are published in the order of their check ids. The ids are hashes, so the outcomes of one
customer are spread over the whole bucket. In memory, the outcomes of a large bucket would take more
space than all other rows of that bucket.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from auditor.normalize.staged import WRITTEN_AT_ONCE
from auditor.store.conform import plain

_RANGES = 64
"""Number of ranges of ids, by their first two digits. A range is the unit of reading: in a large
bucket, each range is large too."""
_DIGITS = pa.array([f"{number:02x}" for number in range(256)])


class Outcomes:
    """The rows of `check_outcome` of one bucket, most of them in a file.

    The file is removed at the end of the `with` block.
    """

    def __init__(self, path: Path, *, at_once: int) -> None:
        """`at_once`: the most rows in memory, and about the size of the tables that are yielded."""
        self._path = path
        self._at_once = at_once
        self._in_memory: list[pa.Table] = []
        self._ranges: list[int] = []
        """The range of each batch in the file."""
        self._writer: pa.RecordBatchFileWriter | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._path.unlink(missing_ok=True)

    def add(self, table: pa.Table) -> None:
        """Add rows, in any order of their ids."""
        self._in_memory.append(table)
        if sum(one.num_rows for one in self._in_memory) > self._at_once:
            self._write()

    def _write(self) -> None:
        table = self._take_from_memory()
        digits = pc.utf8_slice_codeunits(table["check_id"].cast(pa.string()), 0, 2)
        of = pc.index_in(digits, value_set=_DIGITS).to_numpy() * _RANGES // len(_DIGITS)
        rows = np.argsort(of, kind="stable")
        first = 0
        for number, count in enumerate(np.bincount(of, minlength=_RANGES)):
            some = plain(table.take(pa.array(rows[first : first + count]))).combine_chunks()
            for batch in some.to_batches():
                self._writer_for(batch.schema).write_batch(batch)
                self._ranges.append(number)
            first += count

    def _take_from_memory(self) -> pa.Table:
        table = pa.concat_tables(self._in_memory).unify_dictionaries()
        self._in_memory.clear()
        return table

    def _writer_for(self, schema: pa.Schema) -> pa.RecordBatchFileWriter:
        if self._writer is None:
            self._path.parent.mkdir(exist_ok=True)
            stream = pa.output_stream(str(self._path), buffer_size=WRITTEN_AT_ONCE)
            file = self._stack.enter_context(stream)
            self._writer = self._stack.enter_context(pa.ipc.new_file(file, schema))
        return self._writer

    def tables(self) -> Iterator[pa.Table]:
        """Yield all rows in tables; the ids of each table are higher than those of the last."""
        if self._writer is None:
            yield from [self._take_from_memory()] if self._in_memory else []
            return
        if self._in_memory:
            self._write()
        self._stack.close()
        with pa.OSFile(str(self._path)) as file, pa.ipc.open_file(file) as reader:
            some: list[pa.RecordBatch] = []
            for number in range(_RANGES):
                some += [reader.get_batch(n) for n, of in enumerate(self._ranges) if of == number]
                if sum(batch.num_rows for batch in some) >= self._at_once:
                    yield pa.Table.from_batches(some)
                    some = []
            if some:
                yield pa.Table.from_batches(some)
