"""The content of a report as values: the terminal and the HTML page show the same ones."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

from auditor.report.trust import Trust

T = TypeVar("T")


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a report."""


class Outlook(StrEnum):
    """What a change means for a buyer."""

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
"""By kind of change, the most important first."""


def outlook(kind: str) -> Outlook:
    """Return what a kind of change means for a buyer."""
    return _OUTLOOKS.get(kind, Outlook.OTHER)


def severity(kind: str) -> int:
    """Return the rank of a kind of change; 0 is the most important."""
    return list(_OUTLOOKS).index(kind) if kind in _OUTLOOKS else len(_OUTLOOKS)


class KindCount(Value, frozen=True, kw_only=True):
    """The changes of one subject and kind, counted."""

    subject: str
    kind: str
    suspect: bool
    rows: int
    customers: int
    skus: int
    affected_customers: int
    """Customers that changes of the catalog itself affect; a customer may count twice."""


class Cause(Value, frozen=True, kw_only=True):
    """Changes with one cause. A text is '' where the changes differ in it."""

    subject: str
    kind: str
    product_title: str
    family: str
    region: str
    country: str
    customer: str
    """The one customer: the company's name, its id if the name is unknown, or a pseudonym."""
    customer_id: str
    """'' if customers are masked."""
    reason_codes: str
    suspect: bool
    is_single: bool
    """True if these changes have nothing in common: each stands alone."""
    sku: str
    """PRODUCT:SKU."""
    sku_title: str
    terms: str
    skus: int
    customers: int
    subscriptions: int
    regions: int
    keys: int
    partners: int
    known: int | None
    """The keys in the place of the cause that could have changed; None for single changes."""
    changed_share: float | None
    first_snapshot_id: str
    since_at: datetime | None
    """The time of the first answer that showed the cause."""
    cause: str
    """`NotAvailableForSubscription in japanwest: 12 SKUs of Dsv3, 37 customers`."""


def ranked_causes(causes: Iterable[Cause]) -> list[Cause]:
    """Return the causes without suspect changes, the largest first; single changes come last."""
    sure = (cause for cause in causes if not cause.suspect)
    return sorted(sure, key=lambda c: (c.is_single, -c.keys, severity(c.kind)))


class Change(Value, frozen=True, kw_only=True):
    """One change, or several that differ only in their Azure subscription or their terms."""

    snapshot_id: str
    subject: str
    kind: str
    suspect: bool
    partner: str
    customer: str
    """The company's name, its id if the name is unknown, or a pseudonym; '' is all customers."""
    customer_id: str
    """'' if customers are masked."""
    country: str
    azure_subscription_id: str
    """'' if there are several."""
    subscriptions: int
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
    """What changed besides the verdict: `renew to: A:1, was A:2`."""
    before_at: datetime | None
    """None if nothing was known before."""
    after_at: datetime | None
    gap_snapshots: int
    affected_customers: int


class Figures(Value, frozen=True, kw_only=True):
    """One partner's figures, from one snapshot."""

    partner: str
    snapshot_id: str
    kind: str
    status: str
    started_at: datetime
    published_at: datetime
    calls: int
    retries: int
    throttled: int
    answered: int
    failed: int
    skipped: int
    not_eligible: int
    inventory_rows: int
    availability_rows: int
    customers: int
    azure_subscriptions: int
    products: int
    skus: int
    inventory_checks: int
    availability_checks: int
    naive_calls: int
    """Calls without batching: one for each product and context."""
    changes: int
    is_first: bool
    """True if there was no earlier snapshot to compare with."""

    @property
    def unknown(self) -> int:
        return self.failed + self.skipped

    @property
    def unknown_share(self) -> float:
        """The share of checks without an answer among those that need one, from 0 to 1."""
        return self.unknown / max(self.answered + self.unknown, 1)

    @property
    def is_complete(self) -> bool:
        return self.status == "complete"


class PlaceCount(Value, frozen=True, kw_only=True):
    """How much is restricted now in one region, counted in SKUs of an Azure subscription."""

    partner_name: str
    country: str
    region: str
    restricted: int
    unrestricted: int
    not_in_catalog: int
    unknown: int
    skus: int
    customers: int

    @property
    def share(self) -> float:
        """The restricted share of the restricted and unrestricted, from 0 to 1."""
        return self.restricted / max(self.restricted + self.unrestricted, 1)


class FamilyCount(Value, frozen=True, kw_only=True):
    """How much of one family is restricted now in one region."""

    region: str
    family: str
    restricted: int
    answered: int
    unknown: int


class ReasonCount(Value, frozen=True, kw_only=True):
    """How many checks were not asked or not answered for one reason."""

    outcome: str
    kind: str
    reason: str
    checks: int
    customers: int


class Unknown(Value, frozen=True, kw_only=True):
    """Checks of one customer without an answer, by reason."""

    partner: str
    customer: str
    customer_id: str
    country: str
    kind: str
    outcome: str
    reason: str
    checks: int
    since: datetime | None
    """The oldest last answer among the checks' keys; None if no key was ever answered."""
    correlation_id: str


class Stale(Value, frozen=True, kw_only=True):
    """Verdicts that are older than the partner's newest full run."""

    partner: str
    kind: str
    keys: int
    customers: int
    oldest: datetime


class Renewal(Value, frozen=True, kw_only=True):
    """A renewal that would buy a SKU that cannot be bought."""

    partner: str
    customer: str
    customer_id: str
    offer_name: str
    quantity: int | None
    term_duration: str
    term_ends_at: datetime
    end_action: str
    bought_product_id: str
    bought_sku_id: str
    sku_title: str
    verdict: str


class HeldBack(Value, frozen=True, kw_only=True):
    """Changes held back until a later snapshot confirms them: too many keys flipped at once."""

    keys: int
    customers: int

    def __str__(self) -> str:
        keys = f"{self.keys:,} key{'' if self.keys == 1 else 's'}"
        customers = f"{self.customers:,} customer{'' if self.customers == 1 else 's'}"
        return (
            f"{keys} of {customers} flipped at once: asked twice, held until the next run confirms"
        )


class Health(Value, frozen=True, kw_only=True):
    """How well a snapshot knows what it covers."""

    partner: str
    snapshot_id: str
    started_at: datetime
    kind: str
    status: str
    calls: int
    retries: int
    throttled: int
    answered: int
    failed: int
    skipped: int
    unknown_share: float | None
    """None if the snapshot had no checks."""
    cells: int
    cells_partly: int
    cells_failed: int
    cells_left: int
    changes: int
    suspect_changes: int


class Excerpt(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The first rows of a list, and the number of all rows."""

    rows: tuple[T, ...]
    total: int
    commands: tuple[str, ...] = ()
    """Commands that show the whole list."""

    @property
    def more(self) -> int:
        return self.total - len(self.rows)


class Summary(Value, frozen=True, kw_only=True):
    """The content of a report."""

    snapshots: tuple[str, ...]
    """The requested snapshots. If empty, changes count from each partner's previous full one."""
    is_masked: bool
    partners: tuple[Figures, ...]
    places: tuple[PlaceCount, ...]
    families: tuple[FamilyCount, ...]
    kinds: tuple[KindCount, ...]
    held: HeldBack
    tally: dict[tuple[str, str], int]
    """Changes by partner and kind, suspect ones left out."""
    causes: tuple[Cause, ...]
    changes: dict[str, Excerpt[Change]]
    """By kind; suspect changes are left out."""
    trust: tuple[Trust, ...]
    """How each partner's last night went; empty in a report of one snapshot."""
    reasons: tuple[ReasonCount, ...]
    unknown: Excerpt[Unknown]
    stale: tuple[Stale, ...]
    renewals: Excerpt[Renewal]
    health: tuple[Health, ...]
    not_in_catalog: int
    """The number of `not_in_catalog` verdicts, of inventory and of availability."""
    is_pruned: bool
    """True if the snapshot is pruned: only its changes are left."""
    is_baseline: bool
    """True if there was no earlier snapshot to compare with."""

    def count(self, *kinds: str) -> int:
        """Return how many changes of these kinds there are, suspect ones left out."""
        return sum(k.rows for k in self.kinds if k.kind in kinds and not k.suspect)


def total(rows: Iterable[object], field: str) -> int:
    """Return the sum of a field."""
    return sum(int(getattr(row, field)) for row in rows)
