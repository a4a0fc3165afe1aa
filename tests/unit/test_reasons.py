"""Every reason that the program can write, and every code that Microsoft documents, has words."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import auditor
from auditor import reasons
from auditor.model import SPOILED_ITEM, UNREADABLE, Reason
from auditor.partner_center.error_table import ROWS
from auditor.partner_center.transport_errors import _CAUSES
from auditor.reasons import ReasonKind
from auditor.store import sql

PACKAGE = Path(auditor.__file__).parent
WRITERS = ("plan", "fetch", "guard", "normalize", "scope", "partner_center")
"""The folders whose code gives a check or listing its reason."""
NOT_REASONS = {
    *("NONPROFIT", "_LOCATION", "RESELLER", "LICENCE_TYPE", "REGISTERED", "REGISTRATION_UNKNOWN"),
    *("LENIENT", "OR_ID", "DECIDING", "TABLE"),
}
"""Constants of these folders that look like a reason and are none."""
_ONE_WORD = re.compile(r"[a-z]+(_[a-z]+)*")


def constants() -> Iterator[tuple[str, str]]:
    """Yield each constant that looks like a reason."""
    for path in sorted(p for folder in WRITERS for p in (PACKAGE / folder).rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            match node:
                case ast.Assign(
                    targets=[ast.Name(id=name)], value=ast.Constant(value=str(value))
                ) if _ONE_WORD.fullmatch(value):
                    yield name, value
                case _:
                    pass


def causes_of_a_silence() -> Iterator[str]:
    """Yield why no reply came: what the transport names itself, and each error of the library."""
    tree = ast.parse((PACKAGE / "partner_center" / "transport.py").read_text("utf-8"))
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="reply"), args=[argument]):
                found = ast.walk(argument)
            case ast.keyword(arg="cause", value=value):
                found = ast.walk(value)
            case _:
                continue
        for part in found:
            if isinstance(part, ast.Constant) and isinstance(part.value, str) and part.value:
                yield part.value
    yield from (cause for _, cause in _CAUSES)
    yield from (row.code for row in ROWS if row.status == 0 and row.code)


def written() -> set[str]:
    """Return every reason that the program can write."""
    statuses = {f"http_{row.status}" for row in ROWS if row.status >= 400}
    named = {value for name, value in constants() if name not in NOT_REASONS}
    return {*Reason, *causes_of_a_silence(), *statuses, *named, UNREADABLE, SPOILED_ITEM}


def test_every_reason_that_the_program_writes_has_words_of_its_own() -> None:
    found = written()
    assert {"timeout", "deadline", "breaker", "throttled", "token", "too_large"} < found
    assert {"unstable", "item_set_apart", "arm_region_unknown", "mismatched_echo"} < found
    without = {each for each in found if not reasons.meaning(each, ReasonKind.FAILED).is_known}
    assert without == set()


def test_every_constant_named_as_no_reason_exists() -> None:
    assert {name for name, _ in constants()} >= NOT_REASONS


def test_no_words_are_left_of_a_reason_that_nothing_writes() -> None:
    own = {each.reason for each in reasons.known() if each.kind is not ReasonKind.RESTRICTION}
    assert own - written() == {"http_4xx", "http_5xx"}


def test_each_reason_of_the_contract_has_words_and_the_other_way_round() -> None:
    page = (PACKAGE.parent / "docs" / "contract.md").read_text("utf-8")
    for kind in (ReasonKind.NOT_ELIGIBLE, ReasonKind.SKIPPED, ReasonKind.FAILED):
        table = page.partition(f"Reasons of `{kind}`:\n\n")[2].partition("\n\n")[0]
        cells = " ".join(row.split("|")[1] for row in table.splitlines())
        named = set(re.findall(r"`(\w+)`", cells))
        own = {each.reason for each in reasons.known() if each.kind is kind}
        assert {name for name in named if not name.startswith("http_")} == {
            name for name in own if not name.startswith("http_")
        }, kind


def test_the_words_never_guess_about_capacity_and_fit_a_line_or_two() -> None:
    for kind, reason, *words in sql.toml_rows("reasons"):
        assert len(words) == 2, reason
        for text in words:
            assert 10 < len(text) <= 160, (kind, reason)
            assert text.endswith("."), (kind, reason)
            assert not re.search(r"(?i)capacity|probabl|perhaps|maybe|likely", text), reason
    for kind in ReasonKind:
        assert reasons.meaning("surely not", kind).kind is kind


def test_the_sentence_comes_before_the_next_step() -> None:
    """Their order in the file is the order of the columns."""
    entries = tomllib.loads((PACKAGE.parent / "sql" / "reasons.toml").read_text("utf-8"))
    assert entries.keys() == set(ReasonKind)
    assert {tuple(each) for kind in entries.values() for each in kind.values()} == {
        ("sentence", "next_step")
    }
    assert reasons.sentence("deadline").startswith("The run had no time")
    assert "--resume" in reasons.next_step("deadline")


@pytest.mark.parametrize("text", ["QuotaId", "quotaid", "QUOTAID"])
def test_letter_case_does_not_count(text: str) -> None:
    found = reasons.meaning(text)
    assert (found.reason, found.kind, found.is_known) == ("QuotaId", "restriction", True)


def test_an_unknown_code_is_kept_as_it_came() -> None:
    found = reasons.meaning("New: Code_7")
    assert (found.reason, found.kind, found.is_known) == ("New: Code_7", "restriction", False)
    assert "Partner Center gives no more" in found.sentence
    assert reasons.sentence("New: Code_7") == found.sentence
    assert "names no reason" in reasons.sentence("")


def test_a_failed_listing_has_the_words_of_its_cause() -> None:
    assert reasons.meaning("subscriptions: http_503", "failed").reason == "http_503"
    assert reasons.sentence("subscriptions: odd", "failed") == reasons.sentence("odd", "failed")


def test_a_status_without_words_has_those_of_its_class() -> None:
    found = reasons.meaning("http_418", "failed")
    assert (found.reason, found.is_known) == ("http_418", True)
    assert found.sentence == reasons.sentence("http_4xx", "failed")
    assert reasons.sentence("http_599", "failed") == reasons.sentence("http_5xx", "failed")


def test_there_are_only_four_kinds() -> None:
    with pytest.raises(ValueError, match="answered"):
        reasons.meaning("", "answered")
