"""Every alternative is unrestricted in the world, for ten worlds."""

import asyncio
from pathlib import Path

import pytest

from auditor.questions.alternatives import alternatives
from auditor.questions.skus import AskedSku
from auditor.sandbox import WorldSize
from tests.builders.nightly import Night, nights

SIZE = WorldSize(partners=1, customers=8, products=3, regions=3, licence_products=2)


PLAN = "DZH318Z09V6F"


@pytest.mark.parametrize("seed", range(1, 11))
def test_each_suggestion_can_be_bought_by_this_customer(seed: int, tmp_path: Path) -> None:
    night = asyncio.run(audited(seed, tmp_path))
    restricted = night.rows(
        "SELECT customer_id, product_id, sku_id FROM current_inventory"
        " WHERE verdict = 'restricted' ORDER BY ALL LIMIT 4"
    )
    truth = {
        (*key[:4], *key[6:]): verdict for key, (verdict, _, _) in night.inventory_truth(1).items()
    }
    plans = {
        row["customer_id"]
        for row in night.store.arrow("current_availability", product=PLAN).to_pylist()
        if row["verdict"] == "purchasable"
    }
    suggested = 0
    for asked in restricted:
        sku = AskedSku(product_id=asked["product_id"], sku_id=asked["sku_id"])
        for row in alternatives(night.store, asked["customer_id"], sku).table.to_pylist():
            suggested += 1
            if row["difference"] == "savings_plan":
                assert asked["customer_id"] in plans
                continue
            key = (row["partner_tenant_id"], asked["customer_id"], row["country"])
            ids = (row["azure_subscription_id"], row["product_id"], row["sku_id"])
            assert truth[*key, *ids] == "unrestricted"
    assert suggested or not restricted


async def audited(seed: int, folder: Path) -> Night:
    """Return a world after its first night, with savings plans asked for every customer."""
    async with nights(folder, seed, size=SIZE) as night:
        await night.run(1, settings=night.scoped(availability_always=[PLAN]))
        return night
