"""The changes and their causes as a table for people, with the columns that fit a terminal."""

import pyarrow as pa

from auditor.store import history

_CAUSE_COLUMNS = ["kind", "keys", "cause", "company_name", "country", "suspect"]
_CHANGE_COLUMNS = [
    "kind",
    "company_name",
    "country",
    "region",
    "product_id",
    "sku_id",
    "sku_title",
    "term_duration",
    "verdict_before",
    "verdict_after",
    "reason_codes_after",
    "restriction_values_after",
    "subscriptions",
    "after_at",
]


def of_changes(changes: pa.Table) -> pa.Table:
    """Return one row for changes that differ only in their Azure subscription or their terms."""
    return history.alike(changes).select(_CHANGE_COLUMNS)


def of_causes(causes: pa.Table) -> pa.Table:
    """Return one row for each cause."""
    return causes.select(_CAUSE_COLUMNS)
