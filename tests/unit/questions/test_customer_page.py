"""One customer on one page: no section hides what is not known, and nobody else is in it."""

import io
import json
from collections.abc import Callable
from typing import TextIO

import pytest

from auditor.questions.customer_page import CustomerPage, customer_page
from auditor.report import customer_page as page
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import two_nights
from tests.builders.store_lake import ACME, BOND, COHO, at


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("page"))


def text(found: CustomerPage, write: Callable[[CustomerPage, TextIO], None]) -> str:
    stream = io.StringIO()
    write(found, stream)
    return " ".join(stream.getvalue().split())


def test_the_page_says_what_is_restricted_why_and_what_to_do(store: FolderStore) -> None:
    said = text(customer_page(store, "acme.example", at(3)), page.write_terminal)
    assert "restricted [1] 2026-11-02" in said
    assert "[1] NotAvailableForSubscription: " in said
    assert "Microsoft does not offer this SKU to this Azure subscription" in said
    assert "1 of 1 renewal within 90 days at risk" in said
    assert "newly restricted" in said
    assert said.endswith(page.PROMISE)


def test_a_failed_check_is_said_where_it_could_be_taken_for_nothing(store: FolderStore) -> None:
    said = text(customer_page(store, BOND, at(3)), page.write_terminal)
    assert "Not known: 1 of 1 keys are stale, 2 checks without an answer." in said
    assert "restricted (stale" in said
    assert "The run had no time left to ask." in said


def test_a_customer_without_rows_has_no_empty_section(store: FolderStore) -> None:
    said = text(customer_page(store, COHO, at(3)), page.write_terminal)
    assert "Nothing that was answered is restricted." in said
    assert "not registered for reservations" in said


def test_an_e_mail_holds_nothing_of_other_customers(store: FolderStore) -> None:
    said = text(customer_page(store, ACME, at(3)), page.write_markdown)
    assert said.startswith("## Acme")
    assert not {"Bond", "Coho", BOND, COHO} & set(said.replace("|", " ").split())


def test_a_ticket_is_one_object(store: FolderStore) -> None:
    stream = io.StringIO()
    page.write_json(customer_page(store, ACME, at(3)), stream)
    found = json.loads(stream.getvalue())
    assert found["customer_id"] == ACME
    assert {row["verdict"] for row in found["cannot_be_bought"]} == {
        "restricted",
        "not_in_catalog",
        "not_purchasable",
    }
    assert len(found["renewals"]) == 1
