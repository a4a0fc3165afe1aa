"""What the script does to customers, subscriptions and the catalog: they come, go and pause."""

from auditor.sandbox.world import draws
from auditor.sandbox.world.draft import Draft, Kind
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.things import (
    AZURE_PLAN,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Sku,
    SkuKey,
)

PRODUCT_STAYS_OUT = 2
"""Nights."""


def first_absent(portfolio: Portfolio) -> set[str]:
    """Return the customers and subscriptions that are not there yet on the first night."""
    draw = draws.stream(portfolio.seed, "absent")
    late = portfolio.customers[3 * len(portfolio.partners) :]
    customers = draw.sample(late, min(len(late), max(1, len(late) // 50)))
    absent = {customer.customer_id for customer in customers}
    licences = [
        held.commerce_subscription_id
        for customer in portfolio.customers
        for held in [one for one in customer.subscriptions if one.kind == "licence"][1:]
    ]
    absent.update(draw.sample(licences, min(len(licences), max(1, len(licences) // 50))))
    azure = [one.azure_subscription_id for one in _second_azure(portfolio)]
    absent.update(draw.sample(azure, min(len(azure), max(2, len(azure) // 20))))
    return absent


def _second_azure(portfolio: Portfolio) -> list[AzureSubscription]:
    return [
        azure
        for customer in portfolio.customers
        for held in customer.subscriptions
        for azure in held.azure_subscriptions[1:]
    ]


def first_skus_out(portfolio: Portfolio) -> dict[SkuKey, int]:
    """Return SKUs that enter the catalog on some later night."""
    retiring = portfolio.retiring_product()
    pool = [
        sku.key
        for product in portfolio.products
        if product.kind == "vm" and product is not retiring
        for sku in product.skus[1:]
        if sku.asks_inventory and AZURE_PLAN in sku.scopes
    ]
    draw = draws.stream(portfolio.seed, "skus out")
    return dict.fromkeys(draw.sample(pool, min(len(pool) // 4, max(4, len(pool) // 30))), 0)


def move_customers(draft: Draft) -> None:
    state, night = draft.state, draft.state.night
    gone = [one for one in draft.portfolio.customers if one.customer_id in state.absent]
    here = [
        customer
        for partner in draft.portfolio.partners
        # Two of each partner always stay, so that nobody's portfolio runs dry.
        for customer in list(state.customers(partner.partner_tenant_id))[2:]
    ]
    for customer in draft.some(gone, 100 if night % 2 == 0 else 50):
        draft.touch(customer.customer_id)
        state.absent.discard(customer.customer_id)
        draft.tell(Kind.CUSTOMER_CAME, customer_id=customer.customer_id)
    for customer in draft.some(here, 3):
        draft.touch(customer.customer_id)
        state.absent.add(customer.customer_id)
        draft.tell(Kind.CUSTOMER_LEFT, customer_id=customer.customer_id)
    if night % 3 == 0:
        sold = [one for one in here if state.is_sold_to(one)]
        for customer in draft.some(sold, 2):
            draft.touch(customer.customer_id)
            state.relationships[customer.customer_id] = "none"
            draft.tell(Kind.RELATIONSHIP_ENDED, customer_id=customer.customer_id)


def move_subscriptions(draft: Draft) -> None:
    """Move licences and Azure subscriptions of customers who were and are sold to."""
    customers = [
        customer
        for customer in draft.portfolio.customers
        if draft.before.is_sold_to(customer) and draft.state.is_sold_to(customer)
    ]
    _move_licences(draft, customers)
    _move_azure(draft, customers)
    if draft.state.night % 2 == 0:
        _change_registrations(draft, customers)


def _move_licences(draft: Draft, customers: list[Customer]) -> None:
    state = draft.state
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
    for pair in draft.some(away, 120):
        if _claim(draft, Kind.COMMERCE_CAME, pair):
            state.absent.discard(pair[1].commerce_subscription_id)
    for pair in draft.some(active, 2):
        if _claim(draft, Kind.COMMERCE_LEFT, pair):
            state.absent.add(pair[1].commerce_subscription_id)
    for pair in draft.some(active, 2):
        if _claim(draft, Kind.COMMERCE_INACTIVE, pair):
            ended = draft.draw.choice(("suspended", "suspended", "expired", "deleted"))
            state.statuses[pair[1].commerce_subscription_id] = ended
    for pair in draft.some(paused, 30):
        if _claim(draft, Kind.COMMERCE_ACTIVE, pair):
            state.statuses[pair[1].commerce_subscription_id] = "active"


def _claim(draft: Draft, kind: Kind, pair: tuple[Customer, CommerceSubscription]) -> bool:
    customer, held = pair
    if not draft.touch(held.commerce_subscription_id):
        return False
    draft.tell(
        kind, customer_id=customer.customer_id, subscription_id=held.commerce_subscription_id
    )
    return True


def _move_azure(draft: Draft, customers: list[Customer]) -> None:
    state = draft.state
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
    for pair in draft.some(away, 150):
        if _claim_azure(draft, Kind.AZURE_CAME, pair):
            state.absent.discard(pair[1].azure_subscription_id)
    for pair in draft.some(active[1:], 3):
        if _claim_azure(draft, Kind.AZURE_LEFT, pair):
            state.absent.add(pair[1].azure_subscription_id)
    for pair in draft.some(active[1:], 3):
        if _claim_azure(draft, Kind.AZURE_INACTIVE, pair):
            state.statuses[pair[1].azure_subscription_id] = "suspended"
    for pair in draft.some(paused, 80):
        if _claim_azure(draft, Kind.AZURE_ACTIVE, pair):
            state.statuses[pair[1].azure_subscription_id] = "active"


def _claim_azure(draft: Draft, kind: Kind, pair: tuple[Customer, AzureSubscription]) -> bool:
    customer, azure = pair
    if not draft.touch(azure.azure_subscription_id):
        return False
    draft.tell(kind, customer_id=customer.customer_id, subscription_id=azure.azure_subscription_id)
    return True


def _change_registrations(draft: Draft, customers: list[Customer]) -> None:
    state = draft.state
    plans = [
        (customer, held)
        for customer in customers
        for held in customer.subscriptions
        if held.kind == "azure_plan"
    ]
    pending = [pair for pair in plans if state.registration(pair[1]) != "Registered"]
    ready = [pair for pair in plans if state.registration(pair[1]) == "Registered"]
    for pair in draft.some(pending, 100):
        if _claim(draft, Kind.REGISTRATION_CHANGED, pair):
            steps = {"NotRegistered": "Registering", "Registering": "Registered"}
            now = steps[state.registration(pair[1])]
            state.registrations[pair[1].commerce_subscription_id] = now
    for pair in draft.some(ready[2:], 2):
        if _claim(draft, Kind.REGISTRATION_CHANGED, pair):
            state.registrations[pair[1].commerce_subscription_id] = "NotRegistered"


def move_catalog(draft: Draft) -> None:
    """Let SKUs leave, return and enter, and once let a whole product leave and return."""
    state, night = draft.state, draft.state.night
    _move_product(draft)
    fresh = [key for key, since in state.skus_out.items() if since == 0]
    left = [key for key, since in state.skus_out.items() if since > 0]
    listed = [sku for sku in _reservations(draft) if sku.key not in state.skus_out]
    for key in draft.some(fresh, 150):
        del state.skus_out[key]
        draft.tell(Kind.SKU_NEW, key=key)
    for key in draft.some(left, 200):
        del state.skus_out[key]
        draft.tell(Kind.SKU_RETURNED, key=key)
    for sku in draft.some(listed, 4, at_least=2):
        state.skus_out[sku.key] = night
        draft.tell(Kind.SKU_LEFT, key=sku.key)


def _reservations(draft: Draft) -> list[Sku]:
    retiring = draft.portfolio.retiring_product()
    return [
        sku
        for product in draft.portfolio.products
        if product.kind == "vm" and product is not retiring
        # One SKU of every family always stays, so that only the retiring one goes as a whole.
        for sku in product.skus[1:]
        if sku.asks_inventory and AZURE_PLAN in sku.scopes
    ]


def _move_product(draft: Draft) -> None:
    product = draft.portfolio.retiring_product()
    if product is None:
        return
    leaves_on = 2 + draws.number(draft.portfolio.seed, "retiring") % 2
    night, key = draft.state.night, (product.product_id, "")
    if night == leaves_on:
        draft.state.products_out[product.product_id] = night
        draft.tell(Kind.PRODUCT_LEFT, key=key)
    elif night == leaves_on + PRODUCT_STAYS_OUT:
        draft.state.products_out.pop(product.product_id, None)
        draft.tell(Kind.PRODUCT_RETURNED, key=key)
