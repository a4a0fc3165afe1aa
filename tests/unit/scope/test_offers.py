"""What kind of thing a subscription is, by its offer."""

import pytest

from auditor.plan.markets import WITHOUT_RESERVATIONS
from auditor.scope import offers
from tests.builders.scope import held, legacy_azure, licence, plan, sku


@pytest.mark.parametrize(
    ("prerequisites", "expected"),
    [
        ("InventoryCheck", True),
        ("AzureSubscriptionRegistration;InventoryCheck", True),
        ("", False),
        ("InventoryCheckNot", False),
        ("AzureSubscriptionRegistration", False),
    ],
)
def test_a_sku_that_needs_an_inventory_check_is_a_reservation(
    prerequisites: str, *, expected: bool
) -> None:
    assert offers.is_reservation(sku(prerequisites=prerequisites)) is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [("active", True), ("Active", True), ("", True), ("suspended", False), ("deleted", False)],
)
def test_a_subscription_without_a_status_counts_as_active(status: str, *, expected: bool) -> None:
    assert offers.is_active(status) is expected


def test_a_licence_names_a_product_and_a_sku_and_is_no_azure_plan() -> None:
    assert offers.is_licence(licence("l"))
    assert offers.is_licence(held("l", offer="CFQ7:0001:X"))
    assert not offers.is_licence(plan())
    assert not offers.is_licence(legacy_azure())
    assert not offers.is_licence(held("l", offer="796b6b5f-613c-4e24-a17c-eba730d49c02"))
    assert not offers.is_licence(held("l", offer="DG7G:0001:X", product_type="Software"))


def test_is_other_by_type_is_true_if_only_the_type_excludes_a_licence() -> None:
    assert offers.is_other_by_type(held("l", offer="DG7G:0001:X", product_type="Software"))
    assert not offers.is_other_by_type(licence("l"))
    assert not offers.is_other_by_type(plan())
    assert not offers.is_other_by_type(held("l", offer="MS-AZR-0145P", product_type="Azure"))


def test_a_legacy_licence_names_no_product_and_no_sku() -> None:
    assert offers.is_legacy_licence(held("l", offer="796b6b5f-613c-4e24-a17c-eba730d49c02"))
    assert offers.is_legacy_licence(held("l"))
    assert not offers.is_legacy_licence(legacy_azure())
    assert not offers.is_legacy_licence(held("l", offer="ms-azr-0145p"))
    assert not offers.is_legacy_licence(licence("l"))
    assert not offers.is_legacy_licence(plan())


def test_a_legacy_azure_offer_has_its_own_reservation_scope() -> None:
    assert offers.scope_of(plan()) == "AzurePlan"
    assert offers.scope_of(None) == "AzurePlan"
    assert offers.scope_of(legacy_azure()) == ""


def test_the_markets_without_reservations_are_iso_codes() -> None:
    """The documents list each place of BQ (Bonaire, Saba, Sint Eustatius) and SJ separately."""
    assert {"BR", "CN", "RU", "BQ", "SJ"} <= WITHOUT_RESERVATIONS
    assert WITHOUT_RESERVATIONS.isdisjoint({"DE", "FR", "US", "GB", "JP"})
    assert all(len(code) == 2 and code.isupper() for code in WITHOUT_RESERVATIONS)
