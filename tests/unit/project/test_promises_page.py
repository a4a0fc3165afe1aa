"""`docs/promises.md` lists every promise, and the tests it names for each exist."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PAGE = (PROJECT / "docs" / "promises.md").read_text("utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text("utf-8")
IDS = [*(f"P{n}" for n in range(1, 44)), *(f"S{n}" for n in range(1, 22))]
ROWS = {
    row[0]: row[1:]
    for row in re.findall(r"^\| ([PS]\d+) \| (.+) \| (.+) \| (.*) ?\|$", PAGE, re.MULTILINE)
}
NAMED = [
    (promise, path, name)
    for promise, (_, kept_by, _) in ROWS.items()
    for path, name in re.findall(r"`(tests/[a-z_/]+\.py)::([A-Za-z0-9_:]+)`", kept_by)
]


def test_every_promise_has_one_row_in_order() -> None:
    assert list(ROWS) == IDS
    assert len(re.findall(r"^\| [PS]\d+ \|", PAGE, re.MULTILINE)) == len(IDS)


@pytest.mark.parametrize("promise", IDS)
def test_each_promise_names_its_tests_or_what_it_waits_for(promise: str) -> None:
    promised, kept_by, proved_by = ROWS[promise]
    assert promised
    if kept_by.startswith("*later: "):
        assert proved_by.strip() == ""
    else:
        assert promise in {named for named, _, _ in NAMED}
        assert proved_by.strip() == f"`make prove ID={promise}`"


@pytest.mark.parametrize(("promise", "path", "name"), NAMED)
def test_each_named_test_exists_and_has_the_id_in_its_docstring(
    promise: str, path: str, name: str
) -> None:
    file = PROJECT / path
    assert file.exists()
    module = ast.parse(file.read_text("utf-8"))
    found: ast.AST = module
    for part in name.split("::"):
        below = [node for node in ast.iter_child_nodes(found) if getattr(node, "name", "") == part]
        assert len(below) == 1, f"no test {name} in {path}"
        [found] = below
    assert isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef)
    texts = f"{ast.get_docstring(module)} {ast.get_docstring(found)}"
    assert re.search(rf"\b{promise}\b", texts), f"{name} does not name {promise}"


def test_make_prove_reads_this_page() -> None:
    assert "prove:" in MAKEFILE
    assert "docs/promises.md" in MAKEFILE


def test_the_readme_says_who_can_read_the_lake() -> None:
    """S14: Parquet has no row security, so anyone who can read the folder reads every customer."""
    readme = " ".join((PROJECT / "README.md").read_text("utf-8").split())
    assert "Whoever can read the folder reads every customer in it" in readme
    assert "setfacl -R -m g:bi:rX" in readme
