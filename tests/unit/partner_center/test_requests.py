"""Requests have the path and parameters of the documents; an invalid id is never in a path."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import Rejected
from auditor.model import ApiClass, Request
from auditor.partner_center import requests
from auditor.partner_center.requests import InventoryContext

GUID = "3A231FBE-37FE-4410-93FD-730D3D5D4C75"
LOWER = GUID.lower()

BUILT: list[tuple[Request, str, dict[str, str]]] = [
    (requests.customers(), "/v1/customers", {"size": "500"}),
    (requests.customer(GUID), f"/v1/customers/{LOWER}", {}),
    (requests.subscriptions(GUID), f"/v1/customers/{LOWER}/subscriptions", {}),
    (requests.subscription(GUID, GUID), f"/v1/customers/{LOWER}/subscriptions/{LOWER}", {}),
    (
        requests.azure_entitlements(GUID, "plan"),
        f"/v1/customers/{LOWER}/subscriptions/plan/azureEntitlements",
        {},
    ),
    (
        requests.registration_status(GUID, "plan"),
        f"/v1/customers/{LOWER}/subscriptions/plan/registrationstatus",
        {},
    ),
    (
        requests.products("us", "AzureReservationsVM", "", "AzurePlan"),
        "/v1/products",
        {"country": "US", "targetView": "AzureReservationsVM", "reservationScope": "AzurePlan"},
    ),
    (requests.product("DE", "P"), "/v1/products/P", {"country": "DE"}),
    (
        requests.skus("DE", "P", "nonprofit", ""),
        "/v1/products/P/skus",
        {"country": "DE", "targetSegment": "nonprofit"},
    ),
    (
        requests.sku("DE", "P", "000S", "AzurePlan"),
        "/v1/products/P/skus/000S",
        {"country": "DE", "reservationScope": "AzurePlan"},
    ),
    (
        requests.customer_product(GUID, "P"),
        f"/v1/customers/{LOWER}/products/P",
        {},
    ),
    (requests.customer_skus(GUID, "P"), f"/v1/customers/{LOWER}/products/P/skus", {}),
    (requests.customer_sku(GUID, "P", "0011"), f"/v1/customers/{LOWER}/products/P/skus/0011", {}),
    (
        requests.availability_request("DE", "P", "0011", "commercial", ""),
        "/v1/products/P/skus/0011/availabilities",
        {"country": "DE", "targetSegment": "commercial"},
    ),
    (
        requests.customer_availability_request(GUID, "P", "0011", lifecycle=False),
        f"/v1/customers/{LOWER}/products/P/skus/0011/availabilities",
        {},
    ),
    (
        requests.customer_availability_request(GUID, "P", "0011", lifecycle=True),
        f"/v1/customers/{LOWER}/products/P/skus/0011/availabilities",
        {"IncludeLifeCycleState": "true"},
    ),
]


@pytest.mark.parametrize(("request_", "path", "params"), BUILT, ids=[b[0].endpoint for b in BUILT])
def test_paths_and_parameters(request_: Request, path: str, params: dict[str, str]) -> None:
    assert request_.path == path
    assert dict(request_.params) == params
    assert request_.method == "GET"
    assert request_.customer_id == (LOWER if LOWER in path else "")


def test_an_inventory_check_is_a_post_that_counts_for_the_customer() -> None:
    request = requests.inventory_request(
        "us",
        [("P", "0011"), ("Q", "")],
        InventoryContext(customer_id=GUID, azure_subscription_id=GUID, arm_region="KoreaSouth"),
    )

    assert (request.method, request.path) == ("POST", "/v1/extensions/product/checkInventory")
    assert request.params == (("country", "US"),)
    assert request.customer_id == LOWER
    assert request.api_class is ApiClass.INVENTORY
    assert json.loads(request.body) == {
        "TargetItems": [{"ProductId": "P", "SkuId": "0011"}, {"ProductId": "Q"}],
        "InventoryContext": {
            "customerId": LOWER,
            "azureSubscriptionId": LOWER,
            "armRegionName": "KoreaSouth",
        },
    }


def test_the_replacing_api_gets_the_resource_type() -> None:
    request = requests.inventory_request(
        "US", [("P", "")], InventoryContext(), "VirtualMachines", for_customer=GUID
    )

    assert request.path == "/v1/extensions/product/checkinventorybyresourcetype"
    assert request.params == (("country", "US"), ("resourceType", "VirtualMachines"))
    assert request.customer_id == LOWER
    assert json.loads(request.body)["InventoryContext"] == {}


def test_a_question_of_a_second_round_has_another_key() -> None:
    first, second = (requests.azure_entitlements(GUID, "p", n) for n in range(2))

    assert first.path == second.path
    assert first.key() != second.key()


HOSTILE = ["", "..", ".", "a/b", "%2e%2e", "a\0", "a" * 300, "a b", "a\r\nX: y", "é", "a?b", "a#b"]
BUILDERS: list[Callable[[str], Request]] = [
    requests.customer,
    lambda text: requests.subscription(GUID, text),
    lambda text: requests.product("US", text),
    lambda text: requests.sku("US", "P", text, ""),
    lambda text: requests.customer_availability_request(GUID, "P", text, lifecycle=False),
    lambda text: requests.inventory_request("US", [(text, "")], InventoryContext()),
]


@pytest.mark.parametrize("build", BUILDERS)
@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_an_invalid_id_is_rejected_unsent(build: Callable[[str], Request], text: str) -> None:
    """S9, S19."""
    with pytest.raises(Rejected):
        build(text)


@pytest.mark.parametrize("country", ["", "USA", "U", "1A", "..", "US&x=1"])
def test_an_invalid_country_is_rejected_unsent(country: str) -> None:
    with pytest.raises(Rejected):
        requests.product(country, "P")


@given(st.text(max_size=20))
def test_no_id_adds_a_segment_to_a_path(text: str) -> None:
    """S9."""
    try:
        request = requests.sku("US", "P", text, "")
    except Rejected:
        return
    assert request.path.count("/") == 5
    assert set(request.path) <= set(
        "/-_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    )
