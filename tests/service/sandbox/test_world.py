"""The made-up world: repeatable, changing from night to night, the same in any order of calls."""

import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping

import pytest

from auditor.sandbox import World, WorldSize
from auditor.sandbox.world.night_builder import Kind
from tests.builders.nightly import seeds

SMALL = WorldSize(partners=2, customers=20, products=3, regions=2, sizes_per_product=1)

FINGERPRINT = """
import hashlib, json
from auditor.sandbox import World, WorldSize
world = World({seed}, WorldSize(partners=2, customers=20, products=3, regions=2,
                                sizes_per_product=1))
rows = [[*world.inventory_truth(n), *world.availability_truth(n)] for n in (1, 2, 5)]
print(hashlib.sha256(json.dumps(rows).encode()).hexdigest())
"""

SEEDS = seeds(range(4), range(4, 10))


def fingerprint(world: World, nights: tuple[int, ...] = (1, 2, 5)) -> str:
    rows = [[*world.inventory_truth(n), *world.availability_truth(n)] for n in nights]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


@pytest.mark.parametrize("hash_seed", ["0", "4242"])
def test_another_process_makes_the_same_world(hash_seed: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FINGERPRINT.format(seed=7)],
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.stdout.strip() == fingerprint(World(7, SMALL))


def test_worlds_of_different_seeds_differ() -> None:
    assert fingerprint(World(7, SMALL)) != fingerprint(World(8, SMALL))


def test_nights_can_be_asked_in_any_order() -> None:
    backwards = World(3, SMALL)
    late = list(backwards.inventory_truth(6))
    assert list(World(3, SMALL).inventory_truth(1)) == list(backwards.inventory_truth(1))
    forwards = World(3, SMALL)
    for night in range(1, 6):
        list(forwards.inventory_truth(night))
    assert list(forwards.inventory_truth(6)) == late


def test_the_current_night_changes_no_truth() -> None:
    world = World(3, SMALL)
    before = fingerprint(world)
    world.night = 4
    assert fingerprint(world) == before


def test_a_night_before_the_first_is_refused() -> None:
    world = World(1, SMALL)
    with pytest.raises(ValueError, match="counted from 1"):
        world.night = 0
    with pytest.raises(ValueError, match="counted from 1"):
        world.state(0)


@pytest.mark.parametrize(
    "size",
    [
        WorldSize(partners=1, customers=1, products=1, regions=1, sizes_per_product=1),
        WorldSize(partners=3, customers=2, products=0, licence_products=0),
        WorldSize(partners=7, customers=40, products=14, regions=20, licence_products=15),
    ],
)
def test_worlds_of_any_size_have_several_nights(size: WorldSize) -> None:
    world = World(5, size)
    for night in range(1, 7):
        list(world.inventory_truth(night, since=1))
        list(world.availability_truth(night, since=1))


def test_portfolios_have_the_cases_that_are_hard_to_audit() -> None:
    world = World(11)
    customers = [one for partner in world.partners() for one in world.customers(partner, 1)]
    held = [one for c in customers for one in world.commerce_subscriptions(c.customer_id, 1)]
    sold_in = {country for partner in world.partners() for country in partner.countries}
    assert {"reseller", "none", "advisor"} <= {one.relationship for one in customers}
    assert any(one.country not in sold_in for one in customers)
    assert any(one.country == "BR" for one in customers)
    assert any(one.reseller_id for one in customers)
    kinds = {"azure_plan", "azure_legacy", "licence", "legacy_licence"}
    assert kinds <= {one.kind for one in held}
    assert {"active", "suspended", "expired", "deleted"} <= {one.status for one in held}
    assert {"Registered", "NotRegistered"} <= {one.registration for one in held}
    assert any(one.commitment_end.year == 9999 and one.kind == "licence" for one in held)
    assert any(one.next_product for one in held)
    assert {0, 1, 2, 3} <= {
        len(one.azure_subscriptions) for one in held if one.kind == "azure_plan"
    }


def test_catalogs_of_the_two_reservation_scopes_differ() -> None:
    world = World(11)
    tenant = world.partners()[0].partner_tenant_id
    plan = {sku.key for sku in world.skus(1, tenant, "DE", "AzurePlan")}
    legacy = {sku.key for sku in world.skus(1, tenant, "DE", "")}
    assert plan - legacy
    assert legacy - plan
    assert plan & legacy


def test_the_catalog_has_ids_and_regions_that_are_easily_spoiled() -> None:
    world = World(11)
    skus = world.skus(1, world.partners()[0].partner_tenant_id, "DE", "AzurePlan")
    ids = {sku.sku_id for sku in skus}
    assert any(one.isdigit() and one.startswith("0") for one in ids)
    assert any("E" in one and one.replace("E", "").isdigit() for one in ids)
    assert any(not sku.asks_inventory for sku in skus)
    regions = {str(sku.attributes["armRegionName"]) for sku in skus}
    assert any(region != region.lower() for region in regions)
    asking = {sku.product_id for sku in skus if sku.asks_region}
    assert len(asking) == 1


def test_no_market_without_reservations_has_any() -> None:
    world = World(11)
    assert world.products(1, "BR", "AzureReservationsVM", "AzurePlan") == ()
    assert world.products(1, "US", "AzureReservationsVM", "AzurePlan") != ()


Verdicts = Mapping[tuple[str, ...], tuple[str, ...]]


def inventory(world: World, night: int) -> Verdicts:
    return {
        (row["azure_subscription_id"], row["product_id"], row["sku_id"]): (
            row["verdict"],
            row["reason_codes"],
            row["restriction_values"],
        )
        for row in world.inventory_truth(night)
    }


def listed_keys(world: World, night: int) -> set[tuple[str, str]]:
    return {
        sku.key
        for partner in world.partners()
        for country in partner.countries
        for sku in world.skus(night, partner.partner_tenant_id, country, "AzurePlan")
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_the_first_four_nights_hold_every_kind_of_change(seed: int) -> None:
    world = World(seed)
    kinds: Counter[str] = Counter()
    for night in (2, 3, 4):
        before, after = inventory(world, night - 1), inventory(world, night)
        for key in before.keys() & after.keys():
            if before[key] != after[key]:
                kinds[f"{before[key][0]} to {after[key][0]}"] += 1
        kinds["new keys"] += len(after.keys() - before.keys())
        for event in world.events(night):
            kinds[event.kind] += 1
    # A region's restriction is lifted on night 5; a product returns two nights after it left.
    late = {Kind.REGION_LIFTED, Kind.PRODUCT_RETURNED}
    assert {str(kind) for kind in Kind if kind not in late} <= kinds.keys()
    assert {
        "unrestricted to restricted",
        "restricted to unrestricted",
        "restricted to restricted",
        "unrestricted to not_in_catalog",
        "not_in_catalog to unrestricted",
    } <= kinds.keys()
    assert kinds["new keys"]
    assert late <= {event.kind for night in (5, 6) for event in world.events(night)} | {
        event.kind for event in world.events(4)
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_skus_and_a_whole_product_leave_and_return(seed: int) -> None:
    world = World(seed)
    nights = {night: listed_keys(world, night) for night in range(1, 7)}
    products = {night: {key[0] for key in keys} for night, keys in nights.items()}
    assert all(nights[night] - nights[night + 1] for night in range(1, 4))
    assert all(nights[night + 1] - nights[night] for night in range(1, 4))
    assert (nights[1] - nights[2]) & (nights[3] | nights[4] | nights[5])
    assert products[1] - products[3]
    assert products[1] == products[6]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_second_night_shows_changes_of_availability(seed: int) -> None:
    world = World(seed)
    kinds = {event.kind for event in world.events(2)}
    assert {
        Kind.LICENCE_NOT_PURCHASABLE,
        Kind.LICENCE_PURCHASABLE,
        Kind.LICENCE_TERMS_CHANGED,
        Kind.LICENCE_TERM_GONE,
        Kind.LICENCE_GONE,
    } <= kinds
    before = {json.dumps(row) for row in world.availability_truth(1)}
    after = {json.dumps(row) for row in world.availability_truth(2)}
    assert before - after
    assert after - before


@pytest.mark.parametrize("seed", SEEDS[:1])
def test_no_night_changes_too_many_keys(seed: int) -> None:
    """Few keys change: in one subscription at most 20, or a fifth of its keys if that is more."""
    world = World(seed)
    for night in range(2, 9):
        before, after = inventory(world, night - 1), inventory(world, night)
        both = before.keys() & after.keys()
        changed = [key for key in both if before[key] != after[key]]
        assert 10 < len(changed) < 500
        by_azure = Counter(key[0] for key in changed)
        known = Counter(key[0] for key in both)
        assert all(count <= max(20, known[one] / 5) for one, count in by_azure.items())


@pytest.mark.parametrize("seed", range(5))
def test_customers_and_subscriptions_come_and_go(seed: int) -> None:
    world = World(seed)

    def there(night: int) -> tuple[set[str], set[str], set[str]]:
        customers = {c.customer_id for p in world.partners() for c in world.customers(p, night)}
        commerce = {
            s.commerce_subscription_id
            for c in customers
            for s in world.commerce_subscriptions(c, night)
        }
        azure = {
            (a.azure_subscription_id, a.status)
            for c in customers
            for a in world.azure_subscriptions(c, night)
        }
        return customers, commerce, {f"{one} {status}" for one, status in azure}

    first, second = there(1), there(2)
    for before, after in zip(first, second, strict=True):
        assert before - after
        assert after - before


def test_ids_are_reissued_although_nothing_else_changes() -> None:
    world = World(2)
    quiet = reissued = 0
    for row in list(world.availability_truth(1))[:300]:
        if row["verdict"] == "not_in_catalog":
            continue
        key = (row["partner_tenant_id"], row["customer_id"], row["market"])
        one, two = (
            world.availabilities(night, *key, row["product_id"], row["sku_id"]) or ()
            for night in (1, 2)
        )
        for before in one:
            quiet += any(before == after for after in two)
            reissued += any(
                before.availability_id != after.availability_id
                and before.is_purchasable == after.is_purchasable
                and before.segment == after.segment
                for after in two
            )
    assert quiet
    assert reissued


def test_keys_that_left_are_in_the_truth_only_of_audits_since_an_earlier_night() -> None:
    world = World(4)
    plain = {json.dumps(row) for row in world.inventory_truth(3)}
    with_past = [json.dumps(row) for row in world.inventory_truth(3, since=1)]
    extra = [json.loads(row) for row in with_past if row not in plain]
    assert plain <= set(with_past)
    assert extra
    assert {row["verdict"] for row in extra} == {"not_in_catalog"}
    listed = listed_keys(world, 3)
    missing = {(row["product_id"], row["sku_id"]) for row in extra}
    assert missing - listed


def test_unknown_ids_are_lookup_errors() -> None:
    world = World(1, SMALL)
    partner = world.partners()[0]
    azure = next(iter(world.portfolio.azure_by_id.values()))
    unknown_id = "00000000-0000-4000-8000-000000000000"
    key = ("DZH318Z0BXXX", "0001")
    with pytest.raises(LookupError):
        world.partner(unknown_id)
    with pytest.raises(LookupError):
        world.inventory_answer(
            1, partner.partner_tenant_id, "DE", unknown_id, azure.azure_subscription_id, "", *key
        )
    answer = world.inventory_answer(
        1,
        partner.partner_tenant_id,
        "DE",
        azure.customer_id,
        azure.azure_subscription_id.upper(),
        "",
        *key,
    )
    assert answer is None
