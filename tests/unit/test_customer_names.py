"""The one rule by which a customer is found."""

import unicodedata
from typing import Literal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from auditor.customer_names import CustomerName, ambiguous, as_id, comparable, matching, unknown

FIRST, SECOND = "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d", "65543400-f8b0-4783-8530-6d35ab8c6801"
ACME = CustomerName(customer_id=FIRST, company_name="Acme", domain="acme.example")
BOND = CustomerName(customer_id=SECOND, company_name="Bond", domain="bond.example")
Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
FORMS: list[Form] = ["NFC", "NFD", "NFKC", "NFKD"]
names = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
latin = st.text(
    st.characters(max_codepoint=0x17F, categories=["L", "N", "Zs"]), min_size=1, max_size=12
)


def company(name: str, customer_id: str = FIRST) -> CustomerName:
    return CustomerName(customer_id=customer_id, company_name=name)


@given(names, st.sampled_from(FORMS), st.text(" \u00a0\u3000", max_size=3))
def test_a_name_matches_itself_in_every_form_and_with_spaces_around(
    name: str, form: Form, spaces: str
) -> None:
    assume(comparable(name))
    written = spaces + unicodedata.normalize(form, name) + spaces
    assert matching(written, [company(name), BOND]) == (FIRST,)
    assert comparable(comparable(name)) == comparable(name)


@given(latin)
def test_letter_case_does_not_count(name: str) -> None:
    assume(comparable(name))
    assume("\u0131" not in name)  # its capital is another letter: see below
    for written in (name.upper(), name.lower(), name.title(), name.swapcase()):
        assert matching(written, [company(name)]) == (FIRST,)


@given(names, names)
def test_ascii_and_other_texts_follow_the_same_rule(name: str, other: str) -> None:
    """The short way for ASCII gives what the long way gives."""
    ascii_only = name.encode("ascii", "ignore").decode()
    assume(other.encode("ascii", "ignore").decode() != other)
    assert comparable(f"{ascii_only}x{other}").startswith(comparable(f"{ascii_only}x"))


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Straße AG", "STRASSE AG"),
        ("STRAẞE AG", "strasse ag"),
        ("İstanbul", "i̇stanbul"),
        ("Café", "CAFE\u0301"),
        ("Å", "A\u030a"),
        ("\u212b", "å"),
        ("ΟΔΟΣ", "οδος"),
        ("οδός", "ΟΔΌΣ"),
        ("\uff23ontos\uff4f", "contoso"),
        ("ｶﾞｽ", "ガス"),
        ("Contoso\u00a0Ltd", "contoso ltd "),
        ("Contoso", " Contoso"),
    ],
)
def test_these_are_one_name(name: str, other: str) -> None:
    assert matching(name, [company(other)]) == matching(other, [company(name)]) == (FIRST,)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("İstanbul", "Istanbul"),
        ("\u0131s\u0131", "isi"),
        ("Café", "Cafe"),
        ("Contoso Ltd", "ContosoLtd"),
        ("Contoso", "Contoso GmbH"),
        ("", ""),
        (" ", ""),
    ],
)
def test_these_are_two_names(name: str, other: str) -> None:
    assert matching(name, [company(other)]) == matching(other, [company(name)]) == ()


@pytest.mark.parametrize("name", [FIRST, FIRST.upper(), f" {FIRST} ", "ACME.example", "acme"])
def test_a_customer_is_an_id_a_domain_or_a_company_name(name: str) -> None:
    assert matching(name, [BOND, ACME]) == (FIRST,)


def test_an_id_is_never_ambiguous() -> None:
    """Not even where a company is called like another customer's id."""
    assert matching(FIRST, [ACME, company(FIRST, SECOND)]) == (FIRST,)
    assert matching(FIRST, [company(FIRST, SECOND)]) == ()
    assert (as_id(FIRST.upper()), as_id("acme"), as_id("x" * 36)) == (FIRST, "", "")


def test_who_has_the_name_as_company_and_who_as_domain_are_two() -> None:
    other = CustomerName(customer_id=SECOND, company_name="B", domain="ACME")
    assert matching("Acme", [ACME, other, ACME]) == tuple(sorted([FIRST, SECOND]))


def test_two_that_match_are_refused_with_both_ids() -> None:
    error = ambiguous("Acme", [FIRST, SECOND])
    assert (error.exit_status, error.error_code) == (64, "E_USAGE")
    assert FIRST in error.message
    assert SECOND in error.message
    assert FIRST in error.hint


def test_an_unknown_name_is_told_with_the_nearest() -> None:
    error = unknown(["Amce", "x"], [BOND, ACME])
    assert (error.exit_status, error.error_code) == (64, "E_CUSTOMER_UNKNOWN")
    assert error.message == "no customer 'Amce', 'x'"
    assert "'Acme'" in error.hint
    assert "domain" in unknown(["zzz"], [BOND, ACME]).hint
    assert "domain" in unknown(["zzz"], []).hint
