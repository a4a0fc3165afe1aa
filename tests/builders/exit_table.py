"""What docs/jobs.md says each way of running the auditor does after each exit status."""

import re
from pathlib import Path

PROJECT = Path(__file__).parents[2]
STATUSES = (0, 3, 10, 64, 65, 66, 69, 70, 73, 74, 75, 76, 77, 78, 127, 130, 137, 143)
_TABLE = re.compile(r"^\| status \|.*\n(?:\|.*\n)+", re.MULTILINE)


def _rows() -> list[list[str]]:
    [table] = _TABLE.findall((PROJECT / "docs" / "jobs.md").read_text("utf-8"))
    lines = [line.strip("|").split("|") for line in table.splitlines()]
    return [[cell.strip() for cell in line] for line in lines if not line[0].startswith("---")]


def cell(status: int, artefact: str) -> str:
    """Return what the table says about a status; a status without a row is one of `all others`."""
    header, *rows = _rows()
    [row] = [row for row in rows if str(status) in re.findall(r"\d+", row[0])] or [
        row for row in rows if row[0] == "all others"
    ]
    return row[header.index(artefact)]
