"""Error replies as the store shows them: codes, ids, forbidden views; and the requests sent."""

import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.progress import Silent
from auditor.run.partner import QUEUED_PER_CONNECTION
from auditor.sandbox import Fault, Faults
from auditor.sandbox.server.http_response import DOUBLED
from auditor.sandbox.world import seeded
from tests.builders.nightly import SMALL, Night, nights

REFUSED = (
    *((400, code) for code in ("800011", "800012", "800013", "800030", "900314", "900118")),
    *((403, code) for code in ("900329", "20002", "2032")),
    *((401, "900421"), (404, "60003"), (409, "new"), (200, "400072")),
)
"""Errors that concern the context, not an item: all inventory checks of a customer fail."""


class RecordedEvents(Silent):
    """Keeps the events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def event(self, name: str, **fields: object) -> None:
        self.events.append((name, fields))


def outcomes(night: Night, where: str = "true") -> list[dict[str, Any]]:
    return night.rows(f"SELECT * FROM check_outcome WHERE {where}")


@pytest.mark.asyncio
async def test_a_refused_context_fails_only_its_own_checks_and_with_its_code(
    tmp_path: Path,
) -> None:
    """P2, P22: no verdict, no change, and one customer's 401 does not exclude the partner."""
    size = dataclasses.replace(SMALL, customers=24)
    async with nights(tmp_path, 1, size=size) as night:
        await night.run(1)
        customers = sorted({key[1] for key in night.inventory()})[: len(REFUSED)]
        assert len(customers) == len(REFUSED)
        by_customer = dict(zip(customers, REFUSED, strict=True))
        night.sandbox.faults = Faults(
            Fault(endpoint="check_inventory", customer=customer, status=status, code=code)
            for customer, (status, code) in by_customer.items()
        )
        before = night.inventory()
        night.sandbox.log.clear()
        report = await night.run(1)
        assert all(snapshot.published for snapshot in report.snapshots)
        assert sum(sum(snapshot.changes.values()) for snapshot in report.snapshots) == 0
        assert night.inventory() == before
        ids = ", ".join(f"'{s.snapshot_id}'" for s in report.snapshots)
        rows = outcomes(night, f"snapshot_id IN ({ids}) AND kind = 'inventory'")
        asked = [row for row in rows if row["outcome"] != "not_eligible"]
        for row in asked:
            found = (row["outcome"], row["http_status"], row["error_code"])
            refused = by_customer.get(row["customer_id"])
            assert found == (("failed", *refused) if refused else ("answered", 200, ""))
        assert {row["customer_id"] for row in asked if row["outcome"] == "failed"} == set(customers)
        checks = night.sandbox.log.of("check_inventory")
        calls = Counter((r.customer, r.context["azureSubscriptionId"], r.targets) for r in checks)
        assert set(calls.values()) == {1}, "no batch was halved, and no call was sent again"
        unanswered = night.rows("SELECT customer_id, error_code FROM unanswered")
        assert {(row["customer_id"], row["error_code"]) for row in unanswered} == {
            (customer, code) for customer, (_, code) in by_customer.items()
        }


@pytest.mark.asyncio
async def test_every_check_carries_the_ids_of_the_server_log(tmp_path: Path) -> None:
    """S21: repeated ids are split; each request names the client and the language."""
    flaky = Fault(endpoint="check_inventory", share_per_try=0.1, status=503)
    async with nights(tmp_path, 2, faults=Faults([flaky], seed=2)) as night:
        await night.run(1)
        log = night.sandbox.log.of()
        assert {(record.locale, record.client) for record in log} == {("en-US", "csp-sku-auditor")}
        assert all(record.request_id and record.correlation_id for record in log)
        assert max(Counter(record.request_id for record in log).values()) == 1
        by_request = {record.request_id: record for record in log}
        rows = outcomes(night, "outcome IN ('answered', 'failed')")
        doubled = 0
        for row in rows:
            record = by_request[row["request_id"]]
            assert row["correlation_id"] == record.correlation_id
            assert row["http_status"] == record.status
            assert row["customer_id"] == record.customer
            doubled += seeded.share(night.world.seed, "doubled", record.request_id) < DOUBLED
            tries = [r for r in log if r.correlation_id == record.correlation_id]
            assert row["attempts"] == len(tries)
            assert record == max(tries, key=lambda r: r.sequence)
        assert doubled
        assert max(row["attempts"] for row in rows) > 1


@pytest.mark.asyncio
async def test_a_forbidden_view_and_segment_are_recorded_and_the_run_goes_on(
    tmp_path: Path,
) -> None:
    """400036 and 400030 are in an event, and in the scope of the catalog's cell."""
    async with nights(tmp_path, 3) as night:
        views = (*night.settings.scope.target_views, "MarketplaceSaaS")
        settings = night.scoped(target_views=views, segments=("commercial", "government"))
        progress = RecordedEvents()
        report = await night.run(1, settings=settings, progress=progress)
        assert report.exit == 0
        assert night.inventory() == night.inventory_truth(1)
        events = [fields for name, fields in progress.events if name == "view.forbidden"]
        found = {(e["partner"], e["country"], e["view"], e["segment"], e["code"]) for e in events}
        expected = {
            (partner.name, country, *refused)
            for partner in night.world.partners()
            for country in partner.countries
            for refused in (
                ("MarketplaceSaaS", "commercial", "400036"),
                ("MarketplaceSaaS", "government", "400036"),
                *([("AzureReservationsVM", "government", "400030")] if country != "US" else []),
            )
        }
        assert found == expected
        assert len(events) == len(expected)
        refused = {r.request_id for r in night.sandbox.log.of("products") if r.status == 403}
        assert {event["request_id"] for event in events} <= refused
        query = """
            SELECT country, json_extract(scope, '$.forbidden') AS forbidden
            FROM coverage WHERE json_exists(scope, '$.forbidden')
        """  # as in docs/errors.md
        kept = {
            (row["country"], one["view"], one["segment"], one["error_code"])
            for row in night.rows(query)
            for one in json.loads(row["forbidden"])
        }
        assert kept == {one[1:] for one in expected}
        again = await night.run(1, settings=settings)
        assert sum(sum(snapshot.changes.values()) for snapshot in again.snapshots) == 0


@pytest.mark.asyncio
async def test_availabilities_that_take_only_post_are_posted_after_a_405(
    tmp_path: Path,
) -> None:
    faults = Faults([Fault(endpoint="customer_availabilities", post_only=True)])
    async with nights(tmp_path, 4, faults=faults) as night:
        one_at_a_time = tuple(
            msgspec.structs.replace(
                partner, limits=msgspec.structs.replace(partner.limits, concurrency=1)
            )
            for partner in night.settings.partner
        )
        settings = msgspec.structs.replace(night.scoped(lifecycle=True), partner=one_at_a_time)
        report = await night.run(1, settings=settings)
        assert report.exit == 0
        assert night.availability() == night.availability_truth(1)
        asked = night.sandbox.log.of("customer_availabilities")
        of_partner = Counter((record.partner, record.method, record.status) for record in asked)
        for partner in night.world.partners():
            assert 1 <= of_partner[partner.partner_tenant_id, "GET", 405] <= QUEUED_PER_CONNECTION
            assert of_partner[partner.partner_tenant_id, "GET", 200] == 0
        assert {record.query for record in asked} == {"IncludeLifeCycleState=true"}
        kept = night.rows("SELECT DISTINCT lifecycle FROM availability WHERE lifecycle <> ''")
        assert {key for row in kept for key in json.loads(row["lifecycle"])} >= {"lifeCycleState"}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault(endpoint="customers", status=401, code="900420"), "E_AUTH"),
        (Fault(endpoint="customers", status=403, code="900150"), "E_FORBIDDEN"),
        (Fault(endpoint="products", status=403, code="900329"), "E_FORBIDDEN"),
    ],
)
async def test_a_list_that_refuses_the_credential_takes_its_partner_out_and_no_other(
    tmp_path: Path, fault: Fault, reason: str
) -> None:
    async with nights(tmp_path, 5) as night:
        out, *others = night.world.partners()
        only = msgspec.structs.replace(fault, partner=out.name)
        night.sandbox.faults = Faults([only])
        report = await night.run(1)
        assert report.exit == 3
        by_name = {snapshot.partner: snapshot for snapshot in report.snapshots}
        assert (by_name[out.name].published, by_name[out.name].reason) == (False, reason)
        assert all(by_name[partner.name].published for partner in others)
        asked = {r.endpoint for r in night.sandbox.log.of() if r.partner == out.partner_tenant_id}
        assert "check_inventory" not in asked


@pytest.mark.asyncio
async def test_a_customer_that_refuses_the_credential_fails_alone(tmp_path: Path) -> None:
    """900329 for one customer: its coverage is `failed`, and it keeps its keys."""
    async with nights(tmp_path, 6) as night:
        await night.run(1)
        before = night.inventory()
        chosen = min(key[1] for key in before)
        night.sandbox.faults = Faults([Fault(customer=chosen, status=403, code="900329")])
        report = await night.run(1)
        assert all(snapshot.published for snapshot in report.snapshots)
        assert night.inventory() == before
        ids = ", ".join(f"'{s.snapshot_id}'" for s in report.snapshots)
        rows = night.rows(
            f"SELECT status FROM coverage WHERE customer_id = '{chosen}' AND snapshot_id IN ({ids})"
        )
        assert {row["status"] for row in rows} == {"failed"}
        failed = night.rows(f"SELECT * FROM unanswered WHERE customer_id <> '{chosen}'")
        assert failed == []
