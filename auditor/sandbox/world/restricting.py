"""What the script does to inventory: restrictions that come, go and change."""

import random

from auditor.sandbox.world import draws
from auditor.sandbox.world.draft import Draft, Kind
from auditor.sandbox.world.draws import happens
from auditor.sandbox.world.places import REGIONS
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.state import OMITTED, Restrictions
from auditor.sandbox.world.things import AzureSubscription, Customer, Restriction, Sku, SkuKey

COMMON_CODE = "NotAvailableForSubscription"
RARE_CODE = "QuotaId"

PAIRS = {region.name: region.paired_with for region in REGIONS}

OUTAGE_LASTS = 3
"""Nights."""


def base_restrictions(portfolio: Portfolio) -> dict[str, Restrictions]:
    """Return what is restricted on the first night, by Azure subscription."""
    grid: dict[tuple[str, str], list[Sku]] = {}
    for product in portfolio.products:
        for sku in product.skus:
            if sku.asks_inventory:
                grid.setdefault((product.product_id, sku.arm_region), []).append(sku)
    return {
        azure_id: _base(draws.stream(portfolio.seed, "restricted", azure_id), grid)
        for azure_id in portfolio.azure_by_id
    }


def _base(draw: random.Random, grid: dict[tuple[str, str], list[Sku]]) -> Restrictions:
    made: Restrictions = {}
    places = list(grid)
    without_region = draw.choice(places)[1] if happens(draw, 8) else None
    for place in places:
        if place[1] == without_region or happens(draw, 2.5):
            reason = make_restriction(draw, place[1])
            made.update(dict.fromkeys((sku.key for sku in grid[place]), (reason,)))
        elif happens(draw, 8):
            sku = draw.choice(grid[place])
            made[sku.key] = (make_restriction(draw, sku.arm_region),)
    if happens(draw, 20):
        made[draw.choice(grid[draw.choice(places)]).key] = OMITTED
    return made


def make_restriction(draw: random.Random, region: str) -> Restriction:
    if happens(draw, 4):
        return Restriction(RARE_CODE, (region,), extra=(("zone", draw.choice("123")),))
    values = (region, PAIRS[region]) if happens(draw, 20) else (region,)
    return Restriction(COMMON_CODE, tuple(sorted(values)))


def restrict_and_lift(draft: Draft) -> None:
    """Let single SKUs be restricted, lifted, changed, left out and offered again; then outages."""
    audited = draft.still_audited()
    _end_outage(draft)
    for customer, azure in draft.some(audited, 40, at_least=3):
        _restrict_one(draft, customer, azure)
    holding = [(c, a) for c, a in audited if draft.state.restrictions.get(a.azure_subscription_id)]
    for customer, azure in draft.some(holding, 30, at_least=3):
        _lift_one(draft, customer, azure)
    for customer, azure in draft.some(holding, 12, at_least=2):
        _change_one(draft, customer, azure)
    for customer, azure in draft.some(audited, 6):
        _omit_one(draft, customer, azure)
    _offer_again(draft, holding)
    if draft.state.night % 2 == 0 or draft.state.night % 8 == 5:  # noqa: PLR2004 - a rhythm
        _begin_outage(draft, audited, whole_region=draft.state.night % 2 == 1)


def _set(draft: Draft, azure_id: str, changes: Restrictions) -> None:
    draft.state.restrictions[azure_id] = {**draft.state.restrictions.get(azure_id, {}), **changes}


def _unset(draft: Draft, azure_id: str, key: SkuKey) -> None:
    left = dict(draft.state.restrictions[azure_id])
    left.pop(key, None)
    draft.state.restrictions[azure_id] = left


def _restricted_keys(draft: Draft, customer: Customer, azure: AzureSubscription) -> list[Sku]:
    known = draft.state.restrictions.get(azure.azure_subscription_id, {})
    return [sku for sku in draft.askable(customer.country) if known.get(sku.key)]


def _restrict_one(draft: Draft, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    known = draft.state.restrictions.get(azure_id, {})
    free = [sku for sku in draft.askable(customer.country) if sku.key not in known]
    if not free:
        return
    sku = draft.draw.choice(free)
    if draft.touch((azure_id, sku.key)):
        _set(draft, azure_id, {sku.key: (make_restriction(draft.draw, sku.arm_region),)})
        draft.tell(
            Kind.SKU_RESTRICTED,
            customer_id=customer.customer_id,
            subscription_id=azure_id,
            key=sku.key,
        )


def _lift_one(draft: Draft, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    restricted = _restricted_keys(draft, customer, azure)
    for sku in draft.draw.sample(restricted, min(len(restricted), draft.draw.randint(1, 3))):
        if draft.touch((azure_id, sku.key)):
            _unset(draft, azure_id, sku.key)
            draft.tell(
                Kind.RESTRICTION_LIFTED,
                customer_id=customer.customer_id,
                subscription_id=azure_id,
                key=sku.key,
            )


def _change_one(draft: Draft, customer: Customer, azure: AzureSubscription) -> None:
    azure_id = azure.azure_subscription_id
    restricted = _restricted_keys(draft, customer, azure)
    if not restricted:
        return
    sku = draft.draw.choice(restricted)
    before = draft.state.restrictions[azure_id][sku.key]
    if before is None or not draft.touch((azure_id, sku.key)):
        return
    _set(draft, azure_id, {sku.key: _otherwise(draft.draw, before, sku.arm_region)})
    draft.tell(
        Kind.RESTRICTION_CHANGED,
        customer_id=customer.customer_id,
        subscription_id=azure_id,
        key=sku.key,
    )


def _otherwise(
    draw: random.Random, before: tuple[Restriction, ...], region: str
) -> tuple[Restriction, ...]:
    """Return another set of reasons: with or without the paired region, or with a second code."""
    first = before[0]
    both = tuple(sorted((region, PAIRS[region])))
    if len(before) > 1:
        return before[:1]
    if first.reason_code == RARE_CODE:
        return (Restriction(COMMON_CODE, both),)
    if happens(draw, 25):
        return (first, Restriction(RARE_CODE, (region,)))
    return (Restriction(COMMON_CODE, (region,) if len(first.values) > 1 else both),)


def _omit_one(draft: Draft, customer: Customer, azure: AzureSubscription) -> None:
    """Leave a SKU out of the catalog of one customer, for all of the customer's subscriptions."""
    known = draft.state.restrictions.get(azure.azure_subscription_id, {})
    listed = [s for s in draft.askable(customer.country) if known.get(s.key, ()) is not OMITTED]
    if not listed:
        return
    sku = draft.draw.choice(listed)
    owned = _azure_ids(customer)
    if not draft.touch_all((azure_id, sku.key) for azure_id in owned):
        return
    for azure_id in owned:
        _set(draft, azure_id, {sku.key: OMITTED})
    draft.tell(Kind.SKU_OMITTED, customer_id=customer.customer_id, key=sku.key)


def _azure_ids(customer: Customer) -> list[str]:
    return [
        azure.azure_subscription_id
        for held in customer.subscriptions
        for azure in held.azure_subscriptions
    ]


def _offer_again(draft: Draft, holding: list[tuple[Customer, AzureSubscription]]) -> None:
    omitted = [
        (customer, azure.azure_subscription_id, sku.key)
        for customer, azure in holding
        for sku in draft.askable(customer.country)
        if draft.state.restrictions[azure.azure_subscription_id].get(sku.key, ()) is OMITTED
    ]
    for customer, azure_id, key in draft.some(omitted, 60):
        if draft.touch((azure_id, key)):
            _unset(draft, azure_id, key)
            draft.tell(
                Kind.SKU_OFFERED_AGAIN,
                customer_id=customer.customer_id,
                subscription_id=azure_id,
                key=key,
            )


def _begin_outage(
    draft: Draft, audited: list[tuple[Customer, AzureSubscription]], *, whole_region: bool
) -> None:
    """Restrict one region for several customers: of one family or, now and then, of all."""
    draw = draft.draw
    skus = draft.askable(audited[0][0].country) if audited else []
    if not skus:
        return
    example = draw.choice(skus)
    customers = dict.fromkeys(customer.customer_id for customer, _ in audited)
    hit = set(draft.some(list(customers), 8 if whole_region else 20, at_least=2))
    reason = (Restriction(COMMON_CODE, (example.arm_region,)),)
    taken: list[tuple[str, SkuKey]] = []
    for customer, azure in audited:
        if customer.customer_id not in hit:
            continue
        azure_id = azure.azure_subscription_id
        known = draft.state.restrictions.get(azure_id, {})
        keys = [
            sku.key
            for sku in draft.askable(customer.country)
            if sku.arm_region == example.arm_region
            and (whole_region or sku.product_id == example.product_id)
            and sku.key not in known
            and draft.touch((azure_id, sku.key))
        ]
        _set(draft, azure_id, dict.fromkeys(keys, reason))
        taken += [(azure_id, key) for key in keys]
    draft.state.outages[draft.state.night] = tuple(taken)
    product_id = "" if whole_region else example.product_id
    draft.tell(Kind.REGION_RESTRICTED, region=example.arm_region, key=(product_id, ""))


def _end_outage(draft: Draft) -> None:
    taken = draft.state.outages.pop(draft.state.night - OUTAGE_LASTS, ())
    for azure_id, key in taken:
        if draft.state.restrictions[azure_id].get(key) and draft.touch((azure_id, key)):
            _unset(draft, azure_id, key)
    if taken:
        draft.tell(Kind.REGION_LIFTED, key=(taken[0][1][0], ""))
