"""DuckDB in memory, opened in one way wherever it is needed."""

import duckdb

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
