"""What a report says of changes, as values."""

from datetime import datetime
from enum import StrEnum

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a report."""


class Outlook(StrEnum):
    """What a change means for who wants to buy."""

    BAD = "bad"
    GOOD = "good"
    OTHER = "other"


_OUTLOOKS = {
    "newly_restricted": Outlook.BAD,
    "no_longer_purchasable": Outlook.BAD,
    "left_catalog": Outlook.BAD,
    "first_seen_restricted": Outlook.BAD,
    "restriction_changed": Outlook.OTHER,
    "terms_changed": Outlook.OTHER,
    "entered_catalog": Outlook.GOOD,
    "restriction_lifted": Outlook.GOOD,
    "purchasable_again": Outlook.GOOD,
}
"""By kind, what matters most first."""


def outlook(kind: str) -> Outlook:
    """Return what a kind of change means for who wants to buy."""
    return _OUTLOOKS.get(kind, Outlook.OTHER)


def severity(kind: str) -> int:
    """Return the place of a kind of change among all: the least number matters most."""
    return list(_OUTLOOKS).index(kind) if kind in _OUTLOOKS else len(_OUTLOOKS)


class Kind(Value, frozen=True, kw_only=True):
    """How much changed in one way."""

    subject: str
    kind: str
    suspect: bool
    rows: int
    customers: int
    skus: int
    affected_customers: int
    """By changes of the catalog itself, which name no customer; one may count for several."""


class Cause(Value, frozen=True, kw_only=True):
    """Changes with one cause."""

    subject: str
    kind: str
    product_title: str
    region: str
    reason_codes: str
    suspect: bool
    skus: int
    customers: int
    keys: int
    partners: int
    cause: str
    """`12 SKUs, japanwest, 37 customers`."""


class Change(Value, frozen=True, kw_only=True):
    """One change, with the names of things."""

    snapshot_id: str
    subject: str
    kind: str
    suspect: bool
    partner: str
    customer: str
    """The company's name, its id where that is not known, or a pseudonym; '' for all of them."""
    customer_id: str
    """'' where the customers are hidden."""
    country: str
    azure_subscription_id: str
    region: str
    product_id: str
    sku_id: str
    product_title: str
    sku_title: str
    arm_sku_name: str
    term_duration: str
    billing_cycle: str
    verdict_before: str
    verdict_after: str
    reason_codes_before: str
    reason_codes_after: str
    restriction_values_before: str
    restriction_values_after: str
    difference: str
    """What else is different: `renew to: A:1, was A:2`."""
    before_at: datetime | None
    """None where nothing was known."""
    after_at: datetime | None
    gap_snapshots: int
    affected_customers: int
