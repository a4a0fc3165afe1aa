"""Opens DuckDB in memory, with the same settings everywhere."""

import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from auditor.store.sql import statement

DuckSetting = str | bool | int | float | list[str]


def connect(**config: DuckSetting) -> duckdb.DuckDBPyConnection:
    """Open DuckDB in UTC. It reads no Python variables, loads no extension and prints nothing."""
    fixed: dict[str, DuckSetting] = {
        "python_enable_replacements": False,
        "allow_persistent_secrets": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    con = duckdb.connect(":memory:", config={**fixed, **config})
    con.execute("SET TimeZone = 'UTC'")
    # Under `python -c`, DuckDB takes the session for interactive and prints a progress bar.
    con.execute("SET enable_progress_bar = false")
    return con


MACROS = ("change_kind", "is_catalogs_own", "is_flip", "same_answer", "run_began")


@contextmanager
def working(*, spill: Path, memory: str = "1GB") -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB with our macros, for writers. Above `memory`, it spills to the folder `spill`."""
    with connect(
        memory_limit=memory,
        threads=1,
        temp_directory=str(spill),
        # DuckDB gives memory back between comparisons: a publisher then needs a fifth less.
        allocator_flush_threshold="1MB",
        allocator_bulk_deallocation_flush_threshold="1MB",
    ) as con:
        for name in MACROS:
            con.execute(statement(f"macros/{name}"))
        yield con


SPARING = "256MB"


def opened(*, is_sparing: bool) -> duckdb.DuckDBPyConnection:
    """Open DuckDB for readers. With `is_sparing`, it is slower and takes little memory."""
    return connect(threads=1, memory_limit=SPARING) if is_sparing else connect()


def spill_folder() -> str:
    """Return the name of a folder that DuckDB creates when it spills, and removes at the end."""
    return f"{tempfile.gettempdir()}/auditor-{uuid.uuid4()}"
