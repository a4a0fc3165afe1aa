"""The fields of Partner Center's JSON that the auditor uses; `decoding` reads them.

Unknown fields are ignored and a null is an absent field. A field that decides nothing is `Lenient`:
a value of another type costs only that value. In any other field, such a value sets the item apart.

Ids stay as they were sent: GUIDs come in either letter case, even inside one reply. The modules
that make the auditor's own values from ids lower-case them.
"""

from typing import Annotated, Generic, TypeVar

import msgspec

from auditor.partner_center.lenient import DECIDING, LENIENT, OR_ID

T = TypeVar("T")
Lenient = Annotated[T, msgspec.Meta(extra={LENIENT: True})]
Id = Annotated[str, msgspec.Meta(min_length=1)]
_TEXT_OR_NONE = (str, type(None))
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


class Envelope(_Wire, frozen=True, kw_only=True):
    """A list whose items and links are not decoded yet."""

    items: tuple[msgspec.Raw, ...] | None = None
    total_count: Count | None = None
    links: msgspec.Raw = msgspec.Raw(b"{}")


class CompanyProfile(_Wire, frozen=True, kw_only=True):
    tenant_id: Lenient[str] = ""
    domain: Lenient[str] = ""
    company_name: Lenient[str] = ""


class Address(_Wire, frozen=True, kw_only=True):
    country: str = ""


class BillingProfile(_Wire, frozen=True, kw_only=True):
    default_address: Address = Address()


class Customer(_Wire, frozen=True, kw_only=True):
    id: Id
    company_profile: Lenient[CompanyProfile] = CompanyProfile()
    relationship_to_partner: str = ""
    """`none`, `reseller`, `advisor`, `syndication`, `microsoft_support`, or something new.

    Strict: only a reseller's customers are asked about.
    """
    associated_partner_id: Lenient[str] = ""
    associated_partner_id_upper: Lenient[str] = msgspec.field(
        default="", name="associatedPartnerID"
    )
    billing_profile: BillingProfile = BillingProfile()
    """Only in the reply for one customer, not in the list."""

    @property
    def reseller_id(self) -> str:
        """The indirect reseller; the field has two spellings."""
        return self.associated_partner_id or self.associated_partner_id_upper

    @property
    def country(self) -> str:
        """The billing country: the customer can buy there; '' if the reply has none."""
        return self.billing_profile.default_address.country


class ProductType(_Wire, frozen=True, kw_only=True):
    id: str = ""
    display_name: Lenient[str] = ""


ProductTypeOrId = Annotated[ProductType, msgspec.Meta(extra={OR_ID: True})]


class NextTermProduct(_Wire, frozen=True, kw_only=True):
    product_id: str = ""
    sku_id: str = ""
    availability_id: Lenient[str] = ""
    billing_cycle: Lenient[str] = ""
    term_duration: Lenient[str] = ""


class NextTerm(_Wire, frozen=True, kw_only=True):
    product: NextTermProduct = NextTermProduct()
    quantity: Lenient[Count | None] = None


class Subscription(_Wire, frozen=True, kw_only=True):
    id: Id
    entitlement_id: str = ""
    offer_id: str = ""
    """Older samples leave it out."""
    offer_name: Lenient[str] = ""
    friendly_name: Lenient[str] = ""
    product_type: ProductTypeOrId = ProductType()
    """Strict: it tells licences from what only looks like one."""
    quantity: Lenient[Count] = 0
    unit_type: Lenient[str] = ""
    status: str = ""
    """Strict: nothing is asked about an inactive subscription."""
    creation_date: Lenient[str] = ""
    effective_start_date: Lenient[str] = ""
    commitment_end_date: Lenient[str] = ""
    """As text; a date far in the future if the subscription does not renew by itself."""
    auto_renew_enabled: Lenient[bool | None] = None
    is_trial: Lenient[bool | None] = None
    billing_type: Lenient[str] = ""
    billing_cycle: Lenient[str] = ""
    term_duration: Lenient[str] = ""
    renewal_term_duration: Lenient[str] = ""
    parent_subscription_id: Lenient[str] = ""
    is_microsoft_product: Lenient[bool | None] = None
    partner_id: Lenient[str] = ""
    scheduled_next_term_instructions: NextTerm | None = None


class AzureEntitlement(_Wire, frozen=True, kw_only=True):
    id: Id
    """The Azure subscription."""
    friendly_name: Lenient[str] = ""
    status: str = ""
    """Strict, as in `Subscription`."""
    subscription_id: Lenient[str] = ""
    """The plan it belongs to; the request names it too."""


class RegistrationStatus(_Wire, frozen=True, kw_only=True):
    status: str
    """`NotRegistered`, `Registering`, `Registered`, or something new."""
    subscription_id: Lenient[str] = ""


class Product(_Wire, frozen=True, kw_only=True):
    id: Id
    title: Lenient[str] = ""
    product_type: Lenient[ProductTypeOrId] = ProductType()


class Sku(_Wire, frozen=True, kw_only=True):
    id: Id
    """Unique only inside its product."""
    product_id: Id
    title: Lenient[str] = ""
    purchase_prerequisites: tuple[str, ...] = ()
    inventory_variables: tuple[str, ...] = ()
    dynamic_attributes: Annotated[
        dict[str, object], msgspec.Meta(extra={DECIDING: ("armRegionName",)})
    ] = {}
    """Can change without notice; text, true or false, lists."""
    minimum_purchase_commitment: object = None
    """Only savings plans have it."""

    def __post_init__(self) -> None:
        # A check sends the region, so a SKU without its own would be another question.
        if not isinstance(self.dynamic_attributes.get("armRegionName"), _TEXT_OR_NONE):
            raise TypeError("Expected `str` - at `$.dynamicAttributes.armRegionName`")


class Restriction(_Wire, frozen=True, kw_only=True):
    reason_code: str = ""
    """Documented: NotAvailableForSubscription only. An open set."""
    description: Lenient[str] = ""
    properties: Annotated[
        dict[str, object], msgspec.Meta(extra={DECIDING: ("type", "values")})
    ] = {}
    """Documented: `type` and `values`, the latter one string. An open set."""


class InventoryItem(_Wire, frozen=True, kw_only=True):
    product_id: str
    sku_id: str = ""
    is_restricted: bool
    restrictions: tuple[Restriction, ...] = ()


class Named(_Wire, frozen=True, kw_only=True):
    """The ids of an inventory item: enough to say which one an unusable item is about."""

    product_id: str
    sku_id: str = ""


class Identified(_Wire, frozen=True, kw_only=True):
    """The id of any other item."""

    id: str


class Shown(_Wire, frozen=True, kw_only=True):
    """The fields that may hold an item's name for people, in any listing."""

    company_profile: object = None
    title: object = None
    friendly_name: object = None
    offer_name: object = None

    @property
    def name(self) -> str:
        """'' if it has no name."""
        profile = self.company_profile
        company = profile.get("companyName") if isinstance(profile, dict) else None
        names = (company, self.title, self.friendly_name, self.offer_name)
        return next((name for name in names if name and isinstance(name, str)), "")


class Currency(_Wire, frozen=True, kw_only=True):
    code: Lenient[str] = ""
    symbol: Lenient[str] = ""


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
    description: Lenient[str] = ""
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
    default_currency: Lenient[Currency | str] = ""
    """Documented as text, sent as an object."""
    segment: str = ""
    country: Lenient[str] = ""
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
    description: Lenient[str] = ""
    message: Lenient[str] = ""
    """A 429 has this instead of a description."""
