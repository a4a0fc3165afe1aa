"""A reply with some bad items: its good items are used, and the others change nothing."""

import asyncio
import io
import json
import shutil
from pathlib import Path

import pytest

from auditor.cli.shell import main
from auditor.journal.journal import Journal
from auditor.model import SPOILED_ITEM
from auditor.normalize.inventory import DISAGREEING_DUPLICATES, MISMATCHED_ECHO
from auditor.sandbox import Fault, Faults
from tests.builders.nightly import Night, nights

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
async def test_unrequested_items_lift_no_restriction_and_remove_no_key(
    tmp_path: Path,
) -> None:
    """Row 25: a reply about another SKU is a failed check, and is kept for inspection."""
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
async def test_a_bad_item_keeps_its_verdict_and_the_others_get_theirs(
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


def show(night: Night, folder: Path, *words: str) -> tuple[int, str, str]:
    """Return exit status, stdout and stderr of `snapshots show`."""
    out, err = io.StringIO(), io.StringIO()
    arguments = ["snapshots", "show", *words, "--config", str(folder / "auditor.toml")]
    status = main(arguments, night.environ, io.StringIO(), out, err)
    return status, out.getvalue(), err.getvalue()


@pytest.mark.asyncio
async def test_unusable_replies_are_listed_with_their_content(tmp_path: Path) -> None:
    """P24: for checks and discovery; the run goes on and publishes the rest."""
    faults = Faults(
        [
            Fault(endpoint="check_inventory", share=0.3, body="<html>\x1b[2J</html>"),
            Fault(endpoint="subscriptions", share=0.2, body="[" * 100_000),
            Fault(endpoint="customer_availabilities", share=0.5, body='{"items":[]} and more'),
        ]
    )
    async with nights(tmp_path, 5, faults=faults) as night:
        report = await night.run(1)
        found = []
        for snapshot in report.snapshots:
            status, out, _ = await asyncio.to_thread(
                show, night, tmp_path, snapshot.snapshot_id, "--quarantine", "--format", "json"
            )
            assert status == 0
            assert "\x1b" not in out
            found += json.loads(out)
        status, as_table, _ = await asyncio.to_thread(
            show, night, tmp_path, report.snapshots[0].snapshot_id, "--quarantine"
        )
        for folder in (tmp_path / "state" / "runs").iterdir():
            shutil.rmtree(folder)
        elsewhere = await asyncio.to_thread(
            show, night, tmp_path, report.snapshots[0].snapshot_id, "--quarantine"
        )
    faulty = [r for r in night.sandbox.log.records if r.fault == "body"]
    assert len(found) == len(faulty)
    assert {row["endpoint"] for row in found} == {
        "check_inventory",
        "list_subscriptions",
        "list_customer_availabilities",
    }
    assert "<html>\x1b[2J</html>" in {row["body"] for row in found}
    assert status == 0
    assert "body" not in as_table
    assert elsewhere[0] == 66
    assert "another machine" in elsewhere[2]
