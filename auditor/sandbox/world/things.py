"""The nouns of the made-up world: what there is, apart from how it fares from night to night."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

AZURE_PLAN = "AzurePlan"
LEGACY = ""
"""The reservation scope of MS-AZR-0145P subscriptions: the parameter is left out for them."""

AZURE_PLAN_OFFER = ("DZH318Z0BPS6", "0001")
SAVINGS_PLAN = "DZH318Z09V6F"

SkuKey = tuple[str, str]
"""Product id and SKU id: a SKU id alone says nothing."""

TermKey = tuple[str, str]
"""Duration and billing cycle: what a term is, whatever id it carries tonight."""


@dataclass(frozen=True, slots=True)
class WorldSize:
    """How much of everything there is; the defaults make a portfolio that is good to look at."""

    partners: int = 2
    customers: int = 300
    """In all, over all partners."""
    products: int = 8
    """VM families. The last one, if there are several, is a family on its way out with one size."""
    regions: int = 6
    sizes_per_product: int = 4
    licence_products: int = 12
    unnamed_variables: bool = False
    """Whether the catalog keeps silent about one that checks of one family demand."""


@dataclass(frozen=True, slots=True)
class Partner:
    partner_tenant_id: str
    name: str
    countries: tuple[str, ...]

    @property
    def token(self) -> str:
        """The bearer token that the sandbox takes for this partner."""
        return f"sandbox-{self.partner_tenant_id}"


@dataclass(frozen=True, slots=True)
class AzureSubscription:
    azure_subscription_id: str
    customer_id: str
    commerce_subscription_id: str
    """The Azure plan it belongs to; of a legacy one, the commerce subscription that it is."""
    reservation_scope: str
    friendly_name: str
    status: str


@dataclass(frozen=True, slots=True)
class CommerceSubscription:
    commerce_subscription_id: str
    kind: str
    """`azure_plan`, `azure_legacy`, `licence` or `legacy_licence`."""
    offer_id: str
    offer_name: str
    status: str
    quantity: int
    created: date
    product_id: str = ""
    sku_id: str = ""
    term_duration: str = ""
    billing_cycle: str = "monthly"
    commitment_end: date = date(9999, 12, 14)
    """The sentinel stands where nothing renews by itself."""
    auto_renew: bool = False
    next_product: Mapping[str, str] | None = None
    """`None`: no change is scheduled for the next term."""
    reseller_id: str = ""
    registration: str = ""
    """Of an Azure plan: may it buy reservations?"""
    azure_subscriptions: tuple[AzureSubscription, ...] = ()


@dataclass(frozen=True, slots=True)
class Customer:
    customer_id: str
    partner_tenant_id: str
    company_name: str
    domain: str
    country: str
    relationship: str
    reseller_id: str
    subscriptions: tuple[CommerceSubscription, ...]


@dataclass(frozen=True, slots=True)
class Term:
    duration: str
    billing_cycle: str
    description: str
    renewable: bool = True
    """A term that no renewal instruction names is bought once."""

    @property
    def key(self) -> TermKey:
        return (self.duration, self.billing_cycle)


@dataclass(frozen=True, slots=True)
class Sku:
    """A SKU as the catalog describes it. Reservations fill the Azure fields, licences the terms."""

    product_id: str
    sku_id: str
    title: str
    description: str
    prerequisites: tuple[str, ...]
    variables: tuple[str, ...] = ()
    """What a check of it demands."""
    unnamed: tuple[str, ...] = ()
    """Those of them that the catalog does not name."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    arm_region: str = ""
    """Lower case; `''` where a SKU has no place."""
    scopes: frozenset[str] = frozenset({AZURE_PLAN, LEGACY})
    not_sold_in: frozenset[str] = frozenset()
    terms: tuple[Term, ...] = ()
    segments: tuple[str, ...] = ("commercial",)
    has_old_price: bool = False
    """A second availability with the same term as the first: not for sale, not renewable."""

    @property
    def key(self) -> SkuKey:
        return (self.product_id, self.sku_id)

    @property
    def asks_inventory(self) -> bool:
        return "InventoryCheck" in self.prerequisites

    @property
    def asks_region(self) -> bool:
        return "ArmRegionName" in self.variables


@dataclass(frozen=True, slots=True)
class Product:
    product_id: str
    title: str
    kind: str
    """`vm`, `cosmos`, `licence`, `plan` or `savings_plan`."""
    type_id: str
    views: tuple[str, ...]
    skus: tuple[Sku, ...]
    resource_type: str = ""
    """What checkinventorybyresourcetype calls it; `''` where it is nothing to check."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """Why a SKU cannot be bought; on the wire, order and letter case of the values vary."""

    reason_code: str
    values: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    """Properties beside `type` and `values`: an open set."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the inventory says about a SKU that is in the catalog."""

    product_id: str
    sku_id: str
    restrictions: tuple[Restriction, ...] = ()

    @property
    def is_restricted(self) -> bool:
        return bool(self.restrictions)


@dataclass(frozen=True, slots=True)
class AvailableTerm:
    term_id: str
    duration: str
    billing_cycle: str
    description: str
    renew_to: tuple[str, ...]
    """`PRODUCT:SKU` of what the renewal buys; empty where the term does not renew."""


@dataclass(frozen=True, slots=True)
class Availability:
    """What can be bought for a SKU tonight. The ids are reissued now and then and mean nothing."""

    availability_id: str
    product_id: str
    sku_id: str
    segment: str
    country: str
    currency: str
    symbol: str
    is_purchasable: bool
    is_renewable: bool
    terms: tuple[AvailableTerm, ...]

    @property
    def catalog_item_id(self) -> str:
        return f"{self.product_id}:{self.sku_id}:{self.availability_id}"
