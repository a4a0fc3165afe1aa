"""Changes the inventory from night to night: restrictions come, go and change."""

import random

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import AzureSubscription, Customer, Restriction, Sku, SkuKey
from auditor.sandbox.world.night_builder import Kind, NightBuilder
from auditor.sandbox.world.places import REGIONS
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.seeded import happens
from auditor.sandbox.world.state import OMITTED, Restrictions

COMMON_CODE = "NotAvailableForSubscription"
RARE_CODE = "QuotaId"

PAIRS = {region.name: region.paired_with for region in REGIONS}

OUTAGE_LASTS = 3
"""The number of nights that a regional outage lasts."""


def base_restrictions(portfolio: Portfolio) -> dict[str, Restrictions]:
    """Return the restrictions of the first night, by Azure subscription."""
    grid: dict[tuple[str, str], list[Sku]] = {}
    for product in portfolio.products:
        for sku in product.skus:
            if sku.asks_inventory:
                grid.setdefault((product.product_id, sku.arm_region), []).append(sku)
    return {
        azure_id: _base(seeded.generator(portfolio.seed, "restricted", azure_id), grid)
        for azure_id in portfolio.azure_by_id
    }


def _base(rng: random.Random, grid: dict[tuple[str, str], list[Sku]]) -> Restrictions:
    made: Restrictions = {}
    places = list(grid)
    without_region = rng.choice(places)[1] if happens(rng, 8) else None
    for place in places:
        if place[1] == without_region or happens(rng, 2.5):
            reason = make_restriction(rng, place[1])
            made.update(dict.fromkeys((sku.key for sku in grid[place]), (reason,)))
        elif happens(rng, 8):
            sku = rng.choice(grid[place])
            made[sku.key] = (make_restriction(rng, sku.arm_region),)
    if happens(rng, 20):
        made[rng.choice(grid[rng.choice(places)]).key] = OMITTED
    return made


def make_restriction(rng: random.Random, region: str) -> Restriction:
    if happens(rng, 4):
        return Restriction(RARE_CODE, (region,), extra=(("zone", rng.choice("123")),))
    values = (region, PAIRS[region]) if happens(rng, 20) else (region,)
    return Restriction(COMMON_CODE, tuple(sorted(values)))


def restrict_and_lift(builder: NightBuilder) -> None:
    """Restrict, lift, change, omit and offer again single SKUs; begin and end regional outages."""
    audited = builder.audited_on_both_nights()
    _end_outage(builder)
    for customer, azure in builder.sample(audited, 40, at_least=3):
        _restrict_one(builder, customer, azure)
    holding = [
        (c, a) for c, a in audited if builder.state.restrictions.get(a.azure_subscription_id)
    ]
    for customer, azure in builder.sample(holding, 30, at_least=3):
        _lift_one(builder, customer, azure)
    for customer, azure in builder.sample(holding, 12, at_least=2):
        _change_one(builder, customer, azure)
    for customer, azure in builder.sample(audited, 6):
        _omit_one(builder, customer, azure)
    _offer_again(builder, holding)
    if builder.state.night % 2 == 0 or builder.state.night % 8 == 5:  # noqa: PLR2004 - a rhythm
        _begin_outage(builder, audited, whole_region=builder.state.night % 2 == 1)


def _set(builder: NightBuilder, azure_id: str, changes: Restrictions) -> None:
    builder.state.restrictions[azure_id] = {
        **builder.state.restrictions.get(azure_id, {}),
        **changes,
    }


def _unset(builder: NightBuilder, azure_id: str, key: SkuKey) -> None:
    left = dict(builder.state.restrictions[azure_id])
    left.pop(key, None)
    builder.state.restrictions[azure_id] = left


def _restricted_keys(
    builder: NightBuilder, customer: Customer, azure: AzureSubscription
) -> list[Sku]:
    known = builder.state.restrictions.get(azure.azure_subscription_id, {})
    return [sku for sku in builder.checked_skus(customer.country) if known.get(sku.key)]


def _restrict_one(builder: NightBuilder, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    known = builder.state.restrictions.get(azure_id, {})
    free = [sku for sku in builder.checked_skus(customer.country) if sku.key not in known]
    if not free:
        return
    sku = builder.rng.choice(free)
    if builder.claim((azure_id, sku.key)):
        _set(builder, azure_id, {sku.key: (make_restriction(builder.rng, sku.arm_region),)})
        builder.record(
            Kind.SKU_RESTRICTED,
            customer_id=customer.customer_id,
            subscription_id=azure_id,
            key=sku.key,
        )


def _lift_one(builder: NightBuilder, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    restricted = _restricted_keys(builder, customer, azure)
    for sku in builder.rng.sample(restricted, min(len(restricted), builder.rng.randint(1, 3))):
        if builder.claim((azure_id, sku.key)):
            _unset(builder, azure_id, sku.key)
            builder.record(
                Kind.RESTRICTION_LIFTED,
                customer_id=customer.customer_id,
                subscription_id=azure_id,
                key=sku.key,
            )


def _change_one(builder: NightBuilder, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    restricted = _restricted_keys(builder, customer, azure)
    if not restricted:
        return
    sku = builder.rng.choice(restricted)
    before = builder.state.restrictions[azure_id][sku.key]
    if before is None or not builder.claim((azure_id, sku.key)):
        return
    _set(builder, azure_id, {sku.key: _otherwise(builder.rng, before, sku.arm_region)})
    builder.record(
        Kind.RESTRICTION_CHANGED,
        customer_id=customer.customer_id,
        subscription_id=azure_id,
        key=sku.key,
    )


def _otherwise(
    rng: random.Random, before: tuple[Restriction, ...], region: str
) -> tuple[Restriction, ...]:
    """Return other restrictions: with or without the paired region, or with a second code."""
    first = before[0]
    both = tuple(sorted((region, PAIRS[region])))
    if len(before) > 1:
        return before[:1]
    if first.reason_code == RARE_CODE:
        return (Restriction(COMMON_CODE, both),)
    if happens(rng, 25):
        return (first, Restriction(RARE_CODE, (region,)))
    return (Restriction(COMMON_CODE, (region,) if len(first.values) > 1 else both),)


def _omit_one(builder: NightBuilder, customer: Customer, azure: AzureSubscription) -> None:
    """Omit a SKU from one customer's catalog, for all of the customer's subscriptions."""
    known = builder.state.restrictions.get(azure.azure_subscription_id, {})
    listed = [
        s for s in builder.checked_skus(customer.country) if known.get(s.key, ()) is not OMITTED
    ]
    if not listed:
        return
    sku = builder.rng.choice(listed)
    owned = _azure_ids(customer)
    if not builder.claim_all((azure_id, sku.key) for azure_id in owned):
        return
    for azure_id in owned:
        _set(builder, azure_id, {sku.key: OMITTED})
    builder.record(Kind.SKU_OMITTED, customer_id=customer.customer_id, key=sku.key)


def _azure_ids(customer: Customer) -> list[str]:
    return [
        azure.azure_subscription_id
        for held in customer.subscriptions
        for azure in held.azure_subscriptions
    ]


def _offer_again(builder: NightBuilder, holding: list[tuple[Customer, AzureSubscription]]) -> None:
    omitted = [
        (customer, azure.azure_subscription_id, sku.key)
        for customer, azure in holding
        for sku in builder.checked_skus(customer.country)
        if builder.state.restrictions[azure.azure_subscription_id].get(sku.key, ()) is OMITTED
    ]
    for customer, azure_id, key in builder.sample(omitted, 60):
        if builder.claim((azure_id, key)):
            _unset(builder, azure_id, key)
            builder.record(
                Kind.SKU_OFFERED_AGAIN,
                customer_id=customer.customer_id,
                subscription_id=azure_id,
                key=key,
            )


def _begin_outage(
    builder: NightBuilder, audited: list[tuple[Customer, AzureSubscription]], *, whole_region: bool
) -> None:
    """Restrict one region for several customers: SKUs of one family or, sometimes, of all."""
    rng = builder.rng
    skus = builder.checked_skus(audited[0][0].country) if audited else []
    if not skus:
        return
    example = rng.choice(skus)
    customers = dict.fromkeys(customer.customer_id for customer, _ in audited)
    hit = set(builder.sample(list(customers), 8 if whole_region else 20, at_least=2))
    reason = (Restriction(COMMON_CODE, (example.arm_region,)),)
    taken: list[tuple[str, SkuKey]] = []
    for customer, azure in audited:
        if customer.customer_id not in hit:
            continue
        azure_id = azure.azure_subscription_id
        known = builder.state.restrictions.get(azure_id, {})
        keys = [
            sku.key
            for sku in builder.checked_skus(customer.country)
            if sku.arm_region == example.arm_region
            and (whole_region or sku.product_id == example.product_id)
            and sku.key not in known
            and builder.claim((azure_id, sku.key))
        ]
        _set(builder, azure_id, dict.fromkeys(keys, reason))
        taken += [(azure_id, key) for key in keys]
    builder.state.outages[builder.state.night] = tuple(taken)
    product_id = "" if whole_region else example.product_id
    builder.record(Kind.REGION_RESTRICTED, region=example.arm_region, key=(product_id, ""))


def _end_outage(builder: NightBuilder) -> None:
    taken = builder.state.outages.pop(builder.state.night - OUTAGE_LASTS, ())
    for azure_id, key in taken:
        if builder.state.restrictions[azure_id].get(key) and builder.claim((azure_id, key)):
            _unset(builder, azure_id, key)
    if taken:
        builder.record(Kind.REGION_LIFTED, key=(taken[0][1][0], ""))
