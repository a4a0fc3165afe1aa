"""Replies about availabilities are turned into one row per term."""

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.normalize.answers import Answers
from auditor.normalize.availability import NO_VERDICT, unreadable_availability
from tests.unit.normalize.test_answers import (
    SAMPLES,
    Row,
    asked,
    availability_check,
    inventory_check,
    read,
    rows,
    settled,
    verdicts,
)


def offer(name: str = "AVAIL1", **more: object) -> Row:
    return {
        "id": name,
        "productId": "CFQ7",
        "skuId": "0001",
        "catalogItemId": f"CFQ7:0001:{name}",
        "defaultCurrency": {"code": "EUR", "symbol": "€"},
        "segment": "commercial",
        "country": "de",
        "isPurchasable": True,
        "isRenewable": True,
        "terms": [{"id": f"{name}-t", "duration": "P1Y", "billingCycle": "monthly"}],
        **more,
    }


def offers(*found: Row, **more: Any) -> list[Row]:  # Any: of `read`
    check = more.pop("check", availability_check())
    return rows(
        read({"totalCount": len(found), "items": list(found)}, check, **more), "availability"
    )


def test_each_term_is_a_row_with_the_market_of_the_reply() -> None:
    terms = [
        {"id": "t1", "duration": "P1Y", "billingCycle": "monthly"},
        {"id": "t2", "duration": "P3Y", "billingCycle": "annual"},
    ]
    found = offers(offer(terms=terms))
    assert [(r["term_duration"], r["billing_cycle"], r["term_id"]) for r in found] == [
        ("P1Y", "monthly", "t1"),
        ("P3Y", "annual", "t2"),
    ]
    assert {(r["customer_id"], r["country"], r["market"]) for r in found} == {("c", "", "DE")}
    assert {(r["verdict"], r["currency"], r["segment"]) for r in found} == {
        ("purchasable", "EUR", "commercial")
    }


def test_an_availability_without_terms_is_one_row() -> None:
    [row] = offers(offer(terms=[]))
    assert (row["term_duration"], row["billing_cycle"], row["ordinal"]) == ("", "", 0)


def test_renew_to_is_read_from_the_term_or_from_its_availability() -> None:
    terms = [
        {"id": "t1", "duration": "P1Y", "renewalOptions": [{"renewToId": "CFQ7:0002"}]},
        {"id": "t2", "duration": "P3Y"},
    ]
    instructions = [
        {"applicableTermIds": ["t1", "t2"], "renewalOptions": [{"renewToId": "CFQ7:0001"}]}
    ]
    found = offers(offer(terms=terms, renewalInstructions=instructions))
    assert [r["renew_to"] for r in found] == ["CFQ7:0001;CFQ7:0002", "CFQ7:0001"]


def test_by_country_only_configured_segments_count_and_by_customer_all() -> None:
    found = (offer(), offer("B", segment="education"), offer("C", segment="Nonprofit"))
    of_country = availability_check("", "DE")
    assert {r["segment"] for r in offers(*found, check=of_country, segments=["commercial"])} == {
        "commercial"
    }
    assert {
        r["segment"] for r in offers(*found, check=of_country, segments=["commercial", "nonprofit"])
    } == {"commercial", "Nonprofit"}
    assert {r["segment"] for r in offers(*found, segments=["commercial"])} == {
        "commercial",
        "education",
        "Nonprofit",
    }


def test_rows_of_one_key_are_numbered_in_the_order_of_their_content() -> None:
    old = offer("A", isPurchasable=False, isRenewable=False)
    found = offers(offer("B"), old)
    assert [(r["ordinal"], r["verdict"]) for r in found] == [
        (0, "not_purchasable"),
        (1, "purchasable"),
    ]


def test_keys_that_differ_only_in_letter_case_are_one_key() -> None:
    """Known keys match in any letter case, so two such keys would match the same known one."""
    found = offers(
        offer("A", segment="Commercial"),
        offer("B", isPurchasable=False, terms=[{"duration": "p1y", "billingCycle": "Monthly"}]),
    )
    assert sorted(r["ordinal"] for r in found) == [0, 1]
    assert len({(r["segment"], r["term_duration"], r["billing_cycle"]) for r in found}) == 1


some_offers = st.lists(
    st.builds(
        lambda purchasable, renewable, cycle, currency: {
            "isPurchasable": purchasable,
            "isRenewable": renewable,
            "defaultCurrency": currency,
            "terms": [{"duration": "P1Y", "billingCycle": cycle}],
        },
        st.booleans(),
        st.booleans(),
        st.sampled_from(["monthly", "Monthly", "annual"]),
        st.sampled_from(["EUR", "USD"]),
    ),
    max_size=5,
)


@settings(deadline=None)
@given(some_offers, st.randoms())
def test_neither_the_order_of_a_reply_nor_reissued_ids_matter(
    found: list[Row], shuffle: random.Random
) -> None:
    """P8. Ids are reissued regularly, so no key contains them."""
    named = [offer(f"A{place}", **each) for place, each in enumerate(found)]
    turned = shuffle.sample(named, len(named))
    assert _sorted(offers(*named)) == _sorted(offers(*turned))

    ids = ("availability_id", "catalog_item_id", "term_id")
    reissued = [offer(f"Z{9 - place}", **each) for place, each in enumerate(found)]
    one, other = (
        _sorted([{k: v for k, v in row.items() if k not in ids} for row in offers(*each)])
        for each in (named, reissued)
    )
    assert one == other


def _sorted(found: list[Row]) -> list[str]:
    return sorted(repr(sorted(row.items())) for row in found)


def test_a_404_to_an_availability_check_gives_no_rows() -> None:
    answers = Answers(asked(), lambda _, __: "", ())
    answers.add(settled(availability_check(), not_found=True), b'{"code": "400018"}')
    assert rows(answers, "availability") == []


def test_a_404_to_an_inventory_check_answers_for_all_its_skus() -> None:
    answers = Answers(asked("0001", "000S"), lambda _, __: "", ())
    answers.add(settled(inventory_check(), not_found=True), b'{"code": "400013"}')
    assert verdicts(answers) == {"0001": "not_in_catalog", "000S": "not_in_catalog"}


def test_an_availability_without_is_purchasable_is_not_an_answer() -> None:
    silent = {k: v for k, v in offer().items() if k != "isPurchasable"}
    body = json.dumps({"items": [offer(), silent]}).encode()
    assert unreadable_availability(body) == NO_VERDICT


@pytest.mark.parametrize("name", ["availability_azure_plan", "availability_new_commerce_cut"])
def test_the_availabilities_in_the_documents_are_read(name: str) -> None:
    """Seed 2: one is shaped like a SKU and has no `isPurchasable`."""
    body = (SAMPLES / f"{name}.json").read_bytes()
    reason = unreadable_availability(body)
    sent = json.loads(body)
    assert reason == ("" if "isPurchasable" in body.decode() else NO_VERDICT)
    if not reason:
        found = rows(read(body, availability_check()), "availability")
        assert {row["verdict"] for row in found} == {
            "purchasable" if sent["isPurchasable"] else "not_purchasable"
        }


def test_the_recorded_availability_is_read() -> None:
    """A reply of 2018, by id: it has no terms and no `isRenewable`."""
    body = (SAMPLES / "availability_by_id_DZH318Z0RFQB_US.json").read_bytes()
    check = msgspec.structs.replace(availability_check("", "US"), product_id="DZH318Z0BQ4C")
    [row] = rows(read(body, check, segments=["commercial"]), "availability")
    assert row["is_renewable"] is None
    assert (row["term_duration"], row["market"]) == ("", "US")
