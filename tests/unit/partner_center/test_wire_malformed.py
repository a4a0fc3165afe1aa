"""A body that is not an answer raises `Malformed` and never another error."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.partner_center import decoding, wire
from auditor.partner_center.strict_json import MOST_COMMAS
from tests.unit.partner_center.test_wire import RESTRICTED

BAD = [
    b"",
    b" \r\n\t",
    b"\xef\xbb\xbf",
    b"<html><body>Service unavailable</body></html>",
    '[{"productId":"P"}]'.encode("utf-16"),
    b"[" * 200_000,
    b'{"items":' + b"[" * 5_000 + b"]" * 5_000 + b"}",
    b'{"id":"a\\ud800","productId":"b"}',
    b'{"id":"a\xed\xa0\x80","productId":"b"}',
    b'{"id":"a\\u0000","productId":"b"}',
    b'{"id":"a\\\\\\u0000","productId":"b"}',
    b'{"id":"a\x00","productId":"b"}',
    b'{"id":"a","productId":"b"} trailing',
    b'{"id":"a","productId":"b"',
    b'{"id":NaN,"productId":"b"}',
    b'{"code":"400072","description":"This item isn\'t available"}',
    b"null",
    b"17",
    b'"text"',
]


def read_all(body: bytes) -> int:
    """Return how many of the five readers refuse a body; another error than Malformed is raised."""
    refused = 0
    for read in (
        decoding.inventory_answer,
        decoding.availabilities,
        lambda b: decoding.collection(b, wire.Subscription),
        lambda b: decoding.one(b, wire.Sku),
        lambda b: decoding.one(b, wire.Subscription),
    ):
        try:
            read(body)
        except decoding.Malformed:
            refused += 1
    decoding.error(body)
    return refused


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_an_unusable_body_is_malformed(body: bytes) -> None:
    """P24."""
    assert read_all(body) == 5


@given(st.binary(max_size=300))
@example(b'{"items":[{}]}')
def test_no_bytes_raise_another_error(body: bytes) -> None:
    """P24."""
    read_all(body)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["P", "0011", "japanwest"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [f.encode_name for f in msgspec.structs.fields(wire.Availability)]
                + [f.encode_name for f in msgspec.structs.fields(wire.InventoryItem)]
                + ["items", "totalCount", "links", "next", "properties", "code"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_json_raises_another_error(value: object) -> None:
    """P24."""
    read_all(json.dumps(value).encode())


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "productId": st.text("ABC0", min_size=1, max_size=4),
                "skuId": st.sampled_from(["0011", "00E1", "000S"]),
                "isRestricted": st.booleans(),
            },
            optional={"restrictions": st.just([]) | st.none(), "new": JSON},
        ),
        max_size=5,
    )
)
def test_ids_stay_text_and_answers_stay_unchanged(items: list[dict[str, object]]) -> None:
    """P28."""
    read = decoding.inventory_answer(json.dumps(items).encode()).items

    assert [(i.product_id, i.sku_id, i.is_restricted) for i in read] == [
        (i["productId"], i["skuId"], i["isRestricted"]) for i in items
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"code":"400026","description":"missing"}', ("400026", "missing")),
        (b'{"code":400026}', ("400026", "")),
        (b'\xef\xbb\xbf{"code":"2001","data":[],"source":"x"}', ("2001", "")),
        (
            b'{ "statusCode": 429, "message": "Rate limit is exceeded." }',
            ("", "Rate limit is exceeded."),
        ),
        (b"<html>", ("", "")),
        (b"[]", ("", "")),
        (b'{"code":{"deep":1}}', ("", "")),
    ],
)
def test_code_and_description_of_an_error_are_read(body: bytes, expected: tuple[str, str]) -> None:
    error = decoding.error(body)

    assert (error.code, error.description) == expected


@pytest.mark.parametrize("digits", ["1180591620717411303424", "9" * 5_000, "1e999"])
def test_a_number_no_column_holds_is_none(digits: str) -> None:
    body = b'{"id":"a","quantity":' + digits.encode() + b"}"
    assert decoding.one(body, wire.Subscription).quantity == 0
    with pytest.raises(decoding.Malformed):
        decoding.one(b'{"id":' + digits.encode() + b"}", wire.Subscription)


def test_a_short_list_is_not_an_answer_to_a_check() -> None:
    with pytest.raises(decoding.Malformed, match="not whole"):
        decoding.inventory_answer(b'{"totalCount":2,"items":[' + RESTRICTED + b"]}")


@pytest.mark.parametrize("value", [b"0", b"{}", b"null", b"[]", RESTRICTED])
def test_a_body_with_too_many_values_is_not_decoded(value: bytes) -> None:
    """P25: as objects the values would take fifty times the memory."""
    many = b"[" + (value + b",") * MOST_COMMAS + value + b"]"
    assert read_all(many) == 5


def test_a_list_with_too_many_spoiled_items_is_malformed() -> None:
    """S17: each spoiled item is examined separately."""
    with pytest.raises(decoding.Malformed, match="more than 1000 items"):
        decoding.inventory_answer(b"[" + b"{}," * decoding.MOST_SPOILED + RESTRICTED + b",{}]")

    spoiled = decoding.inventory_answer(
        b"[" + b"{}," * decoding.MOST_SPOILED + RESTRICTED + b"]"
    ).spoiled
    assert len(spoiled) == decoding.MOST_SPOILED


def test_too_many_availabilities_of_one_sku_are_malformed() -> None:
    """S17."""
    with pytest.raises(decoding.Malformed, match="more than 10000"):
        decoding.availabilities(
            b"[" + b'{"id":"a"},' * decoding.MOST_AVAILABILITIES + b'{"id":"a"}]'
        )
