"""The HTML report shows the findings, runs no code, and names no customer that is masked."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from auditor.report import html
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import FIRST, night_1, two_nights
from tests.builders.store_lake import ACME, BOND, COHO, at, cover, make, publish

PAYLOADS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload='alert(1)'>",
    "' autofocus onfocus='alert(1)",
    "</style><style>*{background:url(//evil.example)}</style>",
    "</title><meta http-equiv=refresh content=0;url=//evil.example>",
    "{{ 7 * 7 }}{% include 'x' %}{#",
    "javascript:alert(1)",
    "<!--",
    "]]><a href=//evil.example>",
    "&lt;b&gt;&#60;i&#62;",
    "\u202eevil\u2066\u200f",
    "\x1b[2J\x07\x9b\u2028\ufeff",
)


class Shape(HTMLParser):
    """Collects a page's elements, their attributes, and the text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def page(store: FolderStore) -> str:
    return html.report(store)


@pytest.mark.parametrize("payloads", [PAYLOADS[n : n + 4] for n in range(0, len(PAYLOADS), 4)])
def test_no_text_becomes_markup(payloads: Sequence[str], page: str, tmp_path: Path) -> None:
    """S7: the elements and attributes are those of the same report with harmless names."""
    marked = Shape(html.report(two_nights(tmp_path, " ".join(payloads))))
    assert marked.elements == Shape(page).elements
    assert {a[:2] for a in marked.attributes} == {a[:2] for a in Shape(page).attributes}
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u202a-\u202e\u2066-\u2069]", marked.text
    )


def test_text_that_looks_like_markup_is_shown_unchanged(tmp_path: Path) -> None:
    text = Shape(html.report(two_nights(tmp_path, "<b>&amp;"))).text
    assert "Acme<b>&amp;" in text
    assert "D0011 one year<b>&amp;" in text
    assert "timeout<b>&amp;" in text


def test_the_page_loads_nothing_and_runs_nothing(page: str) -> None:
    shape = Shape(page)
    policy = next(value for tag, _, value in shape.attributes if value.startswith("default-src"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "iframe", "object", "link", "img", "form"} & {
        t for t, _ in shape.elements
    }
    links = [value for _, name, value in shape.attributes if name in {"href", "src"}]
    assert links
    assert all(link.startswith("#") for link in links)
    assert "url(" not in page
    assert "://" not in page
    ids = [value for _, name, value in shape.attributes if name == "id"]
    assert {link[1:] for link in links} <= set(ids)


def test_each_finding_has_customer_sku_place_time_and_reason(page: str) -> None:
    text = " ".join(Shape(page).text.split())
    for words in (
        "Acme",
        "D0011 one year",
        "DZH318Z0BQ3Q:0011",
        "japanwest",
        "NotAvailableForSubscription",
        "2026-11-02 02:01",
        "unrestricted on 2026-11-01 02:01",
        "all customers",
        "7 affected",
        "CFQ7TTC0LH18:0001, P1Y Annual",
        "renew to: nothing, was A:1",
        "failed: timeout",
        "correlation id corr-1",
        "skipped: deadline",
        "plan not registered (inventory) 1",
    ):
        assert words in text, words


def test_the_report_of_an_incomplete_night_begins_with_that(page: str) -> None:
    text = " ".join(Shape(page).text.split())
    assert (
        "contoso-eu is incomplete. 40.0% of its checks have no answer (1 failed, 1 skipped)" in text
    )
    assert "1 key of 1 customer flipped at once: asked twice, held until" in text
    assert text.index("is incomplete") < text.index("newly restricted")


def test_a_masked_report_names_no_customer(store: FolderStore) -> None:
    masked = html.report(store, mask=True)
    for secret in ("Acme", "Bond", "Coho", ACME, BOND, COHO, ".example", "sub-1", "sub-2"):
        assert secret not in masked, secret
    assert "customer-" in masked
    assert "Customers are hidden" in masked
    assert masked == html.report(store, mask=True)


def test_the_report_of_an_empty_store_says_what_to_do(tmp_path: Path) -> None:
    text = Shape(html.report(make(tmp_path))).text
    assert "Nothing has been published yet" in text
    assert "auditor run" in text
    assert "Newly restricted" not in text


def test_the_first_night_is_a_baseline_and_not_a_night_without_changes(tmp_path: Path) -> None:
    text = Shape(html.report(night_1(tmp_path))).text
    assert "This is the baseline." in text
    assert "Nothing changed" not in text
    assert "Every check was answered." in text


def test_the_report_of_a_night_without_changes_says_so(tmp_path: Path) -> None:
    lake = night_1(tmp_path)
    publish(lake, "20261102T020000Z-00000b", at(2), {"coverage": [cover(ACME, "DE")]})
    text = Shape(html.report(lake)).text
    assert "Nothing changed." in text
    assert "baseline." not in text


def test_a_night_without_answers_is_not_a_night_without_changes(tmp_path: Path) -> None:
    lake = make(tmp_path)
    row = {
        "check_id": "x",
        "kind": "inventory",
        "customer_id": ACME,
        "country": "DE",
        "outcome": "failed",
        "reason": "timeout",
        "attempts": 5,
    }
    relations = {"coverage": [cover(ACME, "DE", status="failed")], "check_outcome": [row]}
    publish(lake, FIRST, at(1), relations, status="incomplete", checks_failed=1, calls=5)
    text = " ".join(Shape(html.report(lake)).text.split())
    assert "contoso-eu is incomplete. 100.0% of its checks have no answer" in text
    assert "failed: timeout" in text
    assert "1 failed" in text


def test_the_report_of_an_old_snapshot_shows_only_that_snapshot(store: FolderStore) -> None:
    text = Shape(html.report(store, FIRST)).text
    assert f"snapshot {FIRST}" in text
    assert "This is the baseline." in text
    assert "Renewals at risk" not in text
