"""Every page that the documentation or the code names exists."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
PAGES = sorted([PROJECT / "README.md", *(PROJECT / "docs").rglob("*.md")])
SOURCES = sorted(
    path
    for folder in ("auditor", "bench", "jobs", "sql", "tests")
    for path in (PROJECT / folder).rglob("*")
    if path.suffix in {".py", ".sql", ".toml", ".sh", ".cron", ".service", ".timer", ".j2"}
)
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")
PATH = re.compile(r"`((?:auditor|bench|docs|jobs|sql|tests)/[\w./-]*\w/?)`")
NAMED = re.compile(r"docs/[\w/-]+\.md|decisions/\d{4}")
NOT_OURS = re.compile(r"\b(design\.md|design section|house.style|layout\.md|anchors\.md|facts \d)")
"""Pages that are not in the repository."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_and_path_in_a_page_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    missing = [link for link in LINK.findall(text) if not (page.parent / link).exists()]
    missing += [path for path in PATH.findall(text) if not (PROJECT / path).exists()]
    assert missing == []


def test_every_page_that_the_code_names_exists() -> None:
    named = {
        (str(path.relative_to(PROJECT)), name)
        for path in SOURCES
        for name in NAMED.findall(path.read_text("utf-8"))
    }
    assert named
    missing = [
        (path, name)
        for path, name in named
        if not list((PROJECT / "docs").glob(f"{name.removeprefix('docs/')}*"))
    ]
    assert missing == []


def test_no_text_names_a_page_outside_the_repository() -> None:
    here = Path(__file__)
    texts = {path: path.read_text("utf-8") for path in [*PAGES, *SOURCES] if path != here}
    assert [
        (str(path), found[0]) for path, t in texts.items() if (found := NOT_OURS.search(t))
    ] == []


def test_the_index_lists_each_page() -> None:
    index = (PROJECT / "docs" / "README.md").read_text("utf-8")
    pages = {path.name for path in (PROJECT / "docs").glob("*.md")} - {"README.md"}
    assert pages <= set(LINK.findall(index))
