"""Whole runs against a second Partner Center, which was written from the documents alone."""

import json
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.builders.another_partner_center import (
    ANYWHERE,
    DORMANT,
    LAB,
    NEXT_PAGE,
    REGIONAL,
    RELECLOUD,
    SHOP,
    TENANT,
    TOKEN,
    AnotherPartnerCenter,
    another_partner_center,
    auditor,
    config,
)

REPORT = {"run_id", "exit", "seconds", "snapshots"}
SNAPSHOT = {
    "partner",
    "snapshot_id",
    "status",
    "published",
    "reason",
    "calls",
    "retries",
    "throttled",
    "checks",
    "rows",
    "changes",
}
VERDICTS: dict[tuple[str, ...], str] = {
    (SHOP, "", ANYWHERE, "0011"): "unrestricted",
    (SHOP, "", ANYWHERE, "0038"): "restricted",
    (SHOP, "", ANYWHERE, "000S"): "not_in_catalog",
    (SHOP, "koreasouth", REGIONAL, "00G1"): "unrestricted",
    (SHOP, "westus2", REGIONAL, "00E1"): "unrestricted",
    (LAB, "", ANYWHERE, "0011"): "unrestricted",
    (LAB, "", ANYWHERE, "0038"): "unrestricted",
    (LAB, "", ANYWHERE, "000S"): "not_in_catalog",
    (LAB, "koreasouth", REGIONAL, "00G1"): "unrestricted",
    (LAB, "westus2", REGIONAL, "00E1"): "unrestricted",
}


async def rows(folder: Path, query: str) -> list[dict[str, Any]]:
    ran = await auditor(folder, "sql", query, "--format", "json")
    assert (ran.status, ran.stderr) == (0, "")
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return found


async def verdicts(folder: Path) -> dict[tuple[str, ...], str]:
    names = ("azure_subscription_id", "arm_region", "product_id", "sku_id")
    found = await rows(folder, "SELECT * FROM latest_inventory")
    assert {(row["customer_id"], row["country"]) for row in found} == {(RELECLOUD, "DE")}
    return {tuple(row[name] for name in names): row["verdict"] for row in found}


def known(expected: dict[tuple[str, ...], str]) -> dict[tuple[str, ...], str]:
    """Return verdicts with the Azure subscription ids in lower case, as in the store."""
    return {(key[0].lower(), *key[1:]): verdict for key, verdict in expected.items()}


@pytest.mark.asyncio
async def test_two_nights_at_another_server(tmp_path: Path) -> None:
    async with another_partner_center() as center:
        (tmp_path / "auditor.toml").write_text(config(center.base_url), encoding="utf-8")
        first = await auditor(tmp_path, "run", "--format", "json")
        assert first.status == 0, first.stderr
        assert_report(first.report, {})
        assert await verdicts(tmp_path) == known(VERDICTS)
        assert await rows(tmp_path, "SELECT * FROM change") == []
        assert_requests(center)

        center.requests.clear()
        center.restricted.add((LAB, ANYWHERE, "0011"))
        second = await auditor(tmp_path, "run", "--format", "json", "--fail-on", "left_catalog")
        assert second.status == 0, second.stderr
        assert_report(second.report, {"newly_restricted": 1})
        flipped = VERDICTS | {(LAB, "", ANYWHERE, "0011"): "restricted"}
        assert await verdicts(tmp_path) == known(flipped)
        (change,) = await rows(tmp_path, "SELECT * FROM change")
        expected = {
            "kind": "newly_restricted",
            "subject": "inventory",
            "partner_tenant_id": TENANT,
            "customer_id": RELECLOUD,
            "country": "DE",
            "azure_subscription_id": LAB.lower(),
            "product_id": ANYWHERE,
            "sku_id": "0011",
            "verdict_before": "unrestricted",
            "verdict_after": "restricted",
            "reason_codes_after": "NotAvailableForSubscription",
            "restriction_values_after": "japanwest",
            "before_snapshot_id": first.report["snapshots"][0]["snapshot_id"],
            "snapshot_id": second.report["snapshots"][0]["snapshot_id"],
            "gap_snapshots": 0,
            "suspect": False,
        }
        assert {name: change[name] for name in expected} == expected
        assert_requests(center)
        assert {a.path for a in center.requests if "/products" in a.path} == {
            a.path for a in center.requests if "/availabilities" in a.path
        }, "the catalog is taken from the store, its regions in the original letter case"


@pytest.mark.asyncio
async def test_names_terms_and_ids_of_replies_are_stored_too(tmp_path: Path) -> None:
    async with another_partner_center() as center:
        (tmp_path / "auditor.toml").write_text(config(center.base_url), encoding="utf-8")
        assert (await auditor(tmp_path, "run", "--quiet")).status == 0
    names = await rows(tmp_path, "SELECT company_name, relationship FROM customer ORDER BY 1")
    assert [tuple(row.values()) for row in names] == [
        ("Adatum", "advisor"),
        ("Litware", "reseller"),
        ("Relecloud", "reseller"),
    ]
    (licence,) = await rows(tmp_path, "SELECT * FROM latest_availability")
    assert (licence["product_id"], licence["sku_id"]) == ("CFQ7TTC0LH18", "0001")
    assert (licence["verdict"], licence["market"], licence["currency"]) == (
        "purchasable",
        "DE",
        "EUR",
    )
    assert (licence["term_duration"], licence["renew_to"]) == ("P1Y", "CFQ7TTC0LH18:0001")
    outcomes = await rows(tmp_path, "SELECT * FROM check_outcome")
    not_asked = {
        (row["azure_subscription_id"], row["reason"])
        for row in outcomes
        if row["outcome"] == "not_eligible" and row["kind"] == "inventory"
    }
    assert not_asked == {
        (DORMANT.lower(), "plan_not_registered"),
        ("", "relationship_not_reseller"),
    }
    sent = {request.headers["ms-correlationid"] for request in center.requests}
    stored = {row["correlation_id"] for row in outcomes if row["outcome"] == "answered"}
    assert stored
    assert stored <= sent, "of a header that holds its id twice, one id is stored"


def assert_report(report: dict[str, Any], changes: dict[str, int]) -> None:
    """Check the object of `run --format json` against its contract."""
    assert report.keys() == REPORT
    assert report["exit"] == 0
    (snapshot,) = report["snapshots"]
    assert snapshot.keys() == SNAPSHOT
    assert snapshot["checks"].keys() == {"answered", "failed", "skipped", "not_eligible"}
    assert snapshot["rows"] == {"inventory": len(VERDICTS), "availability": 1}
    assert snapshot["changes"] == changes
    ended = {name: snapshot[name] for name in ("partner", "status", "published", "reason")}
    assert ended == {"partner": "contoso", "status": "complete", "published": True, "reason": ""}
    assert (snapshot["checks"]["failed"], snapshot["checks"]["skipped"]) == (0, 0)
    assert (snapshot["retries"], snapshot["throttled"]) == (0, 0)


def assert_requests(center: AnotherPartnerCenter) -> None:
    """Check every request against the documents."""
    assert [a for a in center.requests if a.status != 200] == []
    assert {request.headers["x-locale"] for request in center.requests} == {"en-US"}
    assert {request.headers["accept"] for request in center.requests} == {"application/json"}
    for name in ("ms-requestid", "ms-correlationid"):
        ids = [UUID(request.headers[name]) for request in center.requests]
        assert len(set(ids)) == len(ids), "each call has a new id"
    questions = Counter(
        (a.method, a.path, str(a.query), str(a.body), a.headers.get("ms-continuationtoken"))
        for a in center.requests
    )
    assert set(questions.values()) == {1}
    pages = [a for a in center.requests if a.path == "/v1/customers"]
    assert [a.headers.get("ms-continuationtoken") for a in pages] == [None, NEXT_PAGE]
    assert [a.query.get("seekOperation") for a in pages] == [None, "Next"]
    checks = [a for a in center.requests if a.method == "POST"]
    assert {a.headers["content-type"] for a in checks} == {"application/json"}
    contexts: Counter[tuple[str, str | None]] = Counter()
    for check in checks:
        context = check.body["InventoryContext"]
        items = check.body["TargetItems"]
        asks_for_region = {item["ProductId"] for item in items} == {REGIONAL}
        names = {"customerId", "azureSubscriptionId"}
        assert context.keys() == (names | {"armRegionName"} if asks_for_region else names)
        assert all(item.keys() <= {"ProductId", "SkuId"} for item in items)
        contexts[context["azureSubscriptionId"].upper(), context.get("armRegionName")] += 1
    expected = [
        (name, region) for name in (SHOP, LAB) for region in (None, "KoreaSouth", "westus2")
    ]
    assert contexts == Counter(expected)


@pytest.mark.asyncio
async def test_a_customer_that_is_not_asked_about_is_published_as_not_eligible(
    tmp_path: Path,
) -> None:
    """Customer named with --customer: known, although the second partner does not have it."""
    async with another_partner_center() as center, another_partner_center() as other:
        partners = config(center.base_url), config(other.base_url, "fabrikam", TENANT[:-1] + "0")
        other.has_customers = False
        (tmp_path / "auditor.toml").write_text("".join(reversed(partners)), encoding="utf-8")
        words = ("run", "--customer", "adatum.example", "--format", "json")
        ran = await auditor(tmp_path, *words, FABRIKAM_TOKEN=TOKEN)
    assert ran.status == 0, ran.stderr
    assert [one["partner"] for one in ran.report["snapshots"]] == ["contoso"]
    outcomes = await rows(tmp_path, "SELECT kind, outcome, reason FROM check_outcome ORDER BY 1")
    assert [tuple(row.values()) for row in outcomes] == [
        ("availability", "not_eligible", "relationship_not_reseller"),
        ("inventory", "not_eligible", "relationship_not_reseller"),
    ]
