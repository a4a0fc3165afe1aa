"""Changes customers, subscriptions and the catalog from night to night: they come, go, pause."""

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import (
    AZURE_PLAN,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Sku,
    SkuKey,
)
from auditor.sandbox.world.night_builder import Kind, NightBuilder
from auditor.sandbox.world.portfolio import Portfolio

PRODUCT_STAYS_OUT = 2
"""The number of nights that the retiring family is out of the catalog."""


def first_absent(portfolio: Portfolio) -> set[str]:
    """Return the customers and subscriptions that do not exist yet on the first night."""
    rng = seeded.generator(portfolio.seed, "absent")
    late = portfolio.customers[3 * len(portfolio.partners) :]
    customers = rng.sample(late, min(len(late), max(1, len(late) // 50)))
    absent = {customer.customer_id for customer in customers}
    licences = [
        held.commerce_subscription_id
        for customer in portfolio.customers
        for held in [one for one in customer.subscriptions if one.kind == "licence"][1:]
    ]
    absent.update(rng.sample(licences, min(len(licences), max(1, len(licences) // 50))))
    azure = [one.azure_subscription_id for one in _second_azure(portfolio)]
    absent.update(rng.sample(azure, min(len(azure), max(2, len(azure) // 20))))
    return absent


def _second_azure(portfolio: Portfolio) -> list[AzureSubscription]:
    return [
        azure
        for customer in portfolio.customers
        for held in customer.subscriptions
        for azure in held.azure_subscriptions[1:]
    ]


def first_skus_out(portfolio: Portfolio) -> dict[SkuKey, int]:
    """Return the SKUs that enter the catalog on a later night."""
    retiring = portfolio.retiring_product()
    pool = [
        sku.key
        for product in portfolio.products
        if product.kind == "vm" and product is not retiring
        for sku in product.skus[1:]
        if sku.asks_inventory and AZURE_PLAN in sku.scopes
    ]
    rng = seeded.generator(portfolio.seed, "skus out")
    return dict.fromkeys(rng.sample(pool, min(len(pool) // 4, max(4, len(pool) // 30))), 0)


def move_customers(builder: NightBuilder) -> None:
    state, night = builder.state, builder.state.night
    gone = [one for one in builder.portfolio.customers if one.customer_id in state.absent]
    here = [
        customer
        for partner in builder.portfolio.partners
        # The first two customers of each partner always stay, so that every partner has some.
        for customer in list(state.customers(partner.partner_tenant_id))[2:]
    ]
    for customer in builder.sample(gone, 100 if night % 2 == 0 else 50):
        builder.claim(customer.customer_id)
        state.absent.discard(customer.customer_id)
        builder.record(Kind.CUSTOMER_CAME, customer_id=customer.customer_id)
    for customer in builder.sample(here, 3):
        builder.claim(customer.customer_id)
        state.absent.add(customer.customer_id)
        builder.record(Kind.CUSTOMER_LEFT, customer_id=customer.customer_id)
    if night % 3 == 0:
        sold = [one for one in here if state.is_sold_to(one)]
        for customer in builder.sample(sold, 2):
            builder.claim(customer.customer_id)
            state.relationships[customer.customer_id] = "none"
            builder.record(Kind.RELATIONSHIP_ENDED, customer_id=customer.customer_id)


def move_subscriptions(builder: NightBuilder) -> None:
    """Change licences and Azure subscriptions of reseller customers of both nights."""
    customers = [
        customer
        for customer in builder.portfolio.customers
        if builder.before.is_sold_to(customer) and builder.state.is_sold_to(customer)
    ]
    _move_licences(builder, customers)
    _move_azure(builder, customers)
    if builder.state.night % 2 == 0:
        _change_registrations(builder, customers)


def _move_licences(builder: NightBuilder, customers: list[Customer]) -> None:
    state = builder.state
    licences = [
        (customer, held)
        for customer in customers
        for held in customer.subscriptions
        if held.kind == "licence"
    ]
    away = [pair for pair in licences if pair[1].commerce_subscription_id in state.absent]
    here = [pair for pair in licences if pair[1].commerce_subscription_id not in state.absent]
    active = [pair for pair in here if state.status(pair[1]) == "active"]
    paused = [pair for pair in here if state.status(pair[1]) == "suspended"]
    for pair in builder.sample(away, 120):
        if _claim(builder, Kind.COMMERCE_CAME, pair):
            state.absent.discard(pair[1].commerce_subscription_id)
    for pair in builder.sample(active, 2):
        if _claim(builder, Kind.COMMERCE_LEFT, pair):
            state.absent.add(pair[1].commerce_subscription_id)
    for pair in builder.sample(active, 2):
        if _claim(builder, Kind.COMMERCE_INACTIVE, pair):
            ended = builder.rng.choice(("suspended", "suspended", "expired", "deleted"))
            state.statuses[pair[1].commerce_subscription_id] = ended
    for pair in builder.sample(paused, 30):
        if _claim(builder, Kind.COMMERCE_ACTIVE, pair):
            state.statuses[pair[1].commerce_subscription_id] = "active"


def _claim(builder: NightBuilder, kind: Kind, pair: tuple[Customer, CommerceSubscription]) -> bool:
    customer, held = pair
    if not builder.claim(held.commerce_subscription_id):
        return False
    builder.record(
        kind, customer_id=customer.customer_id, subscription_id=held.commerce_subscription_id
    )
    return True


def _move_azure(builder: NightBuilder, customers: list[Customer]) -> None:
    state = builder.state
    owned = [
        (customer, azure)
        for customer in customers
        for held in customer.subscriptions
        if held.kind == "azure_plan"
        and state.status(held) == "active"
        and held.commerce_subscription_id not in state.absent
        for azure in held.azure_subscriptions
    ]
    away = [pair for pair in owned if pair[1].azure_subscription_id in state.absent]
    here = [pair for pair in owned if pair[1].azure_subscription_id not in state.absent]
    active = [pair for pair in here if state.azure_status(pair[1]) == "active"]
    paused = [pair for pair in here if state.azure_status(pair[1]) == "suspended"]
    for pair in builder.sample(away, 150):
        if _claim_azure(builder, Kind.AZURE_CAME, pair):
            state.absent.discard(pair[1].azure_subscription_id)
    for pair in builder.sample(active[1:], 3):
        if _claim_azure(builder, Kind.AZURE_LEFT, pair):
            state.absent.add(pair[1].azure_subscription_id)
    for pair in builder.sample(active[1:], 3):
        if _claim_azure(builder, Kind.AZURE_INACTIVE, pair):
            state.statuses[pair[1].azure_subscription_id] = "suspended"
    for pair in builder.sample(paused, 80):
        if _claim_azure(builder, Kind.AZURE_ACTIVE, pair):
            state.statuses[pair[1].azure_subscription_id] = "active"


def _claim_azure(
    builder: NightBuilder, kind: Kind, pair: tuple[Customer, AzureSubscription]
) -> bool:
    customer, azure = pair
    if not builder.claim(azure.azure_subscription_id):
        return False
    builder.record(
        kind, customer_id=customer.customer_id, subscription_id=azure.azure_subscription_id
    )
    return True


def _change_registrations(builder: NightBuilder, customers: list[Customer]) -> None:
    state = builder.state
    plans = [
        (customer, held)
        for customer in customers
        for held in customer.subscriptions
        if held.kind == "azure_plan"
    ]
    pending = [pair for pair in plans if state.registration(pair[1]) != "Registered"]
    ready = [pair for pair in plans if state.registration(pair[1]) == "Registered"]
    for pair in builder.sample(pending, 100):
        if _claim(builder, Kind.REGISTRATION_CHANGED, pair):
            steps = {"NotRegistered": "Registering", "Registering": "Registered"}
            now = steps[state.registration(pair[1])]
            state.registrations[pair[1].commerce_subscription_id] = now
    for pair in builder.sample(ready[2:], 2):
        if _claim(builder, Kind.REGISTRATION_CHANGED, pair):
            state.registrations[pair[1].commerce_subscription_id] = "NotRegistered"


def move_catalog(builder: NightBuilder) -> None:
    """Make SKUs leave, return and enter; once, make a whole product leave and return."""
    state, night = builder.state, builder.state.night
    _move_product(builder)
    fresh = [key for key, since in state.skus_out.items() if since == 0]
    left = [key for key, since in state.skus_out.items() if since > 0]
    listed = [sku for sku in _reservations(builder) if sku.key not in state.skus_out]
    for key in builder.sample(fresh, 150):
        del state.skus_out[key]
        builder.record(Kind.SKU_NEW, key=key)
    for key in builder.sample(left, 200):
        del state.skus_out[key]
        builder.record(Kind.SKU_RETURNED, key=key)
    for sku in builder.sample(listed, 4, at_least=2):
        state.skus_out[sku.key] = night
        builder.record(Kind.SKU_LEFT, key=sku.key)


def _reservations(builder: NightBuilder) -> list[Sku]:
    retiring = builder.portfolio.retiring_product()
    return [
        sku
        for product in builder.portfolio.products
        if product.kind == "vm" and product is not retiring
        # The first SKU of every family stays: only the retiring family leaves as a whole.
        for sku in product.skus[1:]
        if sku.asks_inventory and AZURE_PLAN in sku.scopes
    ]


def _move_product(builder: NightBuilder) -> None:
    product = builder.portfolio.retiring_product()
    if product is None:
        return
    leaves_on = 2 + seeded.number(builder.portfolio.seed, "retiring") % 2
    night, key = builder.state.night, (product.product_id, "")
    if night == leaves_on:
        builder.state.products_out[product.product_id] = night
        builder.record(Kind.PRODUCT_LEFT, key=key)
    elif night == leaves_on + PRODUCT_STAYS_OUT:
        builder.state.products_out.pop(product.product_id, None)
        builder.record(Kind.PRODUCT_RETURNED, key=key)
