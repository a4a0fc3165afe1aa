"""A reply to an inventory check answers each asked key, or leaves it without an answer."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import SPOILED_ITEM, Check, CheckKind, Question
from auditor.normalize.inventory import (
    DISAGREEING_DUPLICATES,
    MISMATCHED_ECHO,
    Reading,
    read,
)
from auditor.partner_center import decoding

SKUS = ("0001", "0002", "0003")
Key = tuple[str, str]


def check(product_id: str = "P1", sku_id: str = "") -> Check:
    return Check(
        kind=CheckKind.INVENTORY,
        partner_tenant_id="p",
        customer_id="c",
        country="DE",
        product_id=product_id,
        sku_id=sku_id,
    )


def item(product_id: str = "P1", sku_id: str = "0001", **more: object) -> dict[str, object]:
    return {"productId": product_id, "skuId": sku_id, "isRestricted": False, **more}


def reading(body: object, *checks: Check) -> Reading:
    """Read a reply to checks of products whose listed SKUs are all `SKUS`."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read(
        Question(checks=checks or (check(),)),
        sent,
        lambda asked: (asked.sku_id,) if asked.sku_id else SKUS,
    )


def answered(found: Reading) -> dict[Key, bool | None]:
    """Return whether each key is restricted; None means not in the catalog."""
    return {
        (key.check.product_id, key.sku_id): key.item.is_restricted if key.item else None
        for key in found.answered
    }


def unanswered(found: Reading) -> dict[Key, str]:
    return {
        (key.check.product_id, key.sku_id): reason
        for reason, keys in found.unanswered.items()
        for key in keys
    }


def test_a_key_left_out_of_a_trusted_reply_is_not_in_the_catalog() -> None:
    """P1."""
    found = reading([item(), item(sku_id="0002", isRestricted=True)])
    assert answered(found) == {("P1", "0001"): False, ("P1", "0002"): True, ("P1", "0003"): None}
    assert (found.unanswered, found.set_apart) == ({}, {})


def test_another_sku_of_a_whole_product_fails_nothing() -> None:
    found = reading([item(), item(sku_id="0009")])
    assert answered(found)["P1", "0002"] is None
    assert (found.unanswered, found.set_apart) == ({}, {})


@pytest.mark.parametrize(
    ("foreign", "checks"),
    [
        (item("P9"), (check(),)),
        (item(sku_id="0009"), (check(sku_id="0001"), check(sku_id="0002"), check(sku_id="0003"))),
        ({"productId": "P9", "isRestricted": "no"}, (check(),)),
    ],
)
def test_a_foreign_item_leaves_the_missing_keys_unanswered(
    foreign: Mapping[str, object], checks: tuple[Check, ...]
) -> None:
    """Row 25: the item may be one of ours under another id, so no missing key is gone."""
    found = reading([item(), foreign], *checks)
    assert answered(found) == {("P1", "0001"): False}
    assert unanswered(found) == {
        ("P1", "0002"): MISMATCHED_ECHO,
        ("P1", "0003"): MISMATCHED_ECHO,
    }
    assert found.set_apart[MISMATCHED_ECHO] == 1


def test_a_foreign_item_fails_nothing_if_no_key_is_missing() -> None:
    found = reading([*(item(sku_id=sku_id) for sku_id in SKUS), item("P9")])
    assert (len(found.answered), found.unanswered) == (3, {})
    assert found.set_apart == {MISMATCHED_ECHO: 1}


def test_disagreeing_duplicates_leave_only_their_own_key_unanswered() -> None:
    """Row 25."""
    found = reading([item(), item(isRestricted=True), item(sku_id="0002")])
    assert answered(found) == {("P1", "0002"): False, ("P1", "0003"): None}
    assert unanswered(found) == {("P1", "0001"): DISAGREEING_DUPLICATES}
    assert found.set_apart == {DISAGREEING_DUPLICATES: 2}


def test_duplicates_with_the_same_content_in_another_order_agree() -> None:
    reasons = [
        {"reasonCode": "A", "properties": {"values": "japanwest, japaneast"}},
        {"reasonCode": "B", "properties": {}},
    ]
    same = [
        item(isRestricted=True, restrictions=reasons),
        item(
            isRestricted=True,
            restrictions=[
                reasons[1],
                {**reasons[0], "properties": {"values": "japaneast,japanwest"}},
            ],
        ),
    ]
    assert answered(reading(same))["P1", "0001"] is True


@pytest.mark.parametrize("value", ['"false"', "0", "null"])
def test_an_item_of_the_wrong_type_leaves_its_own_key_without_an_answer(value: str) -> None:
    """P26: only a valid flag decides, and this one is not valid."""
    body = f'[{{"productId":"P1","skuId":"0001","isRestricted":{value}}}]'.encode()
    found = reading(body)
    assert unanswered(found) == {("P1", "0001"): SPOILED_ITEM}
    assert answered(found) == {("P1", "0002"): None, ("P1", "0003"): None}


def test_a_spoiled_item_also_invalidates_a_good_one_of_its_key() -> None:
    found = reading([item(), item(isRestricted="false")])
    assert unanswered(found) == {("P1", "0001"): SPOILED_ITEM}


@pytest.mark.parametrize("spoiled", [1, None, {"skuId": "0002"}, item(sku_id=2)])  # type: ignore[arg-type] # wrong on purpose
def test_an_item_without_ids_leaves_the_missing_keys_unanswered(spoiled: object) -> None:
    """P24."""
    found = reading([item(), spoiled])
    assert answered(found) == {("P1", "0001"): False}
    assert set(unanswered(found).values()) == {SPOILED_ITEM}
    assert found.set_apart == {SPOILED_ITEM: 1}


@pytest.mark.parametrize("body", [b"", b"  \n", b"<html>", b"{}", b'{"code":"400072"}'])
def test_a_reply_that_is_not_a_list_of_items_is_malformed(body: bytes) -> None:
    """P24. `{}` and white space never mean that no SKU is restricted."""
    with pytest.raises(decoding.Malformed):
        reading(body)


def test_after_an_empty_list_every_asked_key_is_not_in_the_catalog() -> None:
    assert set(answered(reading([])).values()) == {None}


ANY_ITEM = st.one_of(
    st.builds(
        item,
        st.sampled_from(["P1", "p1", "P2", "P9"]),
        st.sampled_from([*SKUS, "0009", ""]),
        isRestricted=st.sampled_from([True, False, "false"]),
    ),
    st.sampled_from([1, {"skuId": "0001"}]),
)


@given(st.lists(ANY_ITEM, max_size=8), st.randoms(use_true_random=False))
def test_each_asked_key_is_answered_or_unanswered_once_in_any_order(
    items: list[Any], random: Any
) -> None:
    """P8, P24: the conservation law of one reply."""
    checks = (check("P1"), check("P2", "0001"), check("P2", "0002"))
    found = reading(items, *checks)
    keys = [*answered(found), *unanswered(found)]
    assert sorted(keys) == sorted([*(("P1", s) for s in SKUS), ("P2", "0001"), ("P2", "0002")])
    random.shuffle(items)
    again = reading(items, *checks)
    assert (answered(again), unanswered(again)) == (answered(found), unanswered(found))
