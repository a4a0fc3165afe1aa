"""DuckDB in memory, opened in one way wherever it is needed."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from auditor.store.sql import statement

Option = str | bool | int | float | list[str]


def connect(**config: Option) -> duckdb.DuckDBPyConnection:
    """Open DuckDB in UTC: it reads no variable of ours, loads nothing and prints nothing."""
    fixed: dict[str, Option] = {
        "python_enable_replacements": False,
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    con = duckdb.connect(":memory:", config={**fixed, **config})
    con.execute("SET TimeZone = 'UTC'")
    # where Python runs by `-c` it takes a person to be there, and draws on stdout
    con.execute("SET enable_progress_bar = false")
    return con


MACROS = ("change_kind", "is_flip", "same_answer", "run_began")


@contextmanager
def working(*, spill: Path, memory: str = "1GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with our macros in it; it spills to a folder rather than grow."""
    with connect(
        memory_limit=memory,
        threads=1,
        temp_directory=str(spill),
        # what one part needed is given back before the next: a fifth of a publisher's memory
        allocator_flush_threshold="1MB",
        allocator_bulk_deallocation_flush_threshold="1MB",
    ) as con:
        for name in MACROS:
            con.execute(statement(f"diff/{name}"))
        yield con


SPARING = "256MB"


def opened(*, is_sparing: bool) -> duckdb.DuckDBPyConnection:
    return connect(threads=1, memory_limit=SPARING) if is_sparing else connect()


def spill_folder() -> str:
    """Return a folder that DuckDB makes if it needs one, and removes."""
    return f"{tempfile.gettempdir()}/auditor-{uuid.uuid4()}"
