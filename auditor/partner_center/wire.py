"""The fields of Partner Center's JSON that the auditor uses; `decoding` reads them.

Unknown fields are ignored and a null is an absent field. Ids stay as they were sent: GUIDs come in
either letter case, even inside one reply; the modules that make the
auditor's own values of them lower-case them.
"""

from typing import Annotated, Generic, TypeVar

import msgspec

T = TypeVar("T")
Count = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class _Wire(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class Header(_Wire, frozen=True, kw_only=True):
    key: str
    value: str


class Link(_Wire, frozen=True, kw_only=True):
    uri: str
    method: str = "GET"
    headers: tuple[Header, ...] = ()


class Links(_Wire, frozen=True, kw_only=True):
    next: Link | None = None
    """Only the customer list is paged."""


class Collection(_Wire, Generic[T], frozen=True, kw_only=True):
    items: tuple[T, ...]
    total_count: Count | None = None
    """None if the reply has none."""
    links: Links = Links()


class CompanyProfile(_Wire, frozen=True, kw_only=True):
    tenant_id: str = ""
    domain: str = ""
    company_name: str = ""


class Address(_Wire, frozen=True, kw_only=True):
    country: str = ""


class BillingProfile(_Wire, frozen=True, kw_only=True):
    default_address: Address = Address()


class Customer(_Wire, frozen=True, kw_only=True):
    id: str
    company_profile: CompanyProfile = CompanyProfile()
    relationship_to_partner: str = ""
    """`none`, `reseller`, `advisor`, `syndication`, `microsoft_support`, or something new."""
    associated_partner_id: str = ""
    associated_partner_id_upper: str = msgspec.field(default="", name="associatedPartnerID")
    billing_profile: BillingProfile = BillingProfile()
    """Only in the reply for one customer, not in the list."""

    @property
    def reseller_id(self) -> str:
        """The indirect reseller; the field has two spellings."""
        return self.associated_partner_id or self.associated_partner_id_upper

    @property
    def country(self) -> str:
        """The billing country, where it can be sold to; '' if the reply has none."""
        return self.billing_profile.default_address.country


class ProductType(_Wire, frozen=True, kw_only=True):
    id: str = ""
    display_name: str = ""


class NextTermProduct(_Wire, frozen=True, kw_only=True):
    product_id: str = ""
    sku_id: str = ""
    availability_id: str = ""
    billing_cycle: str = ""
    term_duration: str = ""


class NextTerm(_Wire, frozen=True, kw_only=True):
    product: NextTermProduct = NextTermProduct()
    quantity: Count | None = None


class Subscription(_Wire, frozen=True, kw_only=True):
    id: str
    entitlement_id: str = ""
    offer_id: str = ""
    """Older samples leave it out."""
    offer_name: str = ""
    friendly_name: str = ""
    product_type: ProductType = ProductType()
    quantity: Count = 0
    unit_type: str = ""
    status: str = ""
    creation_date: str = ""
    effective_start_date: str = ""
    commitment_end_date: str = ""
    """Text: a far-future sentinel where the subscription does not renew by itself."""
    auto_renew_enabled: bool | None = None
    is_trial: bool | None = None
    billing_type: str = ""
    billing_cycle: str = ""
    term_duration: str = ""
    renewal_term_duration: str = ""
    parent_subscription_id: str = ""
    is_microsoft_product: bool | None = None
    partner_id: str = ""
    scheduled_next_term_instructions: NextTerm | None = None


class AzureEntitlement(_Wire, frozen=True, kw_only=True):
    id: str
    """The Azure subscription."""
    friendly_name: str = ""
    status: str = ""
    subscription_id: str = ""
    """The plan it belongs to."""


class RegistrationStatus(_Wire, frozen=True, kw_only=True):
    status: str
    """`NotRegistered`, `Registering`, `Registered`, or something new."""
    subscription_id: str = ""


class Product(_Wire, frozen=True, kw_only=True):
    id: str
    title: str = ""
    product_type: ProductType = ProductType()


class Sku(_Wire, frozen=True, kw_only=True):
    id: str
    """Unique only inside its product."""
    product_id: str
    title: str = ""
    purchase_prerequisites: tuple[str, ...] = ()
    inventory_variables: tuple[str, ...] = ()
    dynamic_attributes: dict[str, object] = {}
    """Can change without notice; text, true or false, lists."""
    minimum_purchase_commitment: object = None
    """Only savings plans have it."""


class Restriction(_Wire, frozen=True, kw_only=True):
    reason_code: str = ""
    """Documented: NotAvailableForSubscription only. An open set."""
    description: str = ""
    properties: dict[str, object] = {}
    """Documented: `type` and `values`, the latter one string. An open set."""


class InventoryItem(_Wire, frozen=True, kw_only=True):
    product_id: str
    sku_id: str = ""
    is_restricted: bool
    restrictions: tuple[Restriction, ...] = ()


class Named(_Wire, frozen=True, kw_only=True):
    """The names of an item: enough to say what an unusable one is about."""

    product_id: str
    sku_id: str = ""


class Currency(_Wire, frozen=True, kw_only=True):
    code: str = ""
    symbol: str = ""


class RenewalOption(_Wire, frozen=True, kw_only=True):
    renew_to_id: str = ""
    """PRODUCT:SKU."""
    is_auto_renewable: bool | None = None


class RenewalInstruction(_Wire, frozen=True, kw_only=True):
    applicable_term_ids: tuple[str, ...] = ()
    renewal_options: tuple[RenewalOption, ...] = ()


class Term(_Wire, frozen=True, kw_only=True):
    id: str = ""
    duration: str = ""
    description: str = ""
    billing_cycle: str = ""
    renewal_options: tuple[RenewalOption, ...] = ()


class EmbeddedSku(_Wire, frozen=True, kw_only=True):
    minimum_purchase_commitment: object = None


class Availability(_Wire, frozen=True, kw_only=True):
    id: str
    product_id: str = ""
    sku_id: str = ""
    """'' in an object shaped like a SKU, as the documents show for an Azure plan."""
    catalog_item_id: str = ""
    default_currency: Currency | str = ""
    """Documented as text, sent as an object."""
    segment: str = ""
    country: str = ""
    is_purchasable: bool | None = None
    """None if the reply has none."""
    is_renewable: bool | None = None
    """None if the reply has none, as before new commerce."""
    renewal_instructions: tuple[RenewalInstruction, ...] = ()
    terms: tuple[Term, ...] = ()
    minimum_purchase_commitment: object = None
    sku: EmbeddedSku = EmbeddedSku()
    raw: str = msgspec.field(default="", name="#raw")
    """The whole object as it was sent."""
    lifecycle: str = msgspec.field(default="", name="#lifecycle")
    """The undocumented fields, as JSON sorted by name, '' for none: the documents do not say what
    IncludeLifeCycleState adds."""
    repeated_keys: int = msgspec.field(default=0, name="#repeated_keys")

    @property
    def currency(self) -> str:
        """The currency's code."""
        sent = self.default_currency
        return sent if isinstance(sent, str) else sent.code


class ErrorBody(_Wire, frozen=True, kw_only=True):
    code: str | int = ""
    description: str = ""
    message: str = ""
    """A 429 has this instead of a description."""
