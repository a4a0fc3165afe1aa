"""Documented and recorded bodies are read, and invalid items are recognised."""

import json
from pathlib import Path

import pytest

from auditor.partner_center import bodies, decoding, wire

SAMPLES = Path(__file__).parents[2] / "samples"
RESTRICTED = b'{"productId":"P","skuId":"0011","isRestricted":true,"restrictions":[]}'


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


@pytest.mark.parametrize("name", ["inventory_2023.json", "inventory_2019.json"])
def test_documented_inventory_is_read(name: str) -> None:
    items = decoding.inventory_answer(sample(name)).items

    assert [(i.sku_id, i.is_restricted) for i in items] == [
        ("0039", True),
        ("0038", True),
        ("000S", False),
        ("0011", False),
    ]
    [restriction] = items[0].restrictions
    assert restriction.reason_code == "NotAvailableForSubscription"
    assert restriction.properties == {"type": "Location", "values": "japanwest"}


def test_the_body_of_an_inventory_check_is_that_of_the_documents() -> None:
    body = bodies.inventory_check(
        [("DZH318Z0BQ3P", "")],
        customer_id="d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d",
        azure_subscription_id="3A231FBE-37FE-4410-93FD-730D3D5D4C75",
        arm_region="Europe",
    )

    assert body == (
        b'{"TargetItems":[{"ProductId":"DZH318Z0BQ3P"}],"InventoryContext":'
        b'{"customerId":"d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d",'
        b'"azureSubscriptionId":"3A231FBE-37FE-4410-93FD-730D3D5D4C75","armRegionName":"Europe"}}'
    )


def test_an_empty_field_is_left_out_of_the_body() -> None:
    body = bodies.inventory_check([("P", "0001")], customer_id="c")

    assert json.loads(body) == {
        "TargetItems": [{"ProductId": "P", "SkuId": "0001"}],
        "InventoryContext": {"customerId": "c"},
    }


def test_an_availability_shaped_like_a_sku_has_no_is_purchasable() -> None:
    [availability] = decoding.availabilities(sample("availability_azure_plan.json"))

    assert availability.is_purchasable is None
    assert availability.product_id == "DZH318Z0BPS6"
    assert not availability.lifecycle


def test_an_availability_with_repeated_links_is_read_and_counted() -> None:
    [availability] = decoding.availabilities(sample("availability_new_commerce_cut.json"))

    assert availability.repeated_keys == 1
    assert availability.is_purchasable is True
    assert availability.currency == "USD"
    assert availability.terms[0].billing_cycle == "Annual"
    assert availability.renewal_instructions[0].renewal_options[0].renew_to_id == (
        "CFQ7TTC0LH18:0001"
    )
    assert availability.raw.encode() == sample("availability_new_commerce_cut.json")


@pytest.mark.parametrize(
    "name", ["availability_new_commerce.not.json", "sku_new_commerce.not.json"]
)
def test_samples_with_omissions_are_malformed(name: str) -> None:
    with pytest.raises(decoding.Malformed):
        decoding.availabilities(sample(name))
    with pytest.raises(decoding.Malformed):
        decoding.one(sample(name), wire.Sku)


def test_an_availability_from_before_new_commerce_is_read() -> None:
    [availability] = decoding.availabilities(sample("availability_by_id_DZH318Z0RFQB_US.json"))

    assert availability.is_purchasable is True
    assert availability.is_renewable is None
    assert availability.terms == ()


@pytest.mark.parametrize("shape", ["%s", "[%s]", '{"totalCount":1,"items":[%s]}'])
def test_availabilities_are_read_in_three_shapes(shape: str) -> None:
    sent = '{"id":"A","skuId":"0001","isPurchasable":false,"defaultCurrency":"EUR"}'

    [availability] = decoding.availabilities((shape % sent).encode())

    assert availability.is_purchasable is False
    assert availability.currency == "EUR"
    assert availability.raw == sent


def test_unknown_fields_are_kept_in_sorted_order() -> None:
    [availability] = decoding.availabilities(
        b'{"id":"A","skuId":"0001","segment":null,"zeta":[1],"alpha":{"b":1,"a":2},"links":{}}'
    )

    assert availability.lifecycle == '{"alpha":{"a":2,"b":1},"zeta":[1]}'
    assert availability.segment == ""


def test_recorded_subscriptions_are_read_with_their_byte_order_mark() -> None:
    listed = decoding.collection(sample("customer_subscriptions_list.json"), wire.Subscription)

    assert listed.total_count == 2
    assert [s.offer_id for s in listed.items] == [
        "MS-AZR-0145P",
        "BD938F12-058F-4927-BBA3-AE36B1D2501C",
    ]
    assert listed.items[0].commitment_end_date == "9999-12-14T00:00:00Z"


def test_the_recorded_product_is_read() -> None:
    product = decoding.one(sample("product_by_id_DZH318Z0BQ4C_US.json"), wire.Product)

    assert (product.id, product.product_type.id) == ("DZH318Z0BQ4C", "Azure")


def test_documented_skus_are_read() -> None:
    reservation = decoding.one(sample("sku_reservation.json"), wire.Sku)
    licence = decoding.one(sample("sku_new_commerce_cut.json"), wire.Sku)

    assert reservation.purchase_prerequisites == ("AzureSubscriptionRegistration", "InventoryCheck")
    assert reservation.inventory_variables == ("CustomerId", "AzureSubscriptionId")
    assert reservation.dynamic_attributes["armRegionName"] == "westus2"
    assert licence.dynamic_attributes["isAddon"] is False


def test_a_null_counts_as_an_absent_field() -> None:
    customer = decoding.one(
        b'{"id":"C","companyProfile":null,"associatedPartnerID":"7","billingProfile":'
        b'{"defaultAddress":{"country":"de"}}}',
        wire.Customer,
    )

    assert (customer.reseller_id, customer.country) == ("7", "de")
    assert customer.company_profile.domain == ""


def test_a_null_among_items_is_not_passed_over() -> None:
    assert len(decoding.collection(b'{"items":[null]}', wire.Sku).spoiled) == 1
    assert len(decoding.inventory_answer(b"[null," + RESTRICTED + b"]").spoiled) == 1


def test_a_scheduled_change_names_the_next_sku() -> None:
    subscription = decoding.one(
        b'{"id":"S","scheduledNextTermInstructions":{"product":'
        b'{"productId":"P","skuId":"0002","termDuration":"P1Y"},"quantity":3}}',
        wire.Subscription,
    )

    assert subscription.scheduled_next_term_instructions is not None
    assert subscription.scheduled_next_term_instructions.product.sku_id == "0002"


@pytest.mark.parametrize(
    "item",
    [
        b'{"productId":"P","skuId":"1","isRestricted":"false"}',
        b'{"productId":"P","skuId":"1","isRestricted":0}',
        b'{"productId":"P","skuId":"1","isRestricted":null}',
        b'{"productId":"P","skuId":"1"}',
        b'{"productId":"P","skuId":11,"isRestricted":true}',
        b'{"skuId":"1","isRestricted":true}',
        b'{"productId":"P","isRestricted":true,"isRestricted":false}',
        b'{"productId":"P","isRestricted":true,"isRestr\\u0069cted":false}',
        b'{"productId":"P","isRestricted":true,"restrictions":[],"restrictions":[]}',
    ],
)
def test_a_spoiled_item_does_not_affect_the_others(item: bytes) -> None:
    """P26, P27."""
    body = b"[" + item + b"," + RESTRICTED + b"]"

    answer = decoding.inventory_answer(body)

    assert [i.sku_id for i in answer.items] == ["0011"]
    assert len(answer.spoiled) == 1


@pytest.mark.parametrize(
    ("item", "names"),
    [
        (b'{"productId":"P","skuId":"1","isRestricted":"false"}', ("P", "1")),
        (b'{"productId":"P","isRestricted":true,"isRestricted":false}', ("P", "")),
        (b'{"productId":"P","skuId":11,"isRestricted":true}', None),
        (b'{"productId":"P","skuId":"1","skuId":"2","isRestricted":true}', None),
        (b"1", None),
    ],
)
def test_a_spoiled_item_names_its_key_if_its_ids_are_valid(
    item: bytes, names: tuple[str, str] | None
) -> None:
    [spoiled] = decoding.inventory_answer(b"[" + item + b"]").spoiled

    assert spoiled.names == names


def test_a_repeated_key_that_does_not_decide_is_counted() -> None:
    """P27."""
    answer = decoding.inventory_answer(
        b'[{"productId":"P","isRestricted":true,"restrictions":'
        b'[{"reasonCode":"A","reasonCode":"B","description":"","properties":{}}]}]'
    )

    assert answer.repeated_keys == 1
    assert answer.items[0].restrictions[0].reason_code == "B"


def test_new_reasons_and_properties_are_kept() -> None:
    """P26."""
    [item] = decoding.inventory_answer(
        b'[{"productId":"P","isRestricted":true,"new":1,"restrictions":[{"reasonCode":"QuotaId",'
        b'"properties":{"type":"Term","values":["P5Y"],"else":{"a":1}}}]}]'
    ).items

    assert item.restrictions[0].properties == {
        "type": "Term",
        "values": ["P5Y"],
        "else": {"a": 1},
    }


def test_an_escaped_backslash_before_u0000_is_not_a_nul() -> None:
    body = b'{"id":"65543400-F8B0-4783-8530-6D35AB8C6801","offerName":"C:\\\\u0000"}'

    assert decoding.one(body, wire.Subscription).offer_name == "C:\\u0000"
