"""The text after a run fits the terminal, has no control characters and leaves nothing out."""

import io
import re
from pathlib import Path

import pytest

from auditor.report import summary, terminal
from auditor.report.terminal_page import TerminalPage
from auditor.report.values import HeldBack
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import SECOND, night_1, two_nights
from tests.builders.store_lake import make

HOSTILE = "\x1b[2J\x07\u202eevil\x9b\u2028[red]x[/red]"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("report"))


def overview(store: FolderStore, width: int = 80) -> str:
    stream = io.StringIO()
    terminal.overview(summary.read(store), TerminalPage(stream, width))
    return stream.getvalue()


def after_run(store: FolderStore, **not_published: str) -> str:
    stream = io.StringIO()
    url = str(store.root)
    terminal.write_run_summary(url, [SECOND], not_published, Path("x y/auditor.toml"), stream)
    return stream.getvalue()


def with_single_spaces(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_line_is_wider_than_the_terminal(store: FolderStore, width: int) -> None:
    assert max(len(line) for line in overview(store, width).splitlines()) <= width


@pytest.mark.parametrize("write", [overview, after_run])
def test_control_characters_from_outside_are_not_written(write: object, tmp_path: Path) -> None:
    """S7: text from outside is not read as markup either."""
    assert callable(write)
    text = write(two_nights(tmp_path, HOSTILE))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e]", text)
    assert "[red]x[/red]" in "".join(text.split())


def test_not_in_catalog_without_answer_and_not_asked_have_own_lines(store: FolderStore) -> None:
    lines = with_single_spaces(overview(store))
    assert "1 not in the catalog an answer: this customer is not offered it" in lines
    assert "2 no answer deadline 1, timeout 1" in lines
    assert "1 never asked plan not registered 1" in lines
    assert "1 stale verdicts older than the newest full run, of 1 customers" in lines


def test_the_overview_shows_the_calls_made_and_saved(store: FolderStore) -> None:
    lines = with_single_spaces(overview(store))
    assert "customers 3" in lines
    assert "checks without an answer 2" in lines
    assert "calls made 6" in lines
    assert "calls a naive fan-out makes 7" in lines
    assert "saving factor 1.2" in lines


def test_unknown_is_shown_beside_restricted_for_each_place(store: FolderStore) -> None:
    lines = with_single_spaces(overview(store))
    assert "contoso-eu DE japanwest 1 100.0% 1 1" in lines
    assert "all 2 places 1 100.0% 2" in lines


def test_changes_are_listed_by_kind_and_by_cause(store: FolderStore) -> None:
    lines = with_single_spaces(overview(store))
    assert "newly restricted inventory 1 1 1" in lines
    assert "left catalog catalog 1 1 all" in lines
    assert "newly restricted 1 NotAvailableForSubscription in japanwest: 1 SKU" in lines


def test_changes_held_back_are_one_alert_and_not_counted(store: FolderStore) -> None:
    lines = with_single_spaces(overview(store, 120))
    alert = "1 key of 1 customer flipped at once: asked twice, held until the next run confirms"
    assert alert in lines
    assert [line for line in lines if line.startswith("newly restricted inventory")] == [
        "newly restricted inventory 1 1 1"
    ]


def test_an_alert_counts_keys_and_customers() -> None:
    assert str(HeldBack(keys=1037, customers=2)).startswith("1,037 keys of 2 customers flipped")


def test_the_first_night_has_nothing_to_compare_with(tmp_path: Path) -> None:
    text = overview(night_1(tmp_path))
    assert "Nothing yet: the first snapshot is what later ones are compared with." in text


def test_an_empty_store_is_reported_as_empty(tmp_path: Path) -> None:
    assert "Nothing is known of any SKU." in overview(make(tmp_path))


def test_the_summary_of_a_run_has_a_line_for_each_partner(store: FolderStore) -> None:
    lines = with_single_spaces(after_run(store, contoso_asia="E_AUTH"))
    assert "contoso-eu incomplete, 40.0% unknown 3 2 6 5" in lines
    assert "contoso_asia not published E_AUTH" in lines
    assert "failed inventory timeout 1 1" in lines
    assert "auditor changes --by-cause --config 'x y/auditor.toml'" in lines


def test_a_command_is_never_broken_over_two_lines() -> None:
    stream = io.StringIO()
    TerminalPage(stream, 40).commands(["auditor sql " + "x" * 100])
    assert stream.getvalue() == "  auditor sql " + "x" * 100 + "\n"
