"""The nouns of the auditor: values that travel from scope to report. See docs/glossary.md."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

NOT_PART = ""
"""What a key column holds when it is not part of the question."""


class CheckKind(StrEnum):
    """The two subjects a check can ask about."""

    INVENTORY = "inventory"
    AVAILABILITY = "availability"


class Outcome(StrEnum):
    """What became of a check."""

    ANSWERED = "answered"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_ELIGIBLE = "not_eligible"


class Verdict(StrEnum):
    """What an answer says of a key. Only an answer makes one."""

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


class Reason(StrEnum):
    """Why there was nothing to ask, or why it could not be asked."""

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
    """Which of the API's quotas a request counts against (`[partner.limits]`)."""

    CUSTOMERS = "customers"
    CATALOG = "catalog"
    INVENTORY = "inventory"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request as Partner Center sees it, without credentials or ids of the attempt."""

    endpoint: str
    """A short name for logs, limits and the error table: `check_inventory`."""
    method: str
    path: str
    """Below the base URL, with `/v1`, percent-encoded."""
    params: tuple[tuple[str, str], ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    api_class: ApiClass
    customer_id: str = NOT_PART
    """Whose quota and breaker it counts against."""
    round: int = 0
    """Tells apart questions that are put more than once on purpose."""

    def key(self) -> bytes:
        """Return what names this question in a journal: the same question, the same key."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).digest()[:16]


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The final reply to one request, retries included."""

    status: int
    """0 where no reply came."""
    body: bytes = b""
    cause: str = ""
    """Why no reply came: `timeout`, `reset`, `refused`, `throttled`, …"""
    request_id: str = ""
    correlation_id: str = ""
    attempts: int = 1
    throttled: int = 0
    """How many of the attempts were answered 429."""
    sent_at: datetime
    """When the attempt that was answered was sent."""


class Cell(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """The unit a snapshot covers."""

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
    """Of the billing profile; '' while it is not known."""
    relationship: str
    reseller_id: str
    qualifications: str = ""


class AzureSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """An Azure subscription of a customer, under an Azure plan or a legacy offer."""

    partner_tenant_id: str
    customer_id: str
    azure_subscription_id: str
    plan_id: str
    """The commerce subscription it belongs to."""
    friendly_name: str
    status: str
    registration_status: str
    """'' where it was not asked, 'unknown' where it could not be read."""
    reseller_id: str


class CommerceSubscription(msgspec.Struct, frozen=True, kw_only=True):
    """What a customer holds: an Azure plan, a licence, a legacy offer."""

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
    """None for the far-future sentinel."""
    end_action: str
    next_product_id: str
    next_sku_id: str
    next_term_duration: str
    reseller_id: str
    product_type: str = ""
    """As the reply said it, '' when it was carried from before. No column."""


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
    """As `arm_region`: lower case, '' where the catalog has none."""
    region_name: str
    category: str
    cores: int | None
    ram_gb: float | None
    term_duration: str
    flexibility_group: str
    flexibility_ratio: str
    inventory_variables: str
    """The variables' names, sorted, joined with ';'."""
    purchase_prerequisites: str
    arm_region_name: str = ""
    """`region` in the catalog's own letter case, which is what a check sends back. No column."""

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
        """The cell whose knowledge the answer belongs to."""
        return Cell(
            partner_tenant_id=self.partner_tenant_id,
            customer_id=self.customer_id,
            country=self.country,
        )

    def check_id(self) -> str:
        """Return the same id for the same question, in every run."""
        return hashlib.sha256(msgspec.msgpack.encode(self)).hexdigest()[:32]


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One call of wave 2 and the checks it settles: a batch of them shares country and context."""

    checks: Sequence[Check]
    variables: tuple[str, ...] = ()
    """The inventory variables that are sent."""
    arm_region_name: str = ""
    """The region in the catalog's letter case."""
    resource_type: str = ""
    segment: str = ""
    """Of a by-country availability."""
    round: int = 0
    """As `Request.round`."""


class Unasked(msgspec.Struct, frozen=True, kw_only=True):
    """A check that is not asked: nothing to ask (`not_eligible`), or no way to (`skipped`)."""

    check: Check
    outcome: Outcome
    reason: str


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one question; `key` finds its reply in the journal."""

    question: Question
    sent: Question | None = None
    """The question as it went out, where other checks of it are settled by themselves."""
    outcome: Outcome
    reason: str = ""
    set_apart: str = ""
    """Items of the reply that make no verdict, counted by reason, for people."""
    not_found: bool = False
    """Answered by a 404 that names the product or SKU: not in the catalog."""
    key: bytes = b""
    endpoint: str = ""
    http_status: int = 0
    error_code: str = ""
    request_id: str = ""
    correlation_id: str = ""
    attempts: int = 0
    sent_at: datetime | None = None
    """None where nothing was sent."""


class Listed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is remembered of a listing that was answered, beside what the relations hold of it."""

    segments: tuple[str, ...] = ()
    """Of the catalog: what it was asked for."""
    views: tuple[str, ...] = ()
    """Of a product list: all target views that were looked at."""
    arm_region_names: dict[str, str] = {}
    """Of a SKU list: `Sku.arm_region_name` by SKU, where it is not `region`."""
    product_types: dict[str, str] = {}
    """Of a customer: `CommerceSubscription.product_type`, of what is no licence but for it."""


def bucket_of(customer_id: str, buckets: int) -> int:
    """Return the bucket a customer's rows live in; '' (catalog rows) has one too."""
    return int.from_bytes(hashlib.sha256(customer_id.encode()).digest()[:8], "big") % buckets


UNREADABLE = "unreadable_reply"
