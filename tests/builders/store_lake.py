"""Makes small lakes through the store's own publishing; columns that are not given are empty."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from auditor.model import bucket_of
from auditor.store.folder.store import FolderStore
from auditor.store.interface import Store
from auditor.tables import KEYS, SCHEMAS

P = "aaaaaaaa-0000-0000-0000-000000000001"
Q = "aaaaaaaa-0000-0000-0000-000000000002"
ACME = "11111111-0000-0000-0000-000000000001"
BOND = "11111111-0000-0000-0000-000000000002"
COHO = "11111111-0000-0000-0000-000000000003"
NIGHT = datetime(2026, 11, 1, 2, 0, tzinfo=UTC)

Row = dict[str, Any]  # one row of any relation


def at(day: int, minute: int = 0) -> datetime:
    """Return a minute of a night; day 1 is the first."""
    return NIGHT + timedelta(days=day - 1, minutes=minute)


def rows_table(relation: str, rows: Iterable[Row], snapshot_id: str) -> pa.Table:
    """Return rows of a relation; columns that are not given are empty."""
    full = []
    for row in rows:
        filled: Row = {"snapshot_id": snapshot_id, "partner_tenant_id": P}
        for field in SCHEMAS[relation]:
            if pa.types.is_dictionary(field.type) or pa.types.is_string(field.type):
                filled.setdefault(field.name, "")
            elif field.name in KEYS[relation]:
                filled.setdefault(field.name, 0)
        filled.update(row)
        full.append({name: filled.get(name) for name in SCHEMAS[relation].names})
    return pa.Table.from_pylist(full, schema=SCHEMAS[relation])


def snapshot_row(snapshot_id: str, started_at: datetime, **given: object) -> Row:
    """Return the row of a snapshot that took ten minutes."""
    return {
        "run_id": f"run-{snapshot_id}",
        "partner_tenant_id": P,
        "partner_name": "contoso-eu",
        "started_at": started_at,
        "published_at": started_at + timedelta(minutes=10),
        "business_date": started_at.date(),
        "kind": "full",
        "status": "complete",
        "trigger": "cron",
        "scope": "{}",
        "scope_hash": "s",
        "calls": 1,
        "retries": 0,
        "throttled": 0,
        "checks_answered": 0,
        "checks_failed": 0,
        "checks_skipped": 0,
        "checks_not_eligible": 0,
        "listings_failed": 0,
        "customers_unlisted": 0,
        "auditor_version": "0",
        **given,
    }


def publish(
    store: Store,
    snapshot_id: str,
    started_at: datetime,
    relations: dict[str, list[Row]],
    *,
    config_hash: str = "c",
    **given: object,
) -> bool:
    """Publish a snapshot of these rows and return whether it is new."""
    with store.publishing(0.0) as publication:
        publication.stage(snapshot_id)
        stage(publication.write, store.buckets, snapshot_id, relations, given)
        return publication.commit(snapshot_row(snapshot_id, started_at, **given), config_hash)


def stage(
    write: Any,  # the bound method of a publication
    buckets: int,
    snapshot_id: str,
    relations: dict[str, list[Row]],
    given: dict[str, object],
) -> None:
    """Write the rows, each in its bucket."""
    partner = {"partner_tenant_id": given.get("partner_tenant_id", P)}
    for relation, rows in relations.items():
        by_bucket: dict[int, list[Row]] = {}
        for row in rows:
            bucket = bucket_of(row.get("customer_id", ""), buckets)
            by_bucket.setdefault(bucket, []).append({**partner, **row})
        for bucket, some in sorted(by_bucket.items()):
            write(relation, bucket, rows_table(relation, some, snapshot_id))


def make(folder: Path, buckets: int = 4) -> FolderStore:
    """Return a new store."""
    return FolderStore.open(str(folder / "lake"), create=True, buckets=buckets)


def cover(customer_id: str = "", country: str = "", **more: object) -> Row:
    """Return the coverage row of a cell."""
    counts = (
        *("checks_answered", "checks_failed", "checks_skipped", "checks_not_eligible"),
        *("listings_failed", "customers_unlisted"),
    )
    return {
        "customer_id": customer_id,
        "country": country,
        "status": "covered",
        "scope": "{}",
        **dict.fromkeys(counts, 0),
        **more,
    }


def stock(customer_id: str, sku_id: str, verdict: str, when: datetime, **more: object) -> Row:
    """Return an inventory row of one Azure subscription in DE."""
    return {
        "customer_id": customer_id,
        "country": "DE",
        "azure_subscription_id": f"sub-{customer_id[-1]}",
        "reservation_scope": "AzurePlan",
        "product_id": "DZH318Z0BQ3Q",
        "sku_id": sku_id,
        "verdict": verdict,
        "reason_codes": "NotAvailableForSubscription" if verdict == "restricted" else "",
        "restriction_values": "japanwest" if verdict == "restricted" else "",
        "region": "japanwest",
        "checked_at": when,
        "verdict_since_at": when,
        **more,
    }


def listed(sku_id: str, **more: object) -> Row:
    """Return a catalog row in DE."""
    return {
        "country": "DE",
        "reservation_scope": "AzurePlan",
        "product_id": "DZH318Z0BQ3Q",
        "sku_id": sku_id,
        "product_title": "Virtual Machines Dv3",
        "title": f"D{sku_id} one year",
        "arm_sku_name": f"Standard_D{sku_id}_v3",
        "region": "japanwest",
        "region_name": "Japan West",
        "flexibility_group": "Dv3",
        **more,
    }


def client(customer_id: str, name: str, **more: object) -> Row:
    """Return a customer row."""
    return {
        "customer_id": customer_id,
        "company_name": name,
        "domain": f"{name.lower()}.example",
        "country": "DE",
        "relationship": "reseller",
        **more,
    }
