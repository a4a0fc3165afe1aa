"""Defines the values that pass from scope to report, such as `Check`. See docs/glossary.md."""

import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

NOT_PART = ""
"""The value of a key column that is not part of a check."""

_GUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class CheckKind(StrEnum):
    """The two subjects a check can ask about."""

    INVENTORY = "inventory"
    AVAILABILITY = "availability"


class Outcome(StrEnum):
    """How a check ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ELIGIBLE = "not_eligible"


class Verdict(StrEnum):
    """The state of a key by its last answer. Only an answer makes a verdict."""

    UNRESTRICTED = "unrestricted"
    RESTRICTED = "restricted"
    NOT_IN_CATALOG = "not_in_catalog"
    PURCHASABLE = "purchasable"
    NOT_PURCHASABLE = "not_purchasable"


class ChangeKind(StrEnum):
    """The kinds of change, as in docs/contract.md, "Change kinds"."""

    NEWLY_RESTRICTED = "newly_restricted"
    RESTRICTION_LIFTED = "restriction_lifted"
    RESTRICTION_CHANGED = "restriction_changed"
    LEFT_CATALOG = "left_catalog"
    ENTERED_CATALOG = "entered_catalog"
    FIRST_SEEN_RESTRICTED = "first_seen_restricted"
    NO_LONGER_PURCHASABLE = "no_longer_purchasable"
    PURCHASABLE_AGAIN = "purchasable_again"
    TERMS_CHANGED = "terms_changed"


class EndedBy(StrEnum):
    """Why a verdict ended, if no row of `change` records that."""

    LEFT = "left"
    """The key's customer or Azure subscription left, or the customer's billing country changed."""
    NOT_ELIGIBLE = "not_eligible"
    """By a rule, there is nothing to ask about the key now."""
    NOT_ASKED = "not_asked"
    """The key's SKU no longer requires a check, or its region is no longer configured."""
    LEFT_CATALOG = "left_catalog"
    """The catalog reported the key's SKU gone: one change row stands for all customers."""
    CHANGED = "changed"
    """The key's SKU is back in the catalog: one change row stands for all customers."""


class Reason(StrEnum):
    """The reasons why a check was not sent; its outcome is `not_eligible` or `skipped`."""

    PLAN_NOT_REGISTERED = "plan_not_registered"
    SUBSCRIPTION_INACTIVE = "subscription_inactive"
    RELATIONSHIP_NOT_RESELLER = "relationship_not_reseller"
    MARKET_WITHOUT_RESERVATIONS = "market_without_reservations"
    COUNTRY_NOT_CONFIGURED = "country_not_configured"
    OFFER_IS_LEGACY = "offer_is_legacy"
    LISTING_FAILED = "listing_failed"
    REGISTRATION_UNREADABLE = "registration_unreadable"
    COUNTRY_UNREADABLE = "country_unreadable"
    RESOURCE_TYPE_UNKNOWN = "resource_type_unknown"
    PARTNER_OUT = "partner_out"
    DEADLINE = "deadline"


class ApiClass(StrEnum):
    """The limit of the API that a request counts against (`[partner.limits]`)."""

    CUSTOMERS = "customers"
    CATALOG = "catalog"
    INVENTORY = "inventory"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as Partner Center sees it, without credentials and without ids of an attempt."""

    endpoint: str
    """A short name for logs, limits and the error table, such as `check_inventory`."""
    method: str
    path: str
    """The path below the base URL, with `/v1`, percent-encoded."""
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    api_class: ApiClass
    customer_id: str = NOT_PART
    """The customer whose limit and breaker the request counts against."""
    round: int = 0
    """Distinguishes requests that are sent more than once on purpose."""

    def key(self) -> bytes:
        """Return the key of this request in a journal: equal requests have equal keys."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).digest()[:16]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The final reply to one request, retries included."""

    status: int
    """The HTTP status; 0 if no reply came."""
    body: bytes = b""
    cause: str = ""
    """Why no reply came: `timeout`, `reset`, `refused`, `throttled`, …"""
    request_id: str = ""
    correlation_id: str = ""
    attempts: int = 1
    throttled: int = 0
    """The number of attempts answered 429."""
    sent_at: datetime
    """When the answered attempt was sent."""


class Cell(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """(partner tenant, customer, country): the unit that a snapshot covers."""

    partner_tenant_id: str
    customer_id: str
    country: str


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of a partner."""

    partner_tenant_id: str
    customer_id: str
    company_name: str
    domain: str
    country: str
    """The country of the billing profile; '' if it is not known yet."""
    relationship: str
    reseller_id: str
    qualifications: str = ""


class AzureSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """An Azure subscription of a customer, under an Azure plan or a legacy offer."""

    partner_tenant_id: str
    customer_id: str
    azure_subscription_id: str
    plan_id: str
    """The commerce subscription that the Azure subscription belongs to."""
    friendly_name: str
    status: str
    registration_status: str
    """The plan's registration; '' if it was not read, 'unknown' if it could not be read."""
    reseller_id: str


class CommerceSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription that a customer holds: an Azure plan, a licence or a legacy offer."""

    partner_tenant_id: str
    customer_id: str
    commerce_subscription_id: str
    product_id: str
    sku_id: str
    offer_id: str
    offer_name: str
    quantity: int
    status: str
    term_duration: str
    billing_cycle: str
    term_ends_at: datetime | None
    """When the term ends; None if the reply has a date that means "never" or "not set"."""
    end_action: str
    next_product_id: str
    next_sku_id: str
    next_term_duration: str
    reseller_id: str
    product_type: str = ""
    """The product type in the reply; '' if the row is carried. Not a column."""


class Sku(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU in the catalog of one country and reservation scope."""

    partner_tenant_id: str
    country: str
    reservation_scope: str
    product_id: str
    sku_id: str
    product_title: str
    title: str
    arm_sku_name: str
    region: str
    """The catalog's region in lower case; '' if the catalog has none."""
    region_name: str
    category: str
    cores: int | None
    ram_gb: float | None
    term_duration: str
    flexibility_group: str
    flexibility_ratio: str
    inventory_variables: str
    """The names of the SKU's inventory variables, sorted and joined with ';'."""
    purchase_prerequisites: str
    arm_region_name: str = ""
    """`region` in the catalog's letter case, which a check sends back. Not a column."""

    @property
    def name(self) -> tuple[str, str]:
        """The pair that names a SKU inside one country and reservation scope."""
        return self.product_id, self.sku_id


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question: one target item in one context. `sku_id` is '' for a whole product."""

    kind: CheckKind
    partner_tenant_id: str
    customer_id: str
    country: str
    azure_subscription_id: str = NOT_PART
    arm_region: str = NOT_PART
    reservation_scope: str = NOT_PART
    product_id: str = NOT_PART
    sku_id: str = NOT_PART

    @property
    def cell(self) -> Cell:
        """The cell that the answer belongs to."""
        return Cell(
            partner_tenant_id=self.partner_tenant_id,
            customer_id=self.customer_id,
            country=self.country,
        )

    def check_id(self) -> str:
        """Return the id of this check: a hash, so that the same question has it in every run."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()[:32]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of wave 2 and the checks it settles, which share country and context."""

    checks: Sequence[Check]
    variables: tuple[str, ...] = ()
    """The inventory variables to send."""
    arm_region_name: str = ""
    """The region in the catalog's letter case."""
    resource_type: str = ""
    segment: str = ""
    """The segment that is asked for in an availability check by country."""
    round: int = 0
    """See `Request.round`."""


class Unasked(msgspec.Struct, frozen=True, kw_only=True):
    """A check that is not sent: a rule excludes it (`not_eligible`), or a fault (`skipped`)."""

    check: Check
    outcome: Outcome
    reason: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """How one question ended; its reply is in the journal, under `key`."""

    question: Question
    sent: Question | None = None
    """The original question, if some of its checks settled separately; else None."""
    outcome: Outcome
    reason: str = ""
    set_apart: str = ""
    """A text with the number of items set apart, by reason."""
    not_found: bool = False
    """True if the answer is a 404 that names the product or SKU, so it is not in the catalog."""
    key: bytes = b""
    endpoint: str = ""
    http_status: int = 0
    error_code: str = ""
    request_id: str = ""
    correlation_id: str = ""
    attempts: int = 0
    sent_at: datetime | None = None
    """When the call was sent; None if nothing was sent."""


class FailedListing(msgspec.Struct, frozen=True, kw_only=True):
    """A listing of wave 1 that got no usable answer, or has an item that cannot be used."""

    listing: str
    """What is listed: `subscriptions`, `azure_entitlements`."""
    key: bytes
    """The key of the reply in the journal."""
    customer_id: str = NOT_PART
    country: str = NOT_PART
    plan_id: str = NOT_PART
    """The commerce subscription whose entitlements or registration are listed."""
    reservation_scope: str = NOT_PART
    product_id: str = NOT_PART
    sku_id: str = NOT_PART
    reason: str
    http_status: int
    error_code: str
    request_id: str
    correlation_id: str
    attempts: int
    sent_at: datetime | None


class RememberedListing(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of an answered listing that are stored in the relation `remembered`."""

    segments: tuple[str, ...] = ()
    """Only for a catalog listing: the segments that were requested."""
    views: tuple[str, ...] = ()
    """Only for a product list: all target views that were requested."""
    arm_region_names: dict[str, str] = {}
    """Only for a SKU list: `Sku.arm_region_name` by SKU, where it differs from `region`."""
    product_types: dict[str, str] = {}
    """Only for a customer: `CommerceSubscription.product_type` by id, of each subscription of which
    only the product type shows that it is not a licence."""


class RememberedReturn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The facts of an item's return to the catalog, as stored in the relation `remembered`."""

    returned_at: datetime | None = None
    """When the item was listed again; None in a store of an older version."""


def is_guid(text: str) -> bool:
    """Return True if a text is a GUID, in upper or lower case."""
    return _GUID.fullmatch(text) is not None


def bucket_of(customer_id: str, buckets: int) -> int:
    """Return the bucket of a customer's rows; the customer '' stands for the catalog."""
    return int.from_bytes(hashlib.sha256(customer_id.encode()).digest()[:8], "big") % buckets


UNREADABLE = "unreadable_reply"
SPOILED_ITEM = "spoiled_item"
"""An item that cannot be decoded, or that has a decisive field twice."""
ODD_FIELD = "odd_field"
"""A field that could not be read, and that no decision depends on."""
