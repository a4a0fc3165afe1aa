"""P36: one odd item of any listing costs itself, through the client and the decoder."""

import copy
import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import UnexpectedReply
from auditor.model import Reply, Request
from auditor.partner_center import decoding, wire
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.decoding import Spoiled
from auditor.partner_center.strict_json import MOST_MENDED, MOST_TOKENS

SAMPLES = Path(__file__).parents[2] / "samples"
NOW = datetime(2026, 11, 21, tzinfo=UTC)
CUSTOMER = "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d"
HERE = "@odd@"
Item = dict[str, Any]
Place = tuple[str, ...]

UNSTORABLE = {
    "NUL": b'"a\\u0000b"',
    "raw NUL": b'"a\0b"',
    "half surrogate": b'"a\\ud800b"',
    "other half": b'"\\\\\\udc00"',
    "halves in the wrong order": b'"\\udc00\\ud800"',
    "encoded surrogate": b'"\xed\xa0\x80"',
    "Latin-1": b'"Caf\xe9"',
    "cut UTF-8": b'"\xf0\x9f\x98"',
    "replaced before": b'"a\\uFFFDb"',
}
OTHER_TYPES = {
    "number": b"1234567",
    "fraction": b"1.5",
    "huge number": b"9" * 400,
    "flag": b"true",
    "object": b'{"a":{"b":[1]}}',
    "list": b"[1]",
}
NO_NUMBERS = {"NaN": b"NaN", "infinity": b"-Infinity"}
NULL = {"null": b"null"}
NOTHING = NULL | NO_NUMBERS
NUMBERS = {"1.0": b"1.0", "text of a number": b'"5"', "text": b'"many"', "too large": b"1e30"}


class Listing(msgspec.Struct, kw_only=True):
    """A listing, or a single object; and what the fields of its items are for."""

    ask: Callable[[PartnerCenter], Awaitable[Any]]
    item: Item
    ids: tuple[Place, ...] = (("id",),)
    deciding: tuple[Place, ...] = ()
    """Texts that decide something and may be absent."""
    free: tuple[Place, ...] = ()
    """Texts that decide nothing."""
    numbers: tuple[Place, ...] = ()
    flags: tuple[Place, ...] = ()
    objects: tuple[Place, ...] = ()
    """Objects that decide nothing."""
    typed: tuple[Place, ...] = ()
    """Objects with an id, which a text in their place is."""
    is_single: bool = False


CUSTOMER_ITEM: Item = {
    "id": "C2",
    "companyProfile": {"tenantId": "C2", "domain": "two.example", "companyName": "Two"},
    "relationshipToPartner": "reseller",
    "associatedPartnerId": "7654321",
}
SUBSCRIPTION: Item = {
    "id": "S2",
    "offerId": "CFQ7:0001:X",
    "offerName": "Offer",
    "friendlyName": "Friendly",
    "productType": {"id": "OnlineServicesNCE", "displayName": "OnlineServicesNCE"},
    "quantity": 5,
    "status": "active",
    "commitmentEndDate": "2027-01-01T00:00:00Z",
    "autoRenewEnabled": True,
    "partnerId": "123",
}
PRODUCT: Item = {"id": "P2", "title": "Two", "productType": {"id": "Azure"}}
SKU: Item = {
    "id": "0002",
    "productId": "P",
    "title": "Two",
    "purchasePrerequisites": ["InventoryCheck"],
    "inventoryVariables": ["CustomerId"],
    "dynamicAttributes": {"armRegionName": "westus2", "ram": "16", "cores": 4},
}
_CUSTOMERS = Listing(
    ask=lambda api: api.customers(),
    item=CUSTOMER_ITEM,
    deciding=(("relationshipToPartner",),),
    free=(
        ("companyProfile", "companyName"),
        ("companyProfile", "domain"),
        ("associatedPartnerId",),
    ),
    objects=(("companyProfile",),),
)
_SUBSCRIPTIONS = Listing(
    ask=lambda api: api.subscriptions(CUSTOMER),
    item=SUBSCRIPTION,
    deciding=(("offerId",), ("status",), ("productType", "id")),
    free=(("offerName",), ("friendlyName",), ("partnerId",), ("commitmentEndDate",)),
    numbers=(("quantity",),),
    flags=(("autoRenewEnabled",),),
    typed=(("productType",),),
)
_PRODUCTS = Listing(
    ask=lambda api: api.products("US", "AzureReservationsVM", "", "AzurePlan"),
    item=PRODUCT,
    free=(("title",),),
    objects=(("productType",),),
    typed=(("productType",),),
)
_SKUS = Listing(
    ask=lambda api: api.skus("US", "P", "", "AzurePlan"),
    item=SKU,
    ids=(("id",), ("productId",)),
    deciding=(("dynamicAttributes", "armRegionName"),),
    free=(("title",), ("dynamicAttributes", "ram"), ("dynamicAttributes", "cores")),
)


def _alone(listing: Listing, ask: Callable[[PartnerCenter], Awaitable[Any]]) -> Listing:
    return msgspec.structs.replace(listing, ask=ask, is_single=True)


LISTINGS = {
    "list_customers": _CUSTOMERS,
    "get_customer": msgspec.structs.replace(
        _alone(_CUSTOMERS, lambda api: api.customer("C2")),
        item=CUSTOMER_ITEM | {"billingProfile": {"defaultAddress": {"country": "DE"}}},
        deciding=(("relationshipToPartner",), ("billingProfile", "defaultAddress", "country")),
    ),
    "list_subscriptions": _SUBSCRIPTIONS,
    "get_subscription": _alone(_SUBSCRIPTIONS, lambda api: api.subscription(CUSTOMER, "s2")),
    "list_azure_entitlements": Listing(
        ask=lambda api: api.azure_entitlements(CUSTOMER, "plan"),
        item={"id": "E2", "friendlyName": "Two", "status": "active", "subscriptionId": "plan"},
        deciding=(("status",),),
        free=(("friendlyName",), ("subscriptionId",)),
    ),
    "get_registration_status": Listing(
        ask=lambda api: api.registration_status(CUSTOMER, "plan"),
        item={"status": "Registered", "subscriptionId": "plan"},
        ids=(("status",),),
        free=(("subscriptionId",),),
        is_single=True,
    ),
    "list_products": _PRODUCTS,
    "get_product": _alone(_PRODUCTS, lambda api: api.product("US", "P2")),
    "get_customer_product": _alone(_PRODUCTS, lambda api: api.customer_product(CUSTOMER, "P2")),
    "list_skus": _SKUS,
    "list_customer_skus": msgspec.structs.replace(
        _SKUS, ask=lambda api: api.customer_skus(CUSTOMER, "P")
    ),
    "get_sku": _alone(_SKUS, lambda api: api.sku("US", "P", "0002", "")),
    "get_customer_sku": _alone(_SKUS, lambda api: api.customer_sku(CUSTOMER, "P", "0002")),
}
READ, APART = "read", "set apart"


def cases() -> list[Any]:
    """Return endpoint, place, kind of oddity, its bytes, and how the item ends."""
    found: list[Any] = []
    for name, listing in LISTINGS.items():
        kinds: list[tuple[Place, dict[str, bytes], str]] = [
            *((place, UNSTORABLE | OTHER_TYPES | NOTHING, APART) for place in listing.ids),
            *((place, UNSTORABLE | OTHER_TYPES | NO_NUMBERS, APART) for place in listing.deciding),
            *((place, NULL | {"new": b'"something_new"'}, READ) for place in listing.deciding),
            *((place, UNSTORABLE | OTHER_TYPES | NOTHING, READ) for place in listing.free),
            *((place, NUMBERS | OTHER_TYPES | NOTHING, READ) for place in listing.numbers),
            *((place, UNSTORABLE | OTHER_TYPES | NOTHING, READ) for place in listing.flags),
            *((place, OTHER_TYPES | NOTHING | UNSTORABLE, READ) for place in listing.objects),
            *((place, NULL | {"text": b'"Azure"'}, READ) for place in listing.typed),
            *(
                (place, OTHER_TYPES | NO_NUMBERS | UNSTORABLE, APART)
                for place in listing.typed
                if place not in listing.objects
            ),
            (("brandNew",), UNSTORABLE | OTHER_TYPES | NOTHING, READ),
        ]
        found += [
            pytest.param(listing, place, token, ends, id=f"{name}-{'.'.join(place)}-{kind}")
            for place, tokens, ends in kinds
            for kind, token in tokens.items()
            # an object in the place of an object is one with new fields
            if not (kind == "object" and place in (*listing.objects, *listing.typed))
        ]
    return found


def put(item: Item, place: Place, value: object) -> Item:
    """Return an item with another value in a place."""
    changed = copy.deepcopy(item)
    inner = changed
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    return changed


def page(listing: Listing, odd: bytes) -> bytes:
    """Return a page with the odd item between two others, or the item alone."""
    if listing.is_single:
        return odd
    one = json.dumps(put(listing.item, listing.ids[0], "first")).encode()
    last = json.dumps(put(listing.item, listing.ids[0], "last")).encode()
    return b'{"totalCount":3,"items":[' + one + b", " + odd + b"," + last + b"]}"


def odd_item(listing: Listing, place: Place, token: bytes) -> bytes:
    text = json.dumps(put(listing.item, place, HERE)).encode()
    return text.replace(f'"{HERE}"'.encode(), token)


class Asked(msgspec.Struct, kw_only=True):
    """The result of asking, and what the client told beside it."""

    found: Any = None
    refused: list[str]
    apart: list[Spoiled]
    calls: int = 0

    @property
    def items(self) -> Sequence[Any]:
        return self.found.items if hasattr(self.found, "items") else [self.found]


async def asked(listing: Listing, body: bytes) -> Asked:
    end = Asked(refused=[], apart=[])

    async def send(_: Request) -> Reply:
        return Reply(status=200, body=body, sent_at=NOW)

    def set_apart(_: Request, __: Reply, spoiled: Sequence[Spoiled]) -> None:
        end.apart += spoiled
        end.calls += 1

    api = PartnerCenter(
        send,
        "https://api.partnercenter.microsoft.com",
        refuse=lambda _, __, what: end.refused.append(what),
        set_apart=set_apart,
    )
    try:
        end.found = await listing.ask(api)
    except UnexpectedReply:
        assert end.refused
    return end


@pytest.mark.asyncio
@pytest.mark.parametrize(("listing", "place", "token", "ends"), cases())
async def test_an_odd_item_costs_itself(
    listing: Listing, place: Place, token: bytes, ends: str
) -> None:
    """P36, P26, P28."""
    clean = await asked(listing, page(listing, json.dumps(listing.item).encode()))
    assert not clean.refused
    end = await asked(listing, page(listing, odd_item(listing, place, token)))

    if listing.is_single:
        assert bool(end.refused) is (ends == APART)
        return
    assert not end.refused
    assert end.calls == (ends == APART)
    others = [clean.items[0], clean.items[2]]
    if ends == READ:
        assert [end.items[0], end.items[2]] == others
        assert end.items[1].id == listing.item["id"]
        return
    assert list(end.items) == others
    [spoiled] = end.apart
    assert spoiled.id == ("" if place == ("id",) else listing.item["id"])
    assert spoiled.reason
    assert "\ufffd" not in spoiled.id


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "item", [b"null", b"7", b'"text"', b"[]", b"{}", b"NaN", b'{"a":"\\u0000"}']
)
@pytest.mark.parametrize("name", [name for name, one in LISTINGS.items() if not one.is_single])
async def test_an_item_that_is_none_costs_itself(name: str, item: bytes) -> None:
    """P36."""
    listing = LISTINGS[name]
    end = await asked(listing, page(listing, item))
    assert len(end.items) == 2
    assert [one.id for one in end.apart] == [""]


@pytest.mark.asyncio
@pytest.mark.parametrize("name", LISTINGS)
async def test_a_missing_field_that_decides_nothing_costs_nothing(name: str) -> None:
    """P36."""
    listing = LISTINGS[name]
    for field in {place[0] for place in (*listing.free, *listing.numbers, *listing.objects)}:
        item = {key: value for key, value in listing.item.items() if key != field}
        if field != "dynamicAttributes":
            end = await asked(listing, page(listing, json.dumps(item).encode()))
            assert (end.refused, end.apart) == ([], [])


@pytest.mark.asyncio
@pytest.mark.parametrize("name", [name for name, one in LISTINGS.items() if not one.is_single])
async def test_null_for_an_empty_list_is_one_if_the_count_agrees(name: str) -> None:
    """P36."""
    end = await asked(LISTINGS[name], b'{"totalCount":0,"items":null}')
    assert (end.items, end.refused) == ((), [])
    assert (await asked(LISTINGS[name], b'{"totalCount":2,"items":null}')).refused or name == (
        "list_customers"
    )


@pytest.mark.asyncio
async def test_a_field_that_decides_nothing_is_read_as_what_it_says() -> None:
    """P36: a number for a text, a text for a number, a text for an object with an id."""
    odd = SUBSCRIPTION | {
        "quantity": "5.0",
        "partnerId": 123,
        "productType": "Azure",
        "autoRenewEnabled": "True",
        "friendlyName": {"a": ["é"]},
    }
    [read] = decoding.collection(json.dumps([odd]).encode(), wire.Subscription).items
    assert (read.quantity, read.partner_id, read.product_type.id) == (5, "123", "Azure")
    assert read.auto_renew_enabled is True
    assert read.friendly_name == '{"a": ["é"]}'


def test_what_no_store_can_hold_is_replaced_in_a_name_and_nothing_else_is() -> None:
    """P36."""
    body = (
        b'[{"id":"a","title":"a\\u0000b\\ud83d\\ude00\\ud800\\\\u0000\xe9\\n\t"},'
        b'{"id":"b","title":"NaN, -Infinity: \\"NaN\\""},{"id":NaN}]'
    )
    listed = decoding.collection(body, wire.Product)
    assert [p.title for p in listed.items] == [
        "a\ufffdb\U0001f600\ufffd\\u0000\ufffd\n\t",
        'NaN, -Infinity: "NaN"',
    ]


def test_fields_that_cannot_be_converted_are_counted() -> None:
    """P36: those that can be are not."""
    odd = [
        SUBSCRIPTION | {"quantity": "many", "friendlyName": {}, "partnerId": 7},
        SUBSCRIPTION | {"autoRenewEnabled": 1},
    ]
    listed = decoding.collection(json.dumps(odd).encode(), wire.Subscription)
    assert (len(listed.items), listed.odd_fields) == (2, 3)


def test_a_spoiled_item_tells_its_names_and_nothing_else() -> None:
    """P36."""
    secret = "of nobody's business"
    odd = [
        CUSTOMER_ITEM | {"relationshipToPartner": {secret: secret}},
        CUSTOMER_ITEM | {"id": 5, secret: secret},
        SKU | {"purchasePrerequisites": secret},
    ]
    customers = decoding.collection(json.dumps(odd[:2]).encode(), wire.Customer).spoiled
    [sku] = decoding.collection(json.dumps(odd[2:]).encode(), wire.Sku).spoiled
    assert [(one.id, one.name) for one in (*customers, sku)] == [
        ("C2", "Two"),
        ("", "Two"),
        ("0002", "Two"),
    ]
    assert secret not in repr((*customers, sku))


def test_an_id_sent_twice_is_no_name() -> None:
    """P36, P27."""
    body = b'[{"id":"a","id":"b","status":5}]'
    assert [one.id for one in decoding.collection(body, wire.Subscription).spoiled] == [""]


@pytest.mark.asyncio
async def test_the_count_of_a_list_counts_items_set_apart() -> None:
    """P36: and a list without them is short all the same."""
    for name in ("list_skus", "list_customers"):
        listing = LISTINGS[name]
        full = page(listing, b"null")
        short = full.replace(b'"totalCount":3', b'"totalCount":4')
        assert not (await asked(listing, full)).refused
        assert "short list: 3 of 4" in (await asked(listing, short)).refused[0]


@pytest.mark.asyncio
async def test_a_customer_set_apart_on_one_page_and_read_on_another_is_read() -> None:
    bad = CUSTOMER_ITEM | {"relationshipToPartner": 5}
    listing = LISTINGS["list_customers"]
    end = await asked(listing, json.dumps([CUSTOMER_ITEM, bad, bad | {"id": "c3"}]).encode())
    assert [one.id for one in end.items] == ["C2"]
    assert [one.id for one in end.found.spoiled] == ["c3"]


@pytest.mark.parametrize("token", [*UNSTORABLE.values(), *OTHER_TYPES.values(), b"NaN", b"null"])
def test_an_inventory_reply_is_read_as_leniently(token: bytes) -> None:
    """P36, P26: a description costs nothing, a key or a verdict costs its item."""
    restricted = (
        b'{"productId":"P","skuId":"0002","isRestricted":true,"restrictions":[{"reasonCode":"R",'
        b'"description":"D","properties":{"type":"Location","values":"japanwest"}}]}'
    )
    good = b'{"productId":"P","skuId":"0001","isRestricted":false}'

    def answer(old: bytes) -> decoding.InventoryAnswer:
        return decoding.inventory_answer(b"[" + good + b"," + restricted.replace(old, token) + b"]")

    assert [i.sku_id for i in answer(b'"D"').items] == ["0001", "0002"]
    for decisive in (b'"P"', b'"0002"', b'"R"', b"true", b'"japanwest"'):
        if decisive in {b'"0002"', b'"R"', b'"japanwest"'} and token == b"null":
            continue  # absent
        if decisive == b'"japanwest"' and token in {*OTHER_TYPES.values(), b"NaN"}:
            continue  # an open set, kept as it came
        if decisive == b"true" and token == b"true":
            continue
        found = answer(decisive)
        assert [i.sku_id for i in found.items] == ["0001"]
        assert len(found.spoiled) == 1


@pytest.mark.parametrize("token", [*UNSTORABLE.values(), *OTHER_TYPES.values(), b"NaN", b"null"])
def test_an_availability_is_read_as_leniently(token: bytes) -> None:
    """P36: a description costs nothing; a key or verdict that cannot be read costs the SKU."""
    sent = (
        b'{"id":"A","skuId":"0001","segment":"commercial","isPurchasable":true,"country":"DE",'
        b'"defaultCurrency":"EUR","terms":[{"id":"T","duration":"P1Y","description":"D"}]}'
    )
    for free in (b'"D"', b'"DE"', b'"EUR"'):
        [read] = decoding.availabilities(b"[" + sent.replace(free, token) + b"]")
        assert read.terms[0].duration == "P1Y"
    if token != b"null":
        for decisive in (b'"A"', b'"0001"', b'"commercial"', b'"P1Y"'):
            with pytest.raises(decoding.Malformed):
                decoding.availabilities(b"[" + sent.replace(decisive, token) + b"]")


@pytest.mark.parametrize(
    "body",
    [
        b"[" + b'{"id":"a","title":5},' * decoding.MOST_ODD + b'{"id":"a","title":5}]',
        b'[{"id":"' + b"\xff" * (MOST_MENDED + 1) + b'"}]',
        b'[{"id":"' + b"\\u0000" * (MOST_MENDED + 1) + b'"}]',
        b'[{"id":"' + b'\\"' * MOST_TOKENS + b'\xff"}]',
    ],
    ids=range(4),
)
def test_a_list_that_is_mostly_odd_is_no_answer(body: bytes) -> None:
    """S17: each oddity is looked at by itself."""
    with pytest.raises(decoding.Malformed, match="more "):
        decoding.collection(body, wire.Product)


def _places(value: object, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [at, *(place for name, one in inner for place in _places(one, (*at, name)))]


PAGES: dict[type, list[Item]] = {
    wire.Subscription: json.loads(
        (SAMPLES / "customer_subscriptions_list.json").read_bytes().decode("utf-8-sig")
    )["items"],
    wire.Product: [
        json.loads(
            (SAMPLES / "product_by_id_DZH318Z0BQ4C_US.json").read_bytes().decode("utf-8-sig")
        ),
        PRODUCT,
    ],
    wire.Sku: [
        json.loads((SAMPLES / name).read_bytes().decode("utf-8-sig"))
        for name in ("sku_reservation.json", "sku_new_commerce_cut.json")
    ],
    wire.Customer: [CUSTOMER_ITEM, CUSTOMER_ITEM | {"id": "C3"}],
}
TOKENS = st.sampled_from([*UNSTORABLE.values(), *OTHER_TYPES.values(), *NOTHING.values()])


@given(st.data(), st.sampled_from(list(PAGES)), TOKENS)
def test_wherever_it_is_odd_all_other_items_are_read(
    data: st.DataObject, kind: type[Any], token: bytes
) -> None:
    """P36: an oddity anywhere in a recorded item sets at most this item apart."""
    items = [copy.deepcopy(item) for item in PAGES[kind]]
    which = data.draw(st.integers(0, len(items) - 1))
    place = data.draw(st.sampled_from(_places(items[which])))
    clean = decoding.collection(json.dumps(items).encode(), kind)
    if place:
        inner: Any = items[which]
        for name in place[:-1]:
            inner = inner[name]
        inner[place[-1]] = HERE
    else:
        items[which] = HERE  # type: ignore[call-overload] # an item that is none
    body = json.dumps({"totalCount": len(items), "items": items}).encode()
    listed = decoding.collection(body.replace(f'"{HERE}"'.encode(), token), kind)

    assert listed.count == len(items)
    assert len(listed.spoiled) <= 1
    others = [one for n, one in enumerate(clean.items) if n != which]
    read = [one for n, one in enumerate(listed.items) if listed.spoiled or n != which]
    assert read == others
