"""Partner Center's replies become the types of the project's model."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import CommerceSubscription, Sku
from auditor.partner_center import decoding, wire
from auditor.scope import from_wire

SAMPLES = Path(__file__).parents[2] / "samples"
P = "aaaaaaaa-0000-0000-0000-000000000001"
GUID = "65543400-F8B0-4783-8530-6D35AB8C6801"
T = TypeVar("T")


def read(kind: type[T], sent: Mapping[str, object]) -> T:
    return decoding.one(msgspec.json.encode(sent), kind)


# Customers ----------------------------------------------------------------------------------


def test_a_customer_by_id_has_its_country_and_ids_in_one_letter_case() -> None:
    """P28: GUIDs become lower case and countries upper case when they are read."""
    sent = {
        "id": GUID,
        "companyProfile": {"domain": "acme.example", "companyName": "Acme"},
        "relationshipToPartner": "Reseller",
        "associatedPartnerID": "1234567",
        "billingProfile": {"defaultAddress": {"country": "de"}},
    }
    found = from_wire.customer(P, read(wire.Customer, sent))
    assert found.customer_id == GUID.lower()
    assert (found.country, found.relationship, found.reseller_id) == ("DE", "reseller", "1234567")


def test_a_listed_customer_has_the_known_country() -> None:
    found = from_wire.customer(P, read(wire.Customer, {"id": GUID}), "fr")
    assert found.country == "FR"


# What a customer holds ------------------------------------------------------------------


def held(**sent: object) -> CommerceSubscription:
    return from_wire.commerce_subscription(P, "c", read(wire.Subscription, {"id": GUID, **sent}))


@pytest.mark.parametrize(
    ("offer", "name"),
    [
        ("CFQ7TTC0LH18:0001:CFQ7TTC0K971", ("CFQ7TTC0LH18", "0001")),
        ("DZH318Z0BPS6:00E1:DZH318Z0BP04", ("DZH318Z0BPS6", "00E1")),
        ("MS-AZR-0145P", ("", "")),
        ("796b6b5f-613c-4e24-a17c-eba730d49c02", ("", "")),
        ("A:B", ("", "")),
        ("A:B:C:D", ("", "")),
        ("", ("", "")),
    ],
)
def test_an_offer_id_of_three_parts_names_product_and_sku(
    offer: str, name: tuple[str, str]
) -> None:
    found = held(offerId=offer)
    assert (found.product_id, found.sku_id) == name
    assert found.offer_id == offer


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        ("2026-12-14T23:59:59Z", datetime(2026, 12, 14, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-14T23:59:59", datetime(2026, 12, 14, 23, 59, 59, tzinfo=UTC)),
        ("2026-12-15T00:30:00+02:00", datetime(2026, 12, 14, 22, 30, tzinfo=UTC)),
        ("2026-12-14", datetime(2026, 12, 14, tzinfo=UTC)),
        ("9999-12-14T00:00:00Z", None),
        ("2999-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("0001-01-01T00:00:00Z", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_far_future_date_is_no_end_of_a_term(sent: str, ends: datetime | None) -> None:
    assert held(commitmentEndDate=sent).term_ends_at == ends


texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=30)


@given(texts | st.datetimes().map(lambda d: d.isoformat() + "+14:00"))
def test_any_text_is_read_as_a_date_or_as_none(sent: str) -> None:
    """P24."""
    end = held(commitmentEndDate=sent).term_ends_at
    assert end is None or end.tzinfo is UTC


OFFER = {"offerId": "CFQ7:0001:X", "termDuration": "P1Y"}
CHANGE = {"productId": "CFQ8", "skuId": "0002", "termDuration": "P3Y"}


@pytest.mark.parametrize(
    ("sent", "action", "next_one"),
    [
        ({"autoRenewEnabled": True}, "renew", ("CFQ7", "0001", "P1Y")),
        (
            {"autoRenewEnabled": True, "renewalTermDuration": "P3Y"},
            "renew",
            ("CFQ7", "0001", "P3Y"),
        ),
        ({"autoRenewEnabled": False}, "unknown", ("", "", "")),
        ({}, "unknown", ("", "", "")),
        ({"status": "Deleted", "autoRenewEnabled": False}, "ends", ("", "", "")),
        ({"status": "expired"}, "ends", ("", "", "")),
        (
            {"autoRenewEnabled": True, "scheduledNextTermInstructions": {"product": CHANGE}},
            "renew",
            ("CFQ8", "0002", "P3Y"),
        ),
        (
            {"scheduledNextTermInstructions": {"product": {"productId": "CFQ8", "skuId": "2"}}},
            "renew",
            ("CFQ8", "2", "P1Y"),
        ),
        (
            {"scheduledNextTermInstructions": {"quantity": 3}},
            "renew",
            ("CFQ7", "0001", "P1Y"),
        ),
    ],
)
def test_the_next_term_is_read_from_the_renewal_settings(
    sent: Mapping[str, object], action: str, next_one: tuple[str, str, str]
) -> None:
    found = held(**OFFER, **sent)
    assert found.end_action == action
    assert (found.next_product_id, found.next_sku_id, found.next_term_duration) == next_one


def test_a_subscription_that_has_ended_has_no_next_term() -> None:
    """A deleted subscription does not renew, even if its flag is still set."""
    found = held(**OFFER, status="deleted", autoRenewEnabled=True)
    assert (found.end_action, found.next_product_id, found.next_sku_id) == ("ends", "", "")


def test_the_recorded_list_is_read() -> None:
    """A reply of 2018: it has no links in its envelope, a byte order mark, and GUIDs as offers."""
    body = (SAMPLES / "customer_subscriptions_list.json").read_bytes()
    for sent in decoding.collection(body, wire.Subscription).items:
        found = from_wire.commerce_subscription(P, "c", sent)
        assert found.commerce_subscription_id == sent.id.lower()
        assert found.status in {"active", "suspended", "deleted", "none", "expired"}


# Azure subscriptions ------------------------------------------------------------------------


def test_an_entitlement_is_read_as_an_azure_subscription_of_its_plan() -> None:
    plan = held(offerId="DZH318Z0BPS6:0001:X", partnerId="77")
    sent = {"id": GUID, "friendlyName": "Prod", "status": "Active"}
    found = from_wire.azure_subscription(plan, read(wire.AzureEntitlement, sent), "Registered")
    assert found.azure_subscription_id == GUID.lower()
    assert (found.plan_id, found.customer_id, found.reseller_id) == (GUID.lower(), "c", "77")
    assert (found.status, found.registration_status) == ("active", "Registered")


@pytest.mark.parametrize(("entitlement", "expected"), [("AAAA", "aaaa"), ("", GUID.lower())])
def test_a_legacy_azure_offer_is_a_subscription(entitlement: str, expected: str) -> None:
    sent = read(
        wire.Subscription,
        {"id": GUID, "offerId": "ms-azr-0145p", "entitlementId": entitlement, "status": "active"},
    )
    of = from_wire.commerce_subscription(P, "c", sent)
    found = from_wire.legacy_azure_subscription(of, sent)
    assert found is not None
    assert (found.azure_subscription_id, found.plan_id) == (expected, GUID.lower())


def test_another_offer_is_not_a_legacy_azure_subscription() -> None:
    sent = read(wire.Subscription, {"id": GUID, "offerId": "CFQ7:0001:X"})
    assert (
        from_wire.legacy_azure_subscription(from_wire.commerce_subscription(P, "c", sent), sent)
        is None
    )


# SKUs ---------------------------------------------------------------------------------------


def sku(**attributes: object) -> Sku:
    sent = {"id": "00G1", "productId": "DZH1", "title": "T", "dynamicAttributes": attributes}
    return from_wire.sku(P, "DE", "AzurePlan", "Product", read(wire.Sku, sent))


def test_the_sku_in_the_documents_is_read() -> None:
    """Seed 3: a reservation with inventory variables and a region in unusual letter case."""
    read_one = decoding.one((SAMPLES / "sku_reservation.json").read_bytes(), wire.Sku)
    found = from_wire.sku(P, "US", "", "Product", read_one)
    assert found.inventory_variables == "AzureSubscriptionId;CustomerId"
    assert "InventoryCheck" in found.purchase_prerequisites.split(";")
    assert found.region == found.arm_region_name.lower()
    assert (found.sku_id, found.product_id) == (read_one.id, read_one.product_id)


def test_a_region_has_a_lower_case_form_and_the_catalogs_spelling() -> None:
    found = sku(armRegionName="KoreaSouth", region="KR South")
    assert (found.region, found.arm_region_name) == ("koreasouth", "KoreaSouth")
    assert found.region_name == "KR South"


@pytest.mark.parametrize(
    ("sent", "cores", "ram"),
    [
        ({"cores": "4", "ram": "16"}, 4, 16.0),
        ({"vCpu": 8, "ram": 3.5}, 8, 3.5),
        ({"cores": "many", "ram": "?"}, None, None),
        ({"cores": None, "ram": None}, None, None),
        ({"cores": "²", "ram": "1e400"}, None, None),
        ({"cores": "9" * 30, "ram": "nan"}, None, None),
        ({"cores": True, "ram": ["1"]}, None, None),
        ({"cores": "-1", "ram": ""}, None, None),
    ],
)
def test_an_unreadable_attribute_is_left_empty(
    sent: Mapping[str, object], cores: int | None, ram: float | None
) -> None:
    """P26: attributes can change without notice."""
    found = sku(**sent)
    assert (found.cores, found.ram_gb) == (cores, ram)


@pytest.mark.parametrize(
    ("sent", "iso"),
    [
        ("3Years", "P3Y"),
        ("1Year", "P1Y"),
        ("1Month", "P1M"),
        ("30days", "P30D"),
        ("P3Y", "P3Y"),
        ("for ever", "for ever"),
        (None, ""),
    ],
)
def test_durations_are_iso(sent: object, iso: str) -> None:
    assert sku(duration=sent).term_duration == iso


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=9))
def test_ids_stay_text(name: str) -> None:
    """P28: `0011`, `00E1` and `NO` are ids."""
    found = from_wire.sku(P, "DE", "", "", read(wire.Sku, {"id": name, "productId": name}))
    assert (found.sku_id, found.product_id) == (name, name)


def test_each_variable_is_stored_once_and_sorted() -> None:
    sent = {"id": "1", "productId": "P", "inventoryVariables": ["CustomerId", "A", "CustomerId"]}
    assert (
        from_wire.sku(P, "DE", "", "", read(wire.Sku, sent)).inventory_variables == "A;CustomerId"
    )
