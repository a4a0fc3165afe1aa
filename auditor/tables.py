"""Defines the relations: their columns, keys and Arrow types.

Ids are always text. A key column is never null: '' means that it is not part of the question.
"""

import pyarrow as pa

TEXT = pa.dictionary(pa.int32(), pa.string())
"""The type of text that repeats: in rows sorted by key, a dictionary takes almost no space."""
TIME = pa.timestamp("us", tz="UTC")
SCHEMA_VERSION = 2
"""The version of the relations and columns that this release writes; each new one raises it."""
SINCE: dict[str, int] = {
    "snapshot.listings_failed": 2,
    "snapshot.customers_unlisted": 2,
    "coverage.listings_failed": 2,
    "coverage.customers_unlisted": 2,
    "attempt": 2,
    "ending": 2,
}
"""The version that added a relation (`sku`) or column (`sku.cores`), for all after the first one.

No relation or column is ever removed, and no type ever changes. So the version of a file tells
which relations and columns it lacks.
"""
DEFAULTS: dict[str, object] = {}
"""The value of a column (`sku.cores`) in rows older than the column; if none is given, null."""

CELL = ("partner_tenant_id", "customer_id", "country")
INVENTORY_KEY = (
    *CELL,
    "azure_subscription_id",
    "arm_region",
    "reservation_scope",
    "product_id",
    "sku_id",
)
AVAILABILITY_KEY = (
    *CELL,
    "product_id",
    "sku_id",
    "segment",
    "reservation_scope",
    "term_duration",
    "billing_cycle",
    "ordinal",
)

KEYS: dict[str, tuple[str, ...]] = {
    "snapshot": ("snapshot_id",),
    "coverage": ("snapshot_id", *CELL),
    "check_outcome": ("snapshot_id", "check_id"),
    "inventory": ("snapshot_id", *INVENTORY_KEY),
    "restriction": ("snapshot_id", *INVENTORY_KEY, "ordinal"),
    "availability": ("snapshot_id", *AVAILABILITY_KEY),
    "change": ("event_id",),
    "ending": ("snapshot_id", *INVENTORY_KEY),
    "sku": (
        "snapshot_id",
        "partner_tenant_id",
        "country",
        "reservation_scope",
        "product_id",
        "sku_id",
    ),
    "customer": ("snapshot_id", "partner_tenant_id", "customer_id"),
    "azure_subscription": (
        "snapshot_id",
        "partner_tenant_id",
        "customer_id",
        "azure_subscription_id",
    ),
    "commerce_subscription": (
        "snapshot_id",
        "partner_tenant_id",
        "customer_id",
        "commerce_subscription_id",
    ),
    # Facts about things that have no row in another relation: see docs/decisions/0002.
    "remembered": (
        "snapshot_id",
        *CELL,
        "azure_subscription_id",
        "arm_region",
        "reservation_scope",
        "product_id",
        "sku_id",
        "what",
    ),
}

ATTEMPT_KEY = ("run_id", "partner_tenant_id")
"""The key of `attempt`. It has no snapshot, because a run that published nothing has a row too."""

_INTS = {
    "exit",
    "ordinal",
    "sequence",
    "calls",
    "retries",
    "throttled",
    "checks_answered",
    "checks_failed",
    "checks_skipped",
    "checks_not_eligible",
    "listings_failed",
    "customers_unlisted",
    "inventory_rows",
    "availability_rows",
    "changes",
    "schema_version",
    "http_status",
    "attempts",
    "gap_snapshots",
    "affected_customers",
    "cores",
    "quantity",
}
_BOOLS = {"suspect", "is_renewable"}
_DOUBLES = {"ram_gb"}
_PLAIN = {"event_id", "check_id", "request_id", "correlation_id", "commerce_subscription_id"}

_COUNTS = (
    "checks_answered",
    "checks_failed",
    "checks_skipped",
    "checks_not_eligible",
    "listings_failed",
    "customers_unlisted",
)
_CHECKED = ("checked_at", "checked_snapshot_id", "verdict_since_at", "verdict_since_snapshot_id")

_REST: dict[str, tuple[str, ...]] = {
    "snapshot": (
        "sequence",
        "run_id",
        "partner_tenant_id",
        "partner_name",
        "started_at",
        "published_at",
        "business_date",
        "kind",
        "status",
        "trigger",
        "scope",
        "scope_hash",
        "calls",
        "retries",
        "throttled",
        *_COUNTS,
        "inventory_rows",
        "availability_rows",
        "changes",
        "auditor_version",
        "schema_version",
    ),
    "coverage": ("status", "scope", *_COUNTS, "previous_snapshot_id"),
    "check_outcome": (
        "kind",
        *CELL,
        "azure_subscription_id",
        "arm_region",
        "reservation_scope",
        "product_id",
        "sku_id",
        "outcome",
        "reason",
        "http_status",
        "error_code",
        "request_id",
        "correlation_id",
        "attempts",
        "checked_at",
    ),
    "inventory": (
        "verdict",
        "reason_codes",
        "restriction_values",
        "region",
        *_CHECKED,
        "pending_verdict",
        "pending_reason_codes",
        "pending_restriction_values",
        "pending_snapshot_id",
    ),
    "restriction": ("reason_code", "description", "type", "value", "properties"),
    "availability": (
        "verdict",
        "availability_id",
        "catalog_item_id",
        "term_id",
        "market",
        "currency",
        "is_renewable",
        "renew_to",
        "lifecycle",
        "min_commitment",
        *_CHECKED,
        "pending_verdict",
        "pending_snapshot_id",
    ),
    "change": (
        "snapshot_id",
        "business_date",
        "subject",
        "kind",
        *INVENTORY_KEY,
        "segment",
        "term_duration",
        "billing_cycle",
        "ordinal",
        "verdict_before",
        "verdict_after",
        "reason_codes_before",
        "reason_codes_after",
        "restriction_values_before",
        "restriction_values_after",
        "detail",
        "before_snapshot_id",
        "before_at",
        "after_at",
        "gap_snapshots",
        "suspect",
        "affected_customers",
    ),
    "ending": (
        "verdict",
        "reason_codes",
        "restriction_values",
        "verdict_since_at",
        "verdict_since_snapshot_id",
        "ended_at",
        "ended_by",
    ),
    "sku": (
        "product_title",
        "title",
        "arm_sku_name",
        "region",
        "region_name",
        "category",
        "cores",
        "ram_gb",
        "term_duration",
        "flexibility_group",
        "flexibility_ratio",
        "inventory_variables",
        "purchase_prerequisites",
    ),
    "customer": (
        "company_name",
        "domain",
        "country",
        "relationship",
        "reseller_id",
        "qualifications",
    ),
    "azure_subscription": (
        "plan_id",
        "friendly_name",
        "status",
        "registration_status",
        "reseller_id",
    ),
    "commerce_subscription": (
        "product_id",
        "sku_id",
        "offer_id",
        "offer_name",
        "quantity",
        "status",
        "term_duration",
        "billing_cycle",
        "term_ends_at",
        "end_action",
        "next_product_id",
        "next_sku_id",
        "next_term_duration",
        "reseller_id",
    ),
    "remembered": ("detail", "since_at"),
    "attempt": (
        "partner_name",
        "kind",
        "trigger",
        "customers",
        "started_at",
        "ended_at",
        "exit",
        "error_code",
        "reason",
        "snapshot_id",
        "calls",
    ),
}

PER_SNAPSHOT = ("snapshot", "coverage", "check_outcome", "change", "ending")
"""The relations with facts of one run. All others hold everything known about each covered cell."""
STATE = tuple(name for name in KEYS if name not in PER_SNAPSHOT)
BULKY = (*STATE, "check_outcome")
"""The relations that `snapshots prune` drops."""


def _type(column: str) -> pa.DataType:
    if column in _INTS:
        return pa.int64()
    if column in _BOOLS:
        return pa.bool_()
    if column in _DOUBLES:
        return pa.float64()
    if column == "business_date":
        return pa.date32()
    if column.endswith("_at"):
        return TIME
    return pa.string() if column in _PLAIN else TEXT


def _key(relation: str) -> tuple[str, ...]:
    return ATTEMPT_KEY if relation == "attempt" else KEYS[relation]


def _schema(relation: str) -> pa.Schema:
    key = _key(relation)
    columns = dict.fromkeys((*key, *_REST[relation]))
    return pa.schema([pa.field(c, _type(c), nullable=c not in key) for c in columns])


SCHEMAS: dict[str, pa.Schema] = {relation: _schema(relation) for relation in KEYS}
"""The Arrow schema of each relation of a snapshot, key columns first."""
ATTEMPT = _schema("attempt")
"""The Arrow schema of the relation `attempt`."""


def lacking(relation: str, version: int) -> tuple[str, ...]:
    """Return the columns that rows of an older schema version lack.

    If that version lacks the whole relation, return all columns.
    """
    return tuple(name for name in schema_of(relation).names if _since(relation, name) > version)


def schema_of(relation: str) -> pa.Schema:
    """Return the Arrow schema of a relation of a snapshot, or of `attempt`."""
    return ATTEMPT if relation == "attempt" else SCHEMAS[relation]


def _since(relation: str, column: str) -> int:
    return max(SINCE.get(relation, 1), SINCE.get(f"{relation}.{column}", 1))


def default(relation: str, column: str) -> object:
    """Return the value of a column in rows that are older than the column.

    For a key column that value is '' or 0: the column was not part of the question.
    """
    if column not in _key(relation):
        return DEFAULTS.get(f"{relation}.{column}")
    return 0 if column in _INTS else ""
