"""Everything that exists on any night of the made-up world, indexed by id."""

from datetime import date

from auditor.sandbox.world.catalog import make_products
from auditor.sandbox.world.customers import make_customers, make_partners
from auditor.sandbox.world.model import (
    AzureSubscription,
    CommerceSubscription,
    Customer,
    Partner,
    Product,
    Sku,
    SkuKey,
    WorldSize,
)


class Portfolio:
    """Partners, customers and products of one seed, with one index per kind of id."""

    def __init__(self, seed: int, size: WorldSize, today: date) -> None:
        self.seed = seed
        self.partners: tuple[Partner, ...] = make_partners(seed, size)
        self.products: tuple[Product, ...] = make_products(seed, size)
        self.customers: tuple[Customer, ...] = make_customers(
            seed, size, self.partners, self.products, today
        )
        self.partner_by_id = {one.partner_tenant_id: one for one in self.partners}
        self.product_by_id = {one.product_id: one for one in self.products}
        self.customer_by_id = {one.customer_id: one for one in self.customers}
        self.sku_by_key: dict[SkuKey, Sku] = {
            sku.key: sku for product in self.products for sku in product.skus
        }
        self.commerce_by_id: dict[str, CommerceSubscription] = {}
        self.azure_by_id: dict[str, AzureSubscription] = {}
        self.customers_of: dict[str, list[Customer]] = {
            one.partner_tenant_id: [] for one in self.partners
        }
        for customer in self.customers:
            self.customers_of[customer.partner_tenant_id].append(customer)
            for held in customer.subscriptions:
                self.commerce_by_id[held.commerce_subscription_id] = held
                for azure in held.azure_subscriptions:
                    self.azure_by_id[azure.azure_subscription_id] = azure

    def retiring_product(self) -> Product | None:
        """Return the family that leaves the catalog as a whole; `None` in a small world."""
        families = [product for product in self.products if product.kind == "vm"]
        return families[-1] if len(families) > 2 else None  # noqa: PLR2004 - see WorldSize.products
