"""P36: one odd item of any listing or reply, through the sandbox, costs itself and is told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.errors import AuditorError
from auditor.sandbox import Fault, Faults, WorldSize
from auditor.sandbox.world.model import Customer
from tests.builders.nightly import Key, Night, nights
from tests.end_to_end.test_errors import RecordedEvents

SIZE = WorldSize(
    partners=1, customers=20, products=3, regions=2, sizes_per_product=2, licence_products=3
)
TEXT = r'("[^"]*")'
FREE = ('"a\\u0000b"', '"\\ud800"', '"Caf\xe9"', "1234567", "NaN", "null", '{"a":1}', "[1]", "true")
"""Bytes, as Latin-1, in the place of a text that decides nothing."""
NUMBERS = ("1.0", '"5"', '"many"', "NaN", "null", "{}", "9" * 400)
SPOILED = ("null", '"a\\u0000b"', '"\\udc00"', '"\xe9"', "5", "NaN", "{}")
"""In the place of an id or another text that decides."""


def customers_of(night: Night) -> list[Customer]:
    """Return the customers of the first partner that have inventory."""
    partner = night.world.partners()[0]
    asked = {key[1] for key in night.inventory_truth(1)}
    return [c for c in night.world.customers(partner) if c.customer_id in asked]


def in_item(item_id: str, field: str, odd: str, was: str = TEXT) -> tuple[str, str]:
    """Return the replacement of one field of the listed item with an id, in any letter case."""
    return rf'(?i)"id":"{item_id}"(?:(?!"id":"[^"]*",).)*?"{field}":{was}', odd


def in_front(items: str) -> tuple[tuple[str, str], ...]:
    """Return the replacements that put more items into a list, and leave its count open."""
    return (r'"items":(\[)', f"[{items},"), (r'"totalCount":(\d+)', "null")


def lenient_faults(night: Night) -> Iterator[Fault]:
    """Yield faults in fields that decide nothing, in every listing; nothing may be lost by them."""
    customers = customers_of(night)
    names = ("companyName", "domain")
    page = [
        in_item(customer.customer_id, names[n % 2], FREE[n % len(FREE)])
        for n, customer in enumerate(customers)
    ]
    yield Fault(endpoint="customers", partner=night.world.partners()[0].name, replace=tuple(page))
    for n, customer in enumerate(customers):
        odd, who = FREE[n % len(FREE)], customer.customer_id
        plain = (("offerName", TEXT), ("partnerId", TEXT), ("commitmentEndDate", TEXT))
        replace = [(f'"{name}":{was}', odd) for name, was in plain]
        replace.append((r'"quantity":(\d+)', NUMBERS[n % len(NUMBERS)]))
        replace.append((r'"productType":(\{"id":"Azure"[^}]*\})', '"Azure"'))
        yield Fault(endpoint="subscriptions", customer=who, replace=tuple(replace))
        for endpoint, name in (
            ("entitlements", "friendlyName"),
            ("customer", "companyName"),
            ("registration", "subscriptionId"),
        ):
            yield Fault(endpoint=endpoint, customer=who, replace=((f'"{name}":{TEXT}', odd),))
        yield Fault(
            endpoint=("check_inventory", "by_resource_type"),
            customer=who,
            replace=((f'"description":{TEXT}', odd),),
        )
        yield Fault(
            endpoint="customer_availabilities",
            customer=who,
            replace=((f'"description":{TEXT}', odd), (f'"symbol":{TEXT}', odd)),
        )
    for n, odd in enumerate(FREE):
        title = (f'"title":{TEXT}', odd)
        yield Fault(endpoint="products", after=n, count=1, replace=(title,))
        yield Fault(endpoint="skus", after=n, count=1, replace=(title, (f'"ram":{TEXT}', odd)))


def keys_of(night: Night, customers: set[str]) -> set[Key]:
    return {key for key in night.inventory_truth(1) if key[1] in customers}


@pytest.mark.asyncio
async def test_fields_that_decide_nothing_cost_nothing(tmp_path: Path) -> None:
    """P36: on the first night, every verdict is the truth, and nothing is unanswered."""
    async with nights(tmp_path, 5, size=SIZE) as night:
        night.sandbox.faults = Faults(lenient_faults(night))
        report = await night.run(1)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(1)
        assert night.availability() == night.availability_truth(1)
        replaced = {r.endpoint for r in night.sandbox.log.records if r.fault == "replace"}
        assert len(replaced) >= 8
        assert night.rows("SELECT * FROM unanswered") == []
        names = night.rows("SELECT * FROM latest_customer WHERE company_name LIKE '%\ufffd%'")
        assert names


@pytest.mark.asyncio
async def test_an_item_that_cannot_be_used_costs_itself_and_is_told(tmp_path: Path) -> None:
    """P36: one in each listing and each reply, first and on a later night."""
    async with nights(tmp_path, 5, size=SIZE) as night:
        odd_customer, *others = customers_of(night)
        lost = {odd_customer.customer_id}
        subscribed = others[: len(SPOILED)]
        faults = [
            Fault(
                endpoint="customers",
                partner=night.world.partners()[0].name,
                replace=(in_item(odd_customer.customer_id, "relationshipToPartner", "{}"),),
            )
        ]
        for n, customer in enumerate(subscribed):
            odd = SPOILED[n % len(SPOILED)]
            faults.append(
                Fault(
                    endpoint="subscriptions",
                    customer=customer.customer_id,
                    # a new item in front, so that everything that is known can still be read
                    replace=in_front(f'{{"id":{odd}}}'),
                )
            )
        faults += [
            Fault(
                endpoint=name,
                replace=in_front('{"id":null},null'),
            )
            for name in ("entitlements", "products", "skus")
        ]
        faults.append(
            Fault(
                endpoint=("check_inventory", "by_resource_type"),
                replace=((r"^(\[)", '[{"productId":"X","skuId":"0001","isRestricted":"no"},'),),
                count=1,
            )
        )
        for _ in range(2):
            night.sandbox.faults = Faults(faults)
            events = RecordedEvents()
            report = await night.run(1, progress=events)
            assert report.exit in {0, 3}
            assert all(snapshot.published for snapshot in report.snapshots)
            assert sum(sum(snapshot.changes.values()) for snapshot in report.snapshots) == 0
            told = [fields for name, fields in events.events if name == "item.set_apart"]
            assert {str(fields["endpoint"]) for fields in told} >= {
                "list_customers",
                "list_subscriptions",
                "list_azure_entitlements",
                "list_products",
                "list_skus",
                "check_inventory",
            }
            [page] = [fields for fields in told if fields["endpoint"] == "list_customers"]
            assert odd_customer.customer_id in str(page["names"]).lower()
            truth, found = night.inventory_truth(1), night.inventory()
            assert found.keys() <= truth.keys()
            missing = truth.keys() - found.keys()
            assert missing <= keys_of(night, lost)
            assert {key: truth[key] for key in found} == found
        night.sandbox.faults = Faults()
        report = await night.run(1)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(1)
        assert night.availability() == night.availability_truth(1)
        assert night.rows("SELECT * FROM change") == []


@pytest.mark.asyncio
async def test_a_fault_of_all_data_is_not_tried_again_all_night(tmp_path: Path) -> None:
    """P36: 69 would be retried."""
    async with nights(tmp_path, 5, size=SIZE) as night:
        body = '{"totalCount":2,"items":[{"id":null},{"id":5}]}'
        night.sandbox.faults = Faults([Fault(endpoint="customers", body=body)])
        with pytest.raises(AuditorError, match="none of the 2 customers listed") as caught:
            await night.run(1)
        assert caught.value.exit_status == 65
