"""Makes partners, their customers and the customers' subscriptions."""

import random
from datetime import date, timedelta

from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import (
    AZURE_PLAN,
    AZURE_PLAN_OFFER,
    LEGACY,
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Partner,
    Product,
    Sku,
    WorldSize,
)
from auditor.sandbox.world.places import (
    FOREIGN_COUNTRIES,
    MARKETS_WITHOUT_RESERVATIONS,
    NAMES_AFTER,
    NAMES_BEFORE,
    PARTNER_TEMPLATES,
)
from auditor.sandbox.world.seeded import happens


def make_partners(seed: int, size: WorldSize) -> tuple[Partner, ...]:
    partners = []
    for index in range(size.partners):
        name, countries = PARTNER_TEMPLATES[index % len(PARTNER_TEMPLATES)]
        round_ = index // len(PARTNER_TEMPLATES)
        partners.append(
            Partner(
                partner_tenant_id=seeded.guid(seed, "partner", index),
                name=f"{name}-{round_ + 1}" if round_ else name,
                countries=countries,
            )
        )
    return tuple(partners)


def make_customers(
    seed: int,
    size: WorldSize,
    partners: tuple[Partner, ...],
    products: tuple[Product, ...],
    today: date,
) -> tuple[Customer, ...]:
    """Return every customer of any night; customers are dealt to the partners in turn."""
    licences = [sku for product in products if product.kind == "licence" for sku in product.skus]
    return tuple(
        _customer(seed, index, partners, licences, today) for index in range(size.customers)
    )


def company(index: int) -> tuple[str, str]:
    """Return a company name and a domain, both unique in the world."""
    before = NAMES_BEFORE[index % len(NAMES_BEFORE)]
    row = index // len(NAMES_BEFORE)
    after = NAMES_AFTER[(index * 7 + row) % len(NAMES_AFTER)]
    number = f" {row // len(NAMES_AFTER) + 2}" if row >= len(NAMES_AFTER) else ""
    plain = f"{before}{after}{number}".lower().replace("ü", "ue").replace("ø", "oe")
    slug = "".join(letter for letter in plain if letter.isalnum())
    return f"{before} {after}{number}", f"{slug}{index}.example"


def _customer(
    seed: int, index: int, partners: tuple[Partner, ...], licences: list[Sku], today: date
) -> Customer:
    partner = partners[index % len(partners)]
    rng = seeded.generator(seed, "customer", index)
    customer_id = seeded.guid(seed, "customer", index)
    name, domain = company(index)
    # The first two customers of every partner are ordinary, so the smallest world has some.
    is_first = index < 2 * len(partners)
    is_ordinary = is_first or happens(rng, 90)
    relationship, country = "reseller", rng.choice(_selling_countries(partner))
    if not is_ordinary:
        match rng.choice(("none", "advisor", "foreign", "foreign", "no_market", "no_market")):
            case "foreign":
                country = rng.choice([c for c in FOREIGN_COUNTRIES if c not in partner.countries])
            case "no_market":
                without = [c for c in partner.countries if c in MARKETS_WITHOUT_RESERVATIONS]
                country = rng.choice(without) if without else "BR"
            case other:
                relationship = other
    reseller_id = str(rng.randint(1_000_000, 1_000_019)) if happens(rng, 25) else ""
    make = _Portfolio(seed, rng, customer_id, reseller_id, today)
    return Customer(
        customer_id=customer_id,
        partner_tenant_id=partner.partner_tenant_id,
        company_name=name,
        domain=domain,
        country=country,
        relationship=relationship,
        reseller_id=reseller_id,
        subscriptions=make.subscriptions(licences, is_ordinary=is_first),
    )


def _selling_countries(partner: Partner) -> list[str]:
    return [c for c in partner.countries if c not in MARKETS_WITHOUT_RESERVATIONS] or list(
        partner.countries
    )


class _Portfolio:
    """Makes the commerce subscriptions of one customer, drawing from one random generator."""

    def __init__(
        self, seed: int, rng: random.Random, customer_id: str, reseller_id: str, today: date
    ) -> None:
        self.seed = seed
        self.rng = rng
        self.customer_id = customer_id
        self.reseller_id = reseller_id
        self.today = today

    def subscriptions(
        self, licences: list[Sku], *, is_ordinary: bool
    ) -> tuple[CommerceSubscription, ...]:
        rng = self.rng
        plans = 1 if is_ordinary else rng.choices((0, 1, 2), (15, 78, 7))[0]
        made = [self._plan(n, at_least=1 if is_ordinary else 0) for n in range(plans)]
        if happens(rng, 7):
            made.append(self._legacy_azure())
        if licences:
            held = rng.sample(licences, min(len(licences), rng.randint(1, 4)))
            made += [self._licence(n, sku) for n, sku in enumerate(held)]
            if happens(rng, 15):  # two subscriptions to one SKU
                made.append(self._licence(len(held), held[0]))
        if happens(rng, 15):
            made.append(self._legacy_licence())
        rng.shuffle(made)
        return tuple(made)

    def _id(self, *about: object) -> str:
        return seeded.guid(self.seed, self.customer_id, *about)

    def _created(self) -> date:
        return self.today - timedelta(days=self.rng.randint(20, 900))

    def _plan(self, number: int, at_least: int) -> CommerceSubscription:
        plan_id = self._id("plan", number)
        count = max(at_least, self.rng.choices((0, 1, 2, 3), (8, 60, 24, 8))[0])
        azure = tuple(
            AzureSubscription(
                azure_subscription_id=self._id("azure", number, n),
                customer_id=self.customer_id,
                commerce_subscription_id=plan_id,
                reservation_scope=AZURE_PLAN,
                friendly_name=("Production", "Development", "Analytics")[n % 3],
                status="active" if n == 0 or happens(self.rng, 90) else "suspended",
            )
            for n in range(count)
        )
        product_id, sku_id = AZURE_PLAN_OFFER
        return CommerceSubscription(
            commerce_subscription_id=plan_id,
            kind="azure_plan",
            offer_id=f"{product_id}:{sku_id}:DZH318Z0{seeded.code(self.seed, 4, plan_id)}",
            offer_name="Azure plan",
            status="active" if at_least or happens(self.rng, 95) else "suspended",
            quantity=1,
            created=self._created(),
            product_id=product_id,
            sku_id=sku_id,
            registration="Registered" if at_least or happens(self.rng, 94) else "NotRegistered",
            reseller_id=self.reseller_id,
            azure_subscriptions=azure,
        )

    def _legacy_azure(self) -> CommerceSubscription:
        # In a recorded list, id and entitlementId are the same GUID.
        azure_id = self._id("legacy azure")
        azure = AzureSubscription(
            azure_subscription_id=azure_id,
            customer_id=self.customer_id,
            commerce_subscription_id=azure_id,
            reservation_scope=LEGACY,
            friendly_name="Microsoft Azure",
            status="active",
        )
        return CommerceSubscription(
            commerce_subscription_id=azure_id,
            kind="azure_legacy",
            offer_id="MS-AZR-0145P",
            offer_name="Microsoft Azure",
            status="active",
            quantity=1,
            created=self._created(),
            reseller_id=self.reseller_id,
            registration="Registered",
            azure_subscriptions=(azure,),
        )

    def _licence(self, number: int, sku: Sku) -> CommerceSubscription:
        rng = self.rng
        term = rng.choice(sku.terms)
        auto_renew = happens(rng, 80)
        ends = self.today + timedelta(days=rng.randint(3, 380))
        scheduled = None
        if auto_renew and happens(rng, 20):
            scheduled = {
                "productId": sku.product_id,
                "skuId": "0001",
                "availabilityId": "CFQ7TTC0" + seeded.code(self.seed, 4, self.customer_id, number),
                "billingCycle": "annual",
                "termDuration": "P1Y",
            }
        statuses = ("active", "suspended", "expired", "deleted")
        status = "active" if number == 0 else rng.choices(statuses, (86, 6, 5, 3))[0]
        availability = "CFQ7TTC0" + seeded.code(self.seed, 4, self.customer_id, "held", number)
        return CommerceSubscription(
            commerce_subscription_id=self._id("licence", number),
            kind="licence",
            offer_id=f"{sku.product_id}:{sku.sku_id}:{availability}",
            offer_name=sku.title,
            status=status,
            quantity=rng.randint(1, 250),
            created=self._created(),
            product_id=sku.product_id,
            sku_id=sku.sku_id,
            term_duration=term.duration,
            billing_cycle=term.billing_cycle.lower(),
            commitment_end=ends if auto_renew else date(9999, 12, 14),
            auto_renew=auto_renew,
            next_product=scheduled,
            reseller_id=self.reseller_id,
        )

    def _legacy_licence(self) -> CommerceSubscription:
        return CommerceSubscription(
            commerce_subscription_id=self._id("legacy licence"),
            kind="legacy_licence",
            offer_id=seeded.guid(self.seed, "offer", self.rng.randint(0, 9)),
            offer_name="Office Suite (old commerce)",
            status=self.rng.choice(("active", "suspended")),
            quantity=self.rng.randint(1, 50),
            created=self._created(),
            commitment_end=self.today + timedelta(days=self.rng.randint(3, 380)),
            auto_renew=True,
            reseller_id=self.reseller_id,
        )
