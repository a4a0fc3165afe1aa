"""What discovery finds as it was is not held twice."""

from auditor.scope.azure_subscriptions import one, some
from tests.builders.scope import customer

KNOWN = customer()


def test_what_is_the_same_is_the_one_that_is_known() -> None:
    found = customer()
    assert found is not KNOWN
    assert one(found, KNOWN) is KNOWN


def test_what_changed_or_is_new_is_what_was_found() -> None:
    found = customer(company_name="Fabrikam Ltd")
    assert one(found, KNOWN) is found
    assert one(found, None) is found


def test_what_is_empty_is_made_once() -> None:
    assert some({"a"}) == {"a"}
    assert some(set[str]()) == frozenset()
    assert some(set[str]()) is some(set[str]())
