"""The relations have the keys and columns of docs/contract.md."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from auditor.tables import (
    BULKY,
    DEFAULTS,
    KEYS,
    PER_SNAPSHOT,
    SCHEMA_VERSION,
    SCHEMAS,
    SINCE,
    STATE,
    TEXT,
    TIME,
    lacking,
)

CELL = "partner_tenant_id customer_id country"
INVENTORY = f"{CELL} azure_subscription_id arm_region reservation_scope product_id sku_id"
CHECKS = "checks_answered checks_failed checks_skipped checks_not_eligible"
COUNTS = f"{CHECKS} listings_failed customers_unlisted"
CHECKED = "checked_at checked_snapshot_id verdict_since_at verdict_since_snapshot_id"

CONTRACT = {
    "snapshot": (
        "snapshot_id",
        (
            "sequence run_id partner_tenant_id partner_name started_at published_at business_date"
            f" kind status trigger scope scope_hash calls retries throttled {COUNTS} inventory_rows"
            " availability_rows changes auditor_version schema_version"
        ),
    ),
    "coverage": (f"snapshot_id {CELL}", f"status scope {COUNTS} previous_snapshot_id"),
    "check_outcome": (
        "snapshot_id check_id",
        (
            f"kind {CELL} azure_subscription_id arm_region reservation_scope product_id sku_id"
            " outcome reason http_status error_code request_id correlation_id attempts checked_at"
        ),
    ),
    "inventory": (
        f"snapshot_id {INVENTORY}",
        (
            f"verdict reason_codes restriction_values region {CHECKED} pending_verdict"
            " pending_reason_codes pending_restriction_values pending_snapshot_id"
        ),
    ),
    "restriction": (
        f"snapshot_id {INVENTORY} ordinal",
        "reason_code description type value properties",
    ),
    "availability": (
        (
            f"snapshot_id {CELL} product_id sku_id segment reservation_scope term_duration"
            " billing_cycle ordinal"
        ),
        (
            "verdict availability_id catalog_item_id term_id market currency is_renewable renew_to"
            f" lifecycle min_commitment {CHECKED} pending_verdict pending_snapshot_id"
        ),
    ),
    "change": (
        "event_id",
        (
            f"snapshot_id business_date subject kind {INVENTORY} segment term_duration"
            " billing_cycle ordinal verdict_before verdict_after reason_codes_before"
            " reason_codes_after restriction_values_before restriction_values_after detail"
            " before_snapshot_id before_at after_at gap_snapshots suspect affected_customers"
        ),
    ),
    "ending": (
        f"snapshot_id {INVENTORY}",
        (
            "verdict reason_codes restriction_values verdict_since_at verdict_since_snapshot_id"
            " ended_at ended_by"
        ),
    ),
    "sku": (
        "snapshot_id partner_tenant_id country reservation_scope product_id sku_id",
        (
            "product_title title arm_sku_name region region_name category cores ram_gb"
            " term_duration flexibility_group flexibility_ratio inventory_variables"
            " purchase_prerequisites"
        ),
    ),
    "customer": (
        "snapshot_id partner_tenant_id customer_id",
        "company_name domain country relationship reseller_id qualifications",
    ),
    "azure_subscription": (
        "snapshot_id partner_tenant_id customer_id azure_subscription_id",
        "plan_id friendly_name status registration_status reseller_id",
    ),
    "commerce_subscription": (
        "snapshot_id partner_tenant_id customer_id commerce_subscription_id",
        (
            "product_id sku_id offer_id offer_name quantity status term_duration billing_cycle"
            " term_ends_at end_action next_product_id next_sku_id next_term_duration reseller_id"
        ),
    ),
}
INTERNAL = {"remembered"}
"""A small table for our own use, which the contract does not have."""
INTS = (
    f"sequence calls retries throttled {COUNTS} inventory_rows availability_rows changes"
    " schema_version http_status attempts gap_snapshots affected_customers cores quantity ordinal"
).split()


def test_the_relations_are_those_of_the_contract() -> None:
    assert SCHEMAS.keys() == KEYS.keys() == CONTRACT.keys() | INTERNAL


@pytest.mark.parametrize("relation", CONTRACT)
def test_key_and_columns_are_exactly_those_of_the_contract(relation: str) -> None:
    key, rest = (columns.split() for columns in CONTRACT[relation])
    assert list(KEYS[relation]) == key
    assert sorted(SCHEMAS[relation].names) == sorted([*key, *rest])
    assert SCHEMAS[relation].names[: len(key)] == key


@pytest.mark.parametrize("relation", SCHEMAS)
def test_only_key_columns_may_not_be_null(relation: str) -> None:
    for field in SCHEMAS[relation]:
        assert field.nullable is (field.name not in KEYS[relation])


@pytest.mark.parametrize("relation", SCHEMAS)
def test_ids_are_text_and_times_are_utc(relation: str) -> None:
    """P28: an id is always text."""
    for field in SCHEMAS[relation]:
        if field.name in INTS:
            expected = {pa.int64()}
        elif field.name == "ram_gb":
            expected = {pa.float64()}
        elif field.name in {"suspect", "is_renewable"}:
            expected = {pa.bool_()}
        elif field.name == "business_date":
            expected = {pa.date32()}
        elif field.name.endswith("_at"):
            expected = {TIME}
        else:
            expected = {pa.string(), TEXT}
        assert field.type in expected, field.name
    assert pa.timestamp("us", tz="UTC") == TIME


def test_rows_about_one_run_are_separate_from_known_rows() -> None:
    assert set(PER_SNAPSHOT) == {"snapshot", "coverage", "check_outcome", "change", "ending"}
    assert set(STATE) == SCHEMAS.keys() - set(PER_SNAPSHOT)
    assert set(BULKY) == {*STATE, "check_outcome"}


RELEASED = sorted((Path(__file__).parents[1] / "fixtures").glob("columns-*.json"))
"""The columns of each released schema version; a new one is added at a release."""


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_what_came_after_a_released_version_is_known(path: Path) -> None:
    """P34: a column that `SINCE` does not name would be looked for in files that lack it."""
    version = int(path.stem.partition("-")[2])
    columns = {
        relation: [n for n in schema.names if n not in lacking(relation, version)]
        for relation, schema in SCHEMAS.items()
    }
    assert {r: names for r, names in columns.items() if names} == json.loads(path.read_text())


def test_every_version_before_this_one_is_released() -> None:
    versions = [int(path.stem.partition("-")[2]) for path in RELEASED]
    assert set(range(1, SCHEMA_VERSION)) <= set(versions) <= set(range(1, SCHEMA_VERSION + 1))
    names = {
        "attempt",
        *SCHEMAS,
        *(f"{r}.{name}" for r, schema in SCHEMAS.items() for name in schema.names),
    }
    assert names >= SINCE.keys() | DEFAULTS.keys()
    assert set(SINCE.values()) <= set(range(2, SCHEMA_VERSION + 1))
