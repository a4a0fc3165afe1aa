"""Answers the endpoints of customers, their subscriptions and their Azure subscriptions."""

import base64
import binascii

import msgspec

from auditor.sandbox.answers import problems, shapes
from auditor.sandbox.answers.calls import GUID, Call
from auditor.sandbox.answers.reply import SandboxReply, collection, whole
from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import CommerceSubscription, Customer
from auditor.sandbox.world.state import NightState

LARGEST_PAGE = 500


def customer_of(state: NightState, call: Call, customer_id: str) -> Customer:
    """Return a customer of the calling partner; refuse any other customer."""
    wanted = customer_id.lower()
    if GUID.fullmatch(wanted) is None:
        raise problems.invalid_customer(customer_id)
    customer = state.portfolio.customer_by_id.get(wanted)
    tenant = call.partner.partner_tenant_id if call.partner else ""
    if customer is None or customer.partner_tenant_id != tenant or wanted in state.absent:
        raise problems.no_relationship()
    return customer


def buyer_of(state: NightState, call: Call, customer_id: str) -> Customer:
    """Return a reseller customer; refuse customers without commerce resources."""
    customer = customer_of(state, call, customer_id)
    if not state.is_sold_to(customer):
        raise problems.no_relationship()
    return customer


def list_customers(state: NightState, call: Call) -> SandboxReply:
    """Return one page. The next link works only with the header that the link names."""
    size = _page_size(call.query.get("size"))
    after = -1
    if "seekoperation" in call.query or "MS-ContinuationToken" in call.headers:
        if call.query.get("seekoperation", "").lower() != "next":
            raise problems.invalid_property("seekOperation", call.query.get("seekoperation", ""))
        after = _read_token(call.headers.get("MS-ContinuationToken", ""))
    tenant = call.partner.partner_tenant_id if call.partner else ""
    found = [
        (place, customer)
        for place, customer in enumerate(state.portfolio.customers_of[tenant])
        if place > after and customer.customer_id not in state.absent
    ]
    page = found[:size]
    items = [msgspec.json.encode(shapes.customer_item(state, one)) for _, one in page]
    seed = state.portfolio.seed
    links: shapes.Json = {"self": shapes.link(f"/customers?size={size}")}
    if len(found) > size:
        last = page[-1][0]
        prefix = "/v1" if seeded.number(seed, "next", tenant, last, state.night) % 2 else ""
        links["next"] = {
            "uri": f"{prefix}/customers?size={size}&seekOperation=Next",
            "method": "GET",
            "headers": [{"key": "MS-ContinuationToken", "value": _token(last)}],
        }
    return collection(items, links)


def _page_size(text: str | None) -> int:
    if text is None:
        return LARGEST_PAGE
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise problems.invalid_property("size", text)
    return min(int(text), LARGEST_PAGE)


def _token(last: int) -> str:
    return base64.urlsafe_b64encode(f"after:{last}".encode()).decode()


def _read_token(token: str) -> int:
    try:
        word, _, place = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "after":
            return int(place)
    except (binascii.Error, ValueError):
        pass
    raise problems.invalid_property("MS-ContinuationToken", token)


def get_customer(state: NightState, call: Call) -> SandboxReply:
    return whole(shapes.customer_detail(state, customer_of(state, call, call.ids["customer"])))


def list_subscriptions(state: NightState, call: Call) -> SandboxReply:
    customer = buyer_of(state, call, call.ids["customer"])
    items = [
        msgspec.json.encode(shapes.subscription(state, customer, held))
        for held in state.commerce(customer)
    ]
    return collection(items, _some_links(state, call))


def get_subscription(state: NightState, call: Call) -> SandboxReply:
    customer, held = _held(state, call)
    return whole(shapes.subscription(state, customer, held))


def list_entitlements(state: NightState, call: Call) -> SandboxReply:
    """Return the Azure subscriptions of an Azure plan; for other subscriptions, an empty list."""
    _, held = _held(state, call)
    azure = state.azure(held) if held.kind == "azure_plan" else ()
    items = [msgspec.json.encode(shapes.entitlement(state, one)) for one in azure]
    return collection(items, _some_links(state, call))


def get_registration(state: NightState, call: Call) -> SandboxReply:
    _, held = _held(state, call)
    return whole(
        {
            "subscriptionId": shapes.id_in_reply(state, held.commerce_subscription_id, "reg"),
            "status": state.registration(held) or "NotRegistered",
        }
    )


def _held(state: NightState, call: Call) -> tuple[Customer, CommerceSubscription]:
    customer = buyer_of(state, call, call.ids["customer"])
    wanted = call.ids["subscription"].lower()
    for held in state.commerce(customer):
        if held.commerce_subscription_id == wanted:
            return customer, held
    raise problems.subscription_not_found(call.ids["subscription"])


def _some_links(state: NightState, call: Call) -> shapes.Json | None:
    """Return an envelope's links, or none: recorded lists of subscriptions have no links."""
    if seeded.number(state.portfolio.seed, "links", call.path.lower()) % 3 == 0:
        return None
    return {"self": shapes.link(call.path.removeprefix("/v1"))}
