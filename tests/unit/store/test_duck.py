"""DuckDB is opened in one place, with safe settings."""

import re
from pathlib import Path

from auditor.store.duck import connect

ROOT = Path(__file__).parents[3]
ASKED = "SELECT current_setting($1)::VARCHAR"


def test_a_connection_prints_nothing_and_loads_no_extension() -> None:
    """The progress bar of a slow statement would be mixed with the rows on stdout."""
    with connect() as con:
        settings = (
            "enable_progress_bar",
            "autoload_known_extensions",
            "autoinstall_known_extensions",
            "python_enable_replacements",
            "allow_persistent_secrets",
        )
        values = {name: con.execute(ASKED, [name]).fetchone() for name in settings}
        assert set(values.values()) == {("false",)}
        assert con.execute(ASKED, ["TimeZone"]).fetchone() == ("UTC",)


def test_no_other_module_opens_duckdb() -> None:
    opened = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "auditor").rglob("*.py")
        if re.search(r"duckdb\.connect\(", path.read_text("utf-8"))
    }
    assert opened == {"auditor/store/duck.py"}
