"""Scopes other than the default: each run checks its scope and leaves all other keys intact."""

from pathlib import Path

import pytest

from auditor.model import CheckKind
from auditor.sandbox import World
from auditor.sandbox.world.model import SAVINGS_PLAN
from auditor.settings import AvailabilityScope, CustomerCountry
from tests.builders.nightly import SMALL, nights


@pytest.mark.asyncio
async def test_reservations_are_priced_by_country_and_licences_by_customer(tmp_path: Path) -> None:
    """docs/decisions/0003."""
    world = World(4, SMALL)
    reservation = world.products(1, "DE", "AzureReservationsVM", "AzurePlan")[0].product_id
    licence = world.products(1, "DE", "OnlineServicesNCE")[0].product_id
    async with nights(tmp_path, 4) as night:
        scope = night.scoped(availability=AvailabilityScope.LISTED, products=(reservation, licence))
        await night.run(1, settings=scope)
        rows = night.rows("SELECT * FROM latest_availability")
        by_country = {
            (r["partner_tenant_id"], r["country"], r["product_id"], r["sku_id"], r["verdict"])
            for r in rows
            if not r["customer_id"]
        }
        expected = {
            (partner.partner_tenant_id, country, sku.product_id, sku.sku_id, verdict)
            for partner in night.world.partners()
            for country in partner.countries
            for sku in night.world.skus(1, partner.partner_tenant_id, country, "AzurePlan")
            if sku.product_id == reservation and sku.asks_inventory
            for offer in night.world.availabilities(
                1, partner.partner_tenant_id, None, country, sku.product_id, sku.sku_id
            )
            or ()
            for verdict in ["purchasable" if offer.is_purchasable else "not_purchasable"]
            if offer.segment == "commercial"
        }
        assert by_country == expected
        assert licence in {r["product_id"] for r in rows if r["customer_id"]}
        assert reservation not in {r["product_id"] for r in rows if r["customer_id"]}


@pytest.mark.asyncio
async def test_configured_savings_plans_are_checked_for_every_customer(
    tmp_path: Path,
) -> None:
    """They are in no country's catalog; only customers with an Azure plan can buy them."""
    async with nights(tmp_path, 4) as night:
        settings = night.scoped(availability_always=(SAVINGS_PLAN,))
        for when in (1, 1, 2):
            report = await night.run(when, settings=settings)
            assert report.exit == 0
        found = {
            (r["customer_id"], r["sku_id"], r["term_duration"]): r["verdict"]
            for r in night.rows(
                f"SELECT * FROM latest_availability WHERE product_id = '{SAVINGS_PLAN}'"
                " AND verdict <> 'not_in_catalog'"
            )
        }
        state = night.world.state(2)
        holders = {
            customer.customer_id
            for partner in night.world.partners()
            for customer in night.world.customers(partner, 2)
            if state.is_sold_to(customer) and customer.country in partner.countries
            for held in state.commerce(customer)
            if held.kind == "azure_plan" and state.status(held) == "active"
        }
        assert set(found.values()) == {"purchasable"}
        assert found.keys() == {
            (customer, *term) for customer in holders for term in (("0001", "P1Y"), ("0002", "P3Y"))
        }
        changes = night.rows(f"SELECT * FROM change WHERE product_id = '{SAVINGS_PLAN}'")
        assert {row["customer_id"] for row in changes} <= holders


@pytest.mark.asyncio
async def test_a_country_run_checks_its_country_alone_and_keeps_the_others(
    tmp_path: Path,
) -> None:
    async with nights(tmp_path, 4) as night:
        await night.run(1)
        before = night.availability()
        report = await night.run(2, countries=("DE",))
        assert [s.published for s in report.snapshots] == [True]
        found, one, two = night.inventory(), night.inventory_truth(1), night.inventory_truth(2)
        assert {k: v for k, v in found.items() if k[2] == "DE"} == {
            k: v for k, v in two.items() if k[2] == "DE"
        }
        left = {k[1] for k in one} - {k[1] for k in two}
        assert {k: v for k, v in found.items() if k[2] != "DE" and k[1] not in left} == {
            k: v for k, v in one.items() if k[2] != "DE" and k[1] not in left
        }
        assert not night.sandbox.log.of("customer_availabilities", night=2)
        assert night.availability().keys() <= before.keys()
        kinds = {r["kind"] for r in night.rows("SELECT kind FROM snapshot")}
        assert kinds == {"full", "partial"}


@pytest.mark.asyncio
async def test_customer_country_all_checks_every_country_of_the_partner(tmp_path: Path) -> None:
    async with nights(tmp_path, 4) as night:
        await night.run(1, settings=night.scoped(customer_country=CustomerCountry.ALL))
        asked = {(key[0], key[2]) for key in night.inventory()}
        sold = {(p.partner_tenant_id, c) for p in night.world.partners() for c in p.countries}
        assert asked == {pair for pair in sold if pair[1] != "BR"}


@pytest.mark.asyncio
async def test_a_run_of_one_kind_of_check_carries_the_other(tmp_path: Path) -> None:
    async with nights(tmp_path, 4) as night:
        await night.run(1)
        await night.run(1, settings=night.scoped(checks=(CheckKind.AVAILABILITY,)))
        assert night.inventory() == night.inventory_truth(1)
        report = await night.run(1)
        assert {n for s in report.snapshots for n in s.changes} == set()


@pytest.mark.asyncio
async def test_the_library_reads_what_the_run_wrote(tmp_path: Path) -> None:
    async with nights(tmp_path, 4) as night:
        await night.run(1)
        frame = night.store.table("latest_inventory")
        customer = frame["customer_id"].iloc[0]
        assert set(frame["sku_id"].map(type)) == {str}
        one = night.store.table("latest_inventory", customer=customer)
        assert set(one["customer_id"]) == {customer}
        name = one["company_name"].iloc[0]
        assert len(night.store.table("latest_inventory", customer=name)) == len(one)
