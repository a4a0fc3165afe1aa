"""A lake with everything that a report shows; tests can add a text to every name."""

import atexit
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from auditor.store.folder.store import FolderStore
from tests.builders.store_lake import (
    ACME,
    BOND,
    COHO,
    at,
    client,
    cover,
    listed,
    make,
    publish,
    stock,
)

PRODUCT = "DZH318Z0BQ3Q"
OFFICE = "CFQ7TTC0LH18"
FIRST, SECOND, THIRD = (
    "20261101T020000Z-00000a",
    "20261102T020000Z-00000b",
    "20261102T030000Z-00000c",
)

Row = dict[str, Any]  # one row of any relation


def asked(customer_id: str, check_id: str, outcome: str, **more: object) -> Row:
    """Return the outcome of an inventory check of the product in DE."""
    return {
        "check_id": check_id,
        "kind": "inventory",
        "customer_id": customer_id,
        "country": "DE",
        "azure_subscription_id": f"sub-{customer_id[-1]}",
        "reservation_scope": "AzurePlan",
        "product_id": PRODUCT,
        "outcome": outcome,
        "attempts": 0 if outcome == "not_eligible" else 1,
        **more,
    }


def changed(event_id: str, kind: str, **more: object) -> Row:
    """Return an inventory change of ACME."""
    return {
        "event_id": event_id,
        "business_date": at(2).date(),
        "subject": "inventory",
        "kind": kind,
        "customer_id": ACME,
        "country": "DE",
        "azure_subscription_id": "sub-1",
        "reservation_scope": "AzurePlan",
        "product_id": PRODUCT,
        "sku_id": "0011",
        "verdict_before": "unrestricted",
        "verdict_after": "restricted",
        "reason_codes_after": "NotAvailableForSubscription",
        "restriction_values_after": "japanwest",
        "detail": "{}",
        "before_snapshot_id": FIRST,
        "before_at": at(1, 1),
        "after_at": at(2, 1),
        "gap_snapshots": 0,
        "suspect": False,
        "affected_customers": 1,
        **more,
    }


def night_1(folder: Path, text: str = "") -> FolderStore:
    """Return a lake with the baseline of one partner; `text` is added to every name."""
    lake = make(folder)
    relations = {
        "coverage": _cells(),
        "customer": _people(text),
        "sku": [_sku("0011", text), _sku("0012", text)],
        "inventory": [
            stock(ACME, "0011", "unrestricted", at(1, 1)),
            stock(ACME, "0012", "unrestricted", at(1, 1)),
            stock(BOND, "0011", "restricted", at(1, 2)),
        ],
        "check_outcome": [asked(ACME, "a1", "answered"), asked(BOND, "a2", "answered")],
    }
    publish(lake, FIRST, at(1), relations, calls=9, checks_answered=2, inventory_rows=3)
    return lake


def two_nights(folder: Path, text: str = "") -> FolderStore:
    """Return the lake after a second night, in which BOND's checks failed.

    ACME's 0011 is newly restricted and its 0012 left the catalog. A term of one licence is no
    longer purchasable, the terms of another changed. The change of BOND's is suspect.
    """
    shutil.copytree(_two_nights(text), folder / "lake")
    return FolderStore.open(str(folder / "lake"))


@cache
def _two_nights(text: str) -> Path:
    """Return the lake that all others with the same text are copied from."""
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made)
    lake = night_1(made, text)
    reason = f"NotAvailableForSubscription{text}"
    licence = {
        "subject": "availability",
        "country": "",
        "azure_subscription_id": "",
        "product_id": OFFICE,
        "sku_id": "0001",
        "term_duration": "P1Y",
        "billing_cycle": "Annual",
        "verdict_before": "purchasable",
        "reason_codes_after": "",
        "restriction_values_after": "",
    }
    terms = (
        '{"before": {"is_renewable": true, "renew_to": "A:1"},'
        ' "after": {"is_renewable": false, "renew_to": ""}}'
    )
    relations = {
        "coverage": _cells("partly"),
        "customer": _people(text),
        "sku": [_sku("0011", text), _sku("0012", text)],
        "azure_subscription": [
            {"customer_id": ACME, "azure_subscription_id": "sub-1"},
            {"customer_id": BOND, "azure_subscription_id": "sub-2"},
        ],
        "inventory": [
            stock(ACME, "0011", "restricted", at(2, 1), reason_codes=reason),
            stock(ACME, "0012", "not_in_catalog", at(2, 1)),
            stock(BOND, "0011", "restricted", at(1, 2)),
        ],
        "availability": [
            {
                "customer_id": ACME,
                "product_id": OFFICE,
                "sku_id": "0001",
                "segment": "commercial",
                "term_duration": "P1Y",
                "verdict": "not_purchasable",
                "checked_at": at(2, 2),
                "verdict_since_at": at(2, 2),
            }
        ],
        "commerce_subscription": [
            {
                "customer_id": ACME,
                "commerce_subscription_id": "held-1",
                "product_id": OFFICE,
                "sku_id": "0001",
                "offer_name": f"Office{text}",
                "quantity": 12,
                "term_duration": "P1Y",
                "term_ends_at": at(40),
                "end_action": "renew",
            }
        ],
        "check_outcome": [
            asked(ACME, "b1", "answered", request_id="r1"),
            asked(ACME, "b2", "answered", request_id="r1", product_id="OTHER"),
            asked(
                ACME,
                "b3",
                "answered",
                request_id="r2",
                kind="availability",
                product_id=OFFICE,
                sku_id="0001",
            ),
            asked(BOND, "b4", "failed", reason=f"timeout{text}", correlation_id="corr-1"),
            asked(BOND, "b5", "skipped", reason="deadline", product_id="NEW", attempts=0),
            asked(COHO, "b6", "not_eligible", reason="plan_not_registered"),
        ],
        "change": [
            changed("e1", "newly_restricted", reason_codes_after=reason),
            changed("e2", "left_catalog", sku_id="0012", verdict_after="not_in_catalog"),
            changed("e3", "newly_restricted", customer_id=BOND, suspect=True),
            changed("e4", "no_longer_purchasable", verdict_after="not_purchasable", **licence),
            changed("e5", "terms_changed", **{**licence, "detail": terms, "ordinal": 1}),
            changed(
                "e6",
                "left_catalog",
                subject="catalog",
                customer_id="",
                azure_subscription_id="",
                sku_id="0013",
                verdict_after="not_in_catalog",
                affected_customers=7,
            ),
        ],
    }
    publish(
        lake,
        SECOND,
        at(2),
        relations,
        status="incomplete",
        calls=6,
        retries=1,
        checks_answered=3,
        checks_failed=1,
        checks_skipped=1,
        checks_not_eligible=1,
        listings_failed=0,
        customers_unlisted=0,
        inventory_rows=3,
        availability_rows=1,
        changes=6,
    )
    return lake.root


def on_demand(lake: FolderStore) -> None:
    """Publish a run for ACME alone, in which 0011 is unrestricted again."""
    relations = {
        "coverage": [cover(ACME, "DE")],
        "inventory": [
            stock(ACME, "0011", "unrestricted", at(2, 61)),
            stock(ACME, "0012", "not_in_catalog", at(2, 1)),
        ],
        "change": [
            changed(
                "f1",
                "restriction_lifted",
                verdict_before="restricted",
                verdict_after="unrestricted",
            )
        ],
    }
    publish(lake, THIRD, at(2, 60), relations, kind="partial", calls=1, checks_answered=1)


def _cells(of_bond: str = "covered") -> list[Row]:
    everybody = [cover(one, country) for one in (ACME, COHO) for country in ("", "DE")]
    return [*everybody, cover(BOND), cover(BOND, "DE", status=of_bond), cover("", "DE")]


def _people(text: str) -> list[Row]:
    return [
        client(ACME, f"Acme{text}", domain="acme.example"),
        client(BOND, f"Bond{text}", domain="bond.example"),
        client(COHO, f"Coho{text}", domain="coho.example"),
    ]


def _sku(sku_id: str, text: str) -> Row:
    return listed(
        sku_id,
        product_title=f"Dv3 Series{text}",
        title=f"D{sku_id} one year{text}",
        flexibility_group=f"Dv3{text}",
    )
