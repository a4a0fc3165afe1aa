"""What an offer says of the thing held."""

import pytest

from auditor.plan.markets import WITHOUT_RESERVATIONS
from auditor.scope import offers
from tests.builders.scope import held, legacy_azure, licence, plan, sku


@pytest.mark.parametrize(
    ("prerequisites", "is_one"),
    [
        ("InventoryCheck", True),
        ("AzureSubscriptionRegistration;InventoryCheck", True),
        ("", False),
        ("InventoryCheckNot", False),
        ("AzureSubscriptionRegistration", False),
    ],
)
def test_a_reservation_is_what_asks_for_an_inventory_check(
    prerequisites: str, *, is_one: bool
) -> None:
    assert offers.is_reservation(sku(prerequisites=prerequisites)) is is_one


@pytest.mark.parametrize(
    ("status", "is_one"),
    [("active", True), ("Active", True), ("", True), ("suspended", False), ("deleted", False)],
)
def test_a_reply_without_a_status_is_taken_as_active(status: str, *, is_one: bool) -> None:
    assert offers.is_active(status) is is_one


def test_a_licence_names_product_and_sku_and_is_no_azure_plan() -> None:
    assert offers.is_licence(licence("l"))
    assert offers.is_licence(held("l", offer="CFQ7:0001:X"))
    assert not offers.is_licence(plan())
    assert not offers.is_licence(legacy_azure())
    assert not offers.is_licence(held("l", offer="796b6b5f-613c-4e24-a17c-eba730d49c02"))
    assert not offers.is_licence(held("l", offer="DG7G:0001:X", product_type="Software"))


def test_what_only_its_type_tells_from_a_licence_is_remembered_with_it() -> None:
    assert offers.is_other_by_type(held("l", offer="DG7G:0001:X", product_type="Software"))
    assert not offers.is_other_by_type(licence("l"))
    assert not offers.is_other_by_type(plan())
    assert not offers.is_other_by_type(held("l", offer="MS-AZR-0145P", product_type="Azure"))


def test_a_legacy_licence_names_none() -> None:
    assert offers.is_legacy_licence(held("l", offer="796b6b5f-613c-4e24-a17c-eba730d49c02"))
    assert offers.is_legacy_licence(held("l"))
    assert not offers.is_legacy_licence(legacy_azure())
    assert not offers.is_legacy_licence(held("l", offer="ms-azr-0145p"))
    assert not offers.is_legacy_licence(licence("l"))
    assert not offers.is_legacy_licence(plan())


def test_a_legacy_azure_offer_buys_outside_the_azure_plans_scope() -> None:
    assert offers.scope_of(plan()) == "AzurePlan"
    assert offers.scope_of(None) == "AzurePlan"
    assert offers.scope_of(legacy_azure()) == ""


def test_the_markets_without_reservations_are_iso_codes() -> None:
    """The documents name Bonaire, Saba and Sint Eustatius apart, and Svalbard and Jan Mayen."""
    assert {"BR", "CN", "RU", "BQ", "SJ"} <= WITHOUT_RESERVATIONS
    assert WITHOUT_RESERVATIONS.isdisjoint({"DE", "FR", "US", "GB", "JP"})
    assert all(len(code) == 2 and code.isupper() for code in WITHOUT_RESERVATIONS)
