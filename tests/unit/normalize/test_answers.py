"""Replies are turned into rows."""

import json
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model import Check, CheckKind, Outcome, Question, Settled
from auditor.normalize.answers import Answers
from auditor.tables import SCHEMAS

SAMPLES = Path(__file__).parents[2] / "samples"
AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
CONTEXT = {
    "partner_tenant_id": "aaaaaaaa-0000-0000-0000-000000000001",
    "customer_id": "c",
    "country": "US",
    "azure_subscription_id": "a",
    "reservation_scope": "AzurePlan",
}
REGIONS = {"0001": "westeurope", "000S": "japanwest"}
Item = Mapping[str, object]
# One row of any relation, with cells of any type.
Row = dict[str, Any]


def inventory_check(product_id: str = "DZH1", sku_id: str = "") -> Check:
    return Check(kind=CheckKind.INVENTORY, product_id=product_id, sku_id=sku_id, **CONTEXT)


def availability_check(customer_id: str = "c", country: str = "") -> Check:
    return Check(
        kind=CheckKind.AVAILABILITY,
        partner_tenant_id=CONTEXT["partner_tenant_id"],
        customer_id=customer_id,
        country=country,
        product_id="CFQ7",
        sku_id="0001",
    )


def settled(*checks: Check, not_found: bool = False) -> Settled:
    return Settled(
        question=Question(checks=checks),
        outcome=Outcome.ANSWERED,
        not_found=not_found,
        sent_at=AT,
    )


def asked(*skus: str) -> Callable[[Check], Sequence[str]]:
    """Return a function that gives a check's own SKU, or these SKUs for a whole product."""
    return lambda check: (check.sku_id,) if check.sku_id else skus


def read(
    body: object, *checks: Check, skus: Sequence[str] = ("0001",), segments: Iterable[str] = ()
) -> Answers:
    """Return the rows of one answered question."""
    answers = Answers(
        asked(*skus), lambda check, sku: check.arm_region or REGIONS.get(sku, ""), segments
    )
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    answers.add(settled(*(checks or (inventory_check(),))), sent)
    return answers


def rows(answers: Answers, relation: str = "inventory") -> list[Row]:
    found: list[Row] = getattr(answers, relation).table().to_pylist()
    return found


def item(sku_id: str = "0001", *, restrictions: Iterable[Item] = (), **more: object) -> Row:
    listed = list(restrictions)
    return {
        "productId": "DZH1",
        "skuId": sku_id,
        "isRestricted": bool(listed),
        "restrictions": listed,
        **more,
    }


def because(values: object = "japanwest", code: str = "NotAvailableForSubscription") -> Row:
    return {
        "reasonCode": code,
        "description": "Not for sale.",
        "properties": {"type": "Location", "values": values},
    }


def verdicts(answers: Answers) -> dict[str, str]:
    return {row["sku_id"]: row["verdict"] for row in rows(answers)}


# Inventory: verdicts ------------------------------------------------------------------------


def test_an_asked_sku_that_the_reply_leaves_out_is_not_in_the_catalog() -> None:
    """P1, P26."""
    answers = read([item("0001")], skus=("0001", "000S"))
    assert verdicts(answers) == {"0001": "unrestricted", "000S": "not_in_catalog"}


def test_after_an_empty_reply_every_asked_sku_is_not_in_the_catalog() -> None:
    answers = read([], skus=("0001", "000S"))
    assert verdicts(answers) == {"0001": "not_in_catalog", "000S": "not_in_catalog"}


def test_the_flag_decides_and_not_the_list_of_restrictions() -> None:
    """P26: false with restrictions is unrestricted; true without any is restricted."""
    shown = item("0001", restrictions=[because()]) | {"isRestricted": False}
    silent = item("000S") | {"isRestricted": True}
    answers = read([shown, silent], skus=("0001", "000S"))
    assert verdicts(answers) == {"0001": "unrestricted", "000S": "restricted"}
    assert rows(answers, "restriction") == []
    assert {(r["reason_codes"], r["restriction_values"]) for r in rows(answers)} == {("", "")}


def test_duplicates_that_disagree_give_no_verdict() -> None:
    answers = read([item(), item(restrictions=[because()]), item("000S")], skus=("0001", "000S"))
    assert verdicts(answers) == {"000S": "unrestricted"}


def test_duplicates_that_agree_give_one_verdict() -> None:
    twice = item(restrictions=[because()])
    answers = read([twice, twice])
    assert verdicts(answers) == {"0001": "restricted"}
    assert len(rows(answers, "restriction")) == 1


def test_ids_match_in_any_letter_case_and_keep_the_asked_spelling() -> None:
    answers = read([item("000s", productId="dzh1")], skus=("000S",))
    assert verdicts(answers) == {"000S": "unrestricted"}


def test_a_batch_gives_each_check_its_own_items() -> None:
    body = [item("0001"), item("0001", productId="DZH2", restrictions=[because()])]
    answers = read(body, inventory_check("DZH1", "0001"), inventory_check("DZH2", "0001"))
    assert [(r["product_id"], r["verdict"]) for r in rows(answers)] == [
        ("DZH1", "unrestricted"),
        ("DZH2", "restricted"),
    ]


def test_the_region_is_the_sent_one_or_else_that_of_the_catalog() -> None:
    sent = msgspec.structs.replace(inventory_check(sku_id="0001"), arm_region="northeurope")
    [row] = rows(read([item()], sent))
    assert {name: row[name] for name in CONTEXT} == CONTEXT
    assert (row["arm_region"], row["region"]) == ("northeurope", "northeurope")
    [row] = rows(read([item()]))
    assert (row["arm_region"], row["region"]) == ("", "westeurope")
    assert row["checked_at"] == AT


@settings(deadline=None)
@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=8))
def test_ids_stay_text(sku_id: str) -> None:
    """P28: `0011` and `00E1` are no numbers."""
    [row] = rows(read([item(sku_id)], skus=(sku_id,)))
    assert row["sku_id"] == sku_id


# Inventory: reasons -------------------------------------------------------------------------


def test_each_value_between_commas_is_trimmed_and_is_one_restriction() -> None:
    answers = read([item(restrictions=[because(" westus2 ,japanwest,, eastus")])])
    assert [(r["ordinal"], r["value"], r["type"]) for r in rows(answers, "restriction")] == [
        (0, "eastus", "Location"),
        (1, "japanwest", "Location"),
        (2, "westus2", "Location"),
    ]
    assert rows(answers)[0]["restriction_values"] == "eastus;japanwest;westus2"


def test_values_in_a_list_are_read_too() -> None:
    """The documents do not say so, but a related API sends lists (`values: ["P5Y"]`)."""
    answers = read([item(restrictions=[because(["westus2", "japanwest"])])])
    assert rows(answers)[0]["restriction_values"] == "japanwest;westus2"


def test_sets_are_sorted_and_ignore_letter_case() -> None:
    reasons = [because("WestUS2,japanwest", "B"), because("westus2", "b"), because("", "A")]
    [row] = rows(read([item(restrictions=reasons)]))
    assert row["reason_codes"] == "A;B"
    assert row["restriction_values"] == "japanwest;westus2"


def test_regions_are_in_lower_case_and_the_text_as_sent_stays_in_the_description() -> None:
    reason = because("CANADAEAST,Canadaeast,WestUS2")
    reason["description"] = "Restricted in CANADAEAST"
    answers = read([item(restrictions=[reason])])
    found = [(r["value"], r["description"]) for r in rows(answers, "restriction")]
    assert found == [(value, "Restricted in CANADAEAST") for value in ("canadaeast", "westus2")]
    assert rows(answers)[0]["restriction_values"] == "canadaeast;westus2"


def test_values_of_another_type_stay_as_sent_and_are_compared_in_lower_case() -> None:
    reason = because("P5Y,Zone1")
    reason["properties"]["type"] = "Other"
    answers = read([item(restrictions=[reason])])
    assert [r["value"] for r in rows(answers, "restriction")] == ["P5Y", "Zone1"]
    assert rows(answers)[0]["restriction_values"] == "p5y;zone1"


def test_new_codes_and_properties_are_kept_unchanged() -> None:
    """P26."""
    odd = {
        "reasonCode": "QuotaId",
        "description": "d",
        "properties": {"type": "Zone", "values": "1", "b": 2, "a": {"x": None, "y": ["é"]}},
        "more": 1,
    }
    [row] = rows(read([item(restrictions=[odd])]), "restriction")
    assert row["reason_code"] == "QuotaId"
    assert row["type"] == "Zone"
    assert row["properties"] == '{"a": {"x": null, "y": ["é"]}, "b": 2}'


def test_a_restriction_without_properties_is_one_row_with_empty_cells() -> None:
    answers = read([item(restrictions=[{"reasonCode": "X"}])])
    [row] = rows(answers, "restriction")
    assert (row["reason_code"], row["value"], row["type"], row["properties"]) == ("X", "", "", "")
    assert rows(answers)[0]["restriction_values"] == ""


reasons = st.lists(
    st.builds(
        because,
        st.lists(st.sampled_from(["eastus", "EastUS", "japanwest", ""]), max_size=3).map(",".join),
        st.sampled_from(["A", "a", "B"]),
    ),
    max_size=3,
)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["0001", "0002", "000S"]), reasons), st.randoms())
def test_the_order_of_items_and_restrictions_does_not_matter(
    found: dict[str, list[Row]], shuffle: random.Random
) -> None:
    """P8."""
    items = [item(sku, restrictions=listed) for sku, listed in found.items()]
    turned = [
        item(sku, restrictions=shuffle.sample(listed, len(listed)))
        for sku, listed in shuffle.sample(sorted(found.items()), len(found))
    ]
    one, other = (read(body, skus=("0001", "0002", "000S")) for body in (items, turned))
    for relation in ("inventory", "restriction"):
        assert rows(one, relation) == rows(other, relation)
    for row in rows(one):
        for column in ("reason_codes", "restriction_values"):
            parts = [part.casefold() for part in row[column].split(";")]
            assert parts == sorted(set(parts))


def in_another_case(reason: Row, shuffle: random.Random) -> Row:
    """Return a reason whose values are written in other letter cases."""
    sent = reason["properties"]
    values = "".join(shuffle.choice((c.lower(), c.upper())) for c in sent["values"])
    return {**reason, "properties": {**sent, "values": values}}


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["0001", "0002", "000S"]), reasons), st.randoms())
def test_the_letter_case_of_regions_does_not_matter(
    found: dict[str, list[Row]], shuffle: random.Random
) -> None:
    items = [item(sku, restrictions=listed) for sku, listed in found.items()]
    turned = [
        item(sku, restrictions=[in_another_case(reason, shuffle) for reason in listed])
        for sku, listed in found.items()
    ]
    one, other = (read(body, skus=("0001", "0002", "000S")) for body in (items, turned))
    for relation in ("inventory", "restriction"):
        assert rows(one, relation) == rows(other, relation)


# Whole replies ------------------------------------------------------------------------------


def test_a_question_that_was_never_sent_has_no_rows() -> None:
    answers = Answers(asked("0001"), lambda _, __: "", ())
    never = msgspec.structs.replace(settled(inventory_check()), sent_at=None)
    answers.add(never, b"")
    assert rows(answers) == []


@pytest.mark.parametrize("name", ["inventory_2019", "inventory_2023"])
def test_the_reply_in_the_documents_gives_each_sku_its_verdict(name: str) -> None:
    """Seeds 0 and 1: each restriction has one location; without any, the list is empty."""
    body = (SAMPLES / f"{name}.json").read_bytes()
    sent = json.loads(body)
    check = inventory_check(sent[0]["productId"])
    answers = read(body, check, skus=[each["skuId"] for each in sent] + ["0000"])
    assert verdicts(answers) == {
        **{e["skuId"]: "restricted" if e["isRestricted"] else "unrestricted" for e in sent},
        "0000": "not_in_catalog",
    }
    for row in rows(answers, "restriction"):
        assert row["reason_code"] == "NotAvailableForSubscription"
        assert row["type"] == "Location"
        assert row["value"]


def test_answers_have_the_columns_of_their_relations() -> None:
    for relation, schema in Answers.SCHEMAS.items():
        table = getattr(read([]), relation).table()
        assert table.schema == schema
        for field in schema:
            assert field == SCHEMAS[relation].field(field.name)
