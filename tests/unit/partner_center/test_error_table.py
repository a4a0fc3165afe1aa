"""The error table: each documented error has a row, no row hides another, and its page."""

import inspect
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor import errors
from auditor.errors import Does, PartnerCenterError
from auditor.model import Request
from auditor.partner_center import requests
from auditor.partner_center.error_table import (
    ANY,
    INVENTORY,
    ROWS,
    TABLE,
    UNANSWERED,
    ErrorKey,
    row_of,
    steps,
)
from tests.builders import errors_page

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
DOCUMENTED = (
    (200, "400072"),
    *((400, code) for code in ("2001", "400026", "400056", "3000", "900143", "900118")),
    *((400, code) for code in ("800010", "800011", "800012", "800013", "800030")),
    *((400, code) for code in ("900314", "900315")),
    *((401, code) for code in ("400", "800001", "900420", "900421")),
    *((403, code) for code in ("400030", "400036", "20002", "2030", "2032", "900150")),
    *((403, code) for code in ("900308", "900309", "900329")),
    *((404, code) for code in ("400013", "400018", "400019", "1000", "20003", "60003")),
    (500, "800003"),
    *((status, ANY) for status in (408, 429, 501, 502, 503, 504)),
)
"""The errors that Microsoft's pages name, and two codes that other people have seen."""
FIRST = {Does.RETRIED, Does.WAITED_FOR, Does.TOKEN_RENEWED}
"""The steps that are taken before the body is read."""


@pytest.mark.parametrize(("status", "code"), DOCUMENTED)
def test_every_documented_error_has_a_row(status: int, code: str) -> None:
    assert [key for key in TABLE if key[1:] == (status, code)]


def test_no_two_rows_have_the_same_key() -> None:
    keys = [(endpoint, row.status, row.code) for row in ROWS for endpoint in row.endpoints]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("key", TABLE, ids=str)
def test_every_row_can_be_reached(key: ErrorKey) -> None:
    endpoint, status, code = key
    names = [endpoint] if endpoint else list(UNANSWERED)
    at = [status] if status > 9 or not status else range(status * 100, status * 100 + 100)
    assert any(row_of(name, s, code or "?") is TABLE[key] for name in names for s in at)


def test_every_endpoint_has_its_final_step() -> None:
    asked = {_made(make).endpoint for make in vars(requests).values() if _makes(make)}
    asked |= set(INVENTORY)
    assert asked == UNANSWERED.keys()
    assert {name for row in ROWS for name in row.endpoints} <= {ANY, *UNANSWERED}


@given(
    st.sampled_from(sorted(UNANSWERED)),
    st.integers(min_value=0, max_value=999),
    st.text(max_size=8),
)
def test_every_reply_has_a_row_with_a_final_step(endpoint: str, status: int, code: str) -> None:
    done = steps(endpoint, status, code)
    assert done
    assert done[-1] not in FIRST | {Does.HALVED, Does.POSTED}


@given(st.sampled_from(sorted(UNANSWERED)), st.integers(100, 999), st.sampled_from(DOCUMENTED))
def test_only_the_status_decides_whether_a_call_is_sent_again(
    endpoint: str, status: int, documented: tuple[int, str]
) -> None:
    """The call is sent again before the body is read."""
    of_status = FIRST.intersection(row_of(endpoint, status, ANY).does)
    assert FIRST.intersection(row_of(endpoint, status, documented[1]).does) == of_status


@pytest.mark.parametrize(
    ("status", "cause"),
    [(408, ""), (500, ""), (501, ""), (503, ""), (599, ""), (0, "reset"), (0, "timeout")],
)
def test_a_call_that_may_succeed_later_is_sent_again(status: int, cause: str) -> None:
    assert all(Does.RETRIED in row_of(name, status, cause).does for name in UNANSWERED)


@pytest.mark.parametrize(
    ("status", "cause"),
    [(200, ""), (302, ""), (400, ""), (401, ""), (404, ""), (429, ""), (0, "tls"), (0, "deadline")],
)
def test_a_call_that_would_fail_again_is_not_sent_again(status: int, cause: str) -> None:
    assert not any(Does.RETRIED in row_of(name, status, cause).does for name in UNANSWERED)


def test_every_kind_of_error_has_a_row() -> None:
    kinds = _below(PartnerCenterError) - {errors.Untrusted}  # which concerns only signing in
    parents = {errors.Rejected, errors.Unreachable}
    leaves = {kind for kind in kinds if kind in parents or not kind.__subclasses__()}
    assert leaves == {row.error for row in ROWS}


def test_every_step_is_used_by_a_row_or_an_endpoint() -> None:
    assert {step for endpoint, s, c in TABLE for step in steps(endpoint or "get_sku", s, c)} | set(
        UNANSWERED.values()
    ) == set(Does)


def test_the_golden_page_is_the_table() -> None:
    """REWRITE_GOLDEN=1 rewrites it."""
    if os.environ.get("REWRITE_GOLDEN"):
        PAGE.write_text(errors_page.page(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == errors_page.page()


def _below(kind: type[PartnerCenterError]) -> set[type[PartnerCenterError]]:
    return {k for sub in kind.__subclasses__() for k in {sub, *_below(sub)}}


def _makes(make: object) -> bool:
    """Return whether this function makes a new request."""
    if not inspect.isfunction(make) or make.__name__.startswith("_"):
        return False
    return inspect.signature(make).return_annotation is Request and make is not requests.as_post


def _made(make: Any) -> Request:  # Any: each takes other arguments
    given: dict[str, Any] = {"lifecycle": False, "items": [("P", "S")], "country": "DE"}
    given["context"] = requests.InventoryContext()
    wanted = [p for p in inspect.signature(make).parameters.values() if p.default is p.empty]
    made: Request = make(**{p.name: given.get(p.name, "x") for p in wanted})
    return made
