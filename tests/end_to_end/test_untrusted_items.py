"""A reply that can be trusted in part: its good items count, the others change nothing."""

import json
from pathlib import Path

import pytest
from nightly import Night, nights

from auditor.inventory_reply import DISAGREEING_DUPLICATES, MISMATCHED_ECHO, SPOILED_ITEM
from auditor.journal import Journal
from auditor.sandbox import Fault, Faults

FOREIGN = [{"productId": "DZH318Z0NONE", "skuId": "0001", "isRestricted": True}]


def a_customer(night: Night) -> str:
    """Return a customer with verdicts."""
    [row] = night.rows(
        "SELECT min(customer_id) AS customer_id FROM latest_inventory WHERE customer_id <> ''"
    )
    return str(row["customer_id"])


def reasons(night: Night, customer_id: str) -> dict[str, int]:
    rows = night.rows(
        "SELECT reason, count(*) AS checks FROM unanswered"
        f" WHERE kind = 'inventory' AND customer_id = '{customer_id}' GROUP BY reason"
    )
    return {row["reason"]: row["checks"] for row in rows}


@pytest.mark.asyncio
async def test_items_about_something_else_lift_nothing_and_take_nothing_away(
    tmp_path: Path,
) -> None:
    """Row 25: the swapped reply is a failed check, kept for whoever wants to see it."""
    async with nights(tmp_path, 5) as night:
        await night.run(1)
        customer_id = a_customer(night)
        swapped = Fault(endpoint="check_inventory", customer=customer_id, body=json.dumps(FOREIGN))
        night.sandbox.faults = Faults([swapped])
        report = await night.run(1)
        assert sum(sum(s.changes.values()) for s in report.snapshots) == 0
        assert night.inventory() == night.inventory_truth(1)
        assert reasons(night, customer_id).keys() == {MISMATCHED_ECHO}
        kept = [
            Journal(path)
            for path in (night.settings.state_dir / "runs" / report.run_id).glob("*.journal")
        ]
        assert sum(len(journal) for journal in kept) == len(
            [r for r in night.sandbox.log.records if r.fault == "body"]
        )
        for journal in kept:
            await journal.close()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("second", "reason"),
    [({"isRestricted": True}, DISAGREEING_DUPLICATES), ({"isRestricted": "true"}, SPOILED_ITEM)],
)
async def test_a_key_that_is_told_badly_keeps_its_verdict_and_its_neighbours_get_theirs(
    second: dict[str, object], reason: str, tmp_path: Path
) -> None:
    async with nights(tmp_path, 5) as night:
        await night.run(1)
        customer_id = a_customer(night)
        known = [
            r
            for r in night.rows("SELECT * FROM latest_inventory")
            if r["customer_id"] == customer_id
        ]
        products = {(r["azure_subscription_id"], r["product_id"]) for r in known}
        _, product_id = min(products)
        of_product = [r for r in known if r["product_id"] == product_id]
        spoiled = min(r["sku_id"] for r in of_product if r["verdict"] == "unrestricted")
        items = [
            {
                "productId": r["product_id"],
                "skuId": r["sku_id"],
                "isRestricted": r["verdict"] == "restricted",
            }
            for r in known
            if r["verdict"] != "not_in_catalog"
        ]
        items.append({"productId": product_id, "skuId": spoiled, **second})
        night.sandbox.faults = Faults(
            [Fault(endpoint="check_inventory", customer=customer_id, body=json.dumps(items))]
        )
        report = await night.run(1)
        after = {
            (r["azure_subscription_id"], r["product_id"], r["sku_id"]): r
            for r in night.rows("SELECT * FROM latest_inventory")
            if r["customer_id"] == customer_id
        }
        assert {k[1:]: r["verdict"] for k, r in after.items()}[
            product_id, spoiled
        ] == "unrestricted"
        assert reason in reasons(night, customer_id)
        fresh = {s.snapshot_id for s in report.snapshots}
        stale = {k[1:] for k, r in after.items() if r["checked_snapshot_id"] not in fresh}
        assert stale == {(product_id, spoiled)}
