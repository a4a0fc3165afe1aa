"""A row that discovery finds unchanged is not kept in memory twice."""

from auditor.scope.azure_subscriptions import one, some
from tests.builders.scope import customer

KNOWN = customer()


def test_an_unchanged_row_is_the_known_object() -> None:
    found = customer()
    assert found is not KNOWN
    assert one(found, KNOWN) is KNOWN


def test_a_changed_or_new_row_is_the_found_object() -> None:
    found = customer(company_name="Fabrikam Ltd")
    assert one(found, KNOWN) is found
    assert one(found, None) is found


def test_empty_sets_are_one_shared_object() -> None:
    assert some({"a"}) == {"a"}
    assert some(set[str]()) == frozenset()
    assert some(set[str]()) is some(set[str]())
