"""The data classes of the made-up world; `state.State` holds what changes from night to night."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

AZURE_PLAN = "AzurePlan"
LEGACY = ""
"""The reservation scope of MS-AZR-0145P subscriptions: requests leave the parameter out."""

AZURE_PLAN_OFFER = ("DZH318Z0BPS6", "0001")
SAVINGS_PLAN = "DZH318Z09V6F"

SkuKey = tuple[str, str]
"""Product id and SKU id: a SKU id alone is not unique."""

TermKey = tuple[str, str]
"""Duration and billing cycle: they identify a term; its id is reissued."""


@dataclass(frozen=True, slots=True)
class WorldSize:
    """The size of the world; the defaults suit the demo."""

    partners: int = 2
    customers: int = 300
    """Total over all partners."""
    products: int = 8
    """VM families. The last of three or more has one size and leaves the catalog."""
    regions: int = 6
    sizes_per_product: int = 4
    licence_products: int = 12
    unnamed_variables: bool = False
    """Whether the catalog leaves out one inventory variable that checks of one family need."""


@dataclass(frozen=True, slots=True)
class Partner:
    partner_tenant_id: str
    name: str
    countries: tuple[str, ...]

    @property
    def token(self) -> str:
        """The bearer token that the sandbox accepts for this partner."""
        return f"sandbox-{self.partner_tenant_id}"


@dataclass(frozen=True, slots=True)
class AzureSubscription:
    azure_subscription_id: str
    customer_id: str
    commerce_subscription_id: str
    """The Azure plan it belongs to; for a legacy one, its own commerce subscription."""
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
    """The default is the sentinel for a subscription that does not renew itself."""
    auto_renew: bool = False
    next_product: Mapping[str, str] | None = None
    """`None`: no change is scheduled for the next term."""
    reseller_id: str = ""
    registration: str = ""
    """For an Azure plan only: its registration to buy reservations."""
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
    """False: no renewal instruction names the term."""

    @property
    def key(self) -> TermKey:
        return (self.duration, self.billing_cycle)


@dataclass(frozen=True, slots=True)
class Sku:
    """A SKU of the catalog. The Azure fields are for reservations, the terms for licences."""

    product_id: str
    sku_id: str
    title: str
    description: str
    prerequisites: tuple[str, ...]
    variables: tuple[str, ...] = ()
    """The inventory variables that its check needs."""
    unnamed: tuple[str, ...] = ()
    """The inventory variables that the catalog leaves out."""
    attributes: Mapping[str, object] = field(default_factory=dict)
    arm_region: str = ""
    """Lower case; `''` if the SKU has no region."""
    scopes: frozenset[str] = frozenset({AZURE_PLAN, LEGACY})
    not_sold_in: frozenset[str] = frozenset()
    terms: tuple[Term, ...] = ()
    segments: tuple[str, ...] = ("commercial",)
    has_old_price: bool = False
    """Has a second availability with the same term, not purchasable and not renewable."""

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
    """Its type in checkinventorybyresourcetype; `''` if its inventory cannot be checked."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """Why a SKU cannot be bought; in replies, order and letter case of the values vary."""

    reason_code: str
    values: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    """Further properties beside `type` and `values`; Partner Center may add any."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The inventory answer for a SKU in the catalog."""

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
    """`PRODUCT:SKU` that the renewal buys; empty if the term does not renew."""


@dataclass(frozen=True, slots=True)
class Availability:
    """One way to buy a SKU on a night. Its ids are reissued at times: they identify nothing."""

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
