"""Every file of `sql/` is used, is in the right folder, and says what one row of it is."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import auditor
from auditor.store import sql

PROJECT = Path(auditor.__file__).parents[1]
FOLDER = PROJECT / "sql"
FILES = {
    str(path.relative_to(FOLDER).with_suffix("")): path.read_text("utf-8")
    for path in sorted(FOLDER.rglob("*.sql"))
}
BY_FOLDER = {"schema", "dashboards"}
"""Every file of these folders is used: `schema_steps` runs them, or people copy the query."""
NO_ROWS = {"macros", "schema", "roles"}
"""Statements in these folders return no rows; in `schema/` each table has its own grain."""
MODULES = [
    ast.parse(path.read_text("utf-8"))
    for folder in ("auditor", "jobs")
    for path in sorted((PROJECT / folder).rglob("*.py"))
]


def named(tree: ast.AST) -> Iterator[str]:
    """Yield each statement that a module names, by a string or by an f-string of its strings."""
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    yield from texts & FILES.keys()
    patterns = [
        "".join(
            re.escape(str(part.value)) if isinstance(part, ast.Constant) else "([a-z0-9_]+)"
            for part in node.values
        )
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
    ]
    for pattern in patterns:
        for name in FILES:
            found = re.fullmatch(pattern, name)
            if found and set(found.groups()) <= texts:
                yield name


def test_every_statement_is_named_by_the_code_that_runs_it() -> None:
    used = {name for tree in MODULES for name in named(tree)}
    unused = {name for name in FILES if name.partition("/")[0] not in BY_FOLDER} - used
    assert unused == set()


def test_both_engines_define_every_base_view() -> None:
    assert set(sql.names("duckdb")) == {*sql.BASE, *sql.BESIDE_DUCKDB}
    assert set(sql.names("postgres")) == {"store_info", *sql.BASE, *sql.BESIDE_POSTGRES}
    assert set(sql.names("views")) == set(sql.VIEWS)


def test_each_file_of_the_schema_has_a_number_of_its_own() -> None:
    numbers = [number for number, _ in sql.schema_steps()]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("name", FILES)
def test_a_statement_begins_with_its_purpose_and_its_grain(name: str) -> None:
    head = []
    for line in FILES[name].splitlines():
        if not line.startswith("--"):
            break
        head.append(line)
    assert head
    if name.partition("/")[0] not in NO_ROWS:
        assert any(re.match(r"-- Grain: ", line) for line in head[1:]), name


def test_whatever_decides_that_an_answer_is_old_asks_for_its_run_as_well() -> None:
    """P39: a proof from a cached listing is older than the run that took it for fresh."""
    old = re.compile(r"\.checked_at < \w+\.\w+\s+AND \w+\.checked_snapshot_id < \w+\.\w+")
    read = {name: text for name, text in FILES.items() if name.startswith(("views/", "read/"))}
    compared = {name: text.count(".checked_at < ") for name, text in read.items()}
    assert sum(compared.values()) == 6
    assert {name: len(old.findall(text)) for name, text in read.items()} == compared
