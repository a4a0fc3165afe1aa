"""Lineage events of a run: each partner begins, completes or fails, with its datasets."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.metrics.datasets import Place, place
from auditor.metrics.lineage import Lineage, emitter
from auditor.metrics.switches import wants_lineage
from auditor.progress import Silent
from auditor.publish.coverage import Counts
from auditor.run.result import RunReport, SnapshotReport
from auditor.settings import Partner, Settings
from auditor.tables import SCHEMAS
from tests.builders.monitoring_server import MonitoringServer, monitoring_server
from tests.builders.store_lake import P, Q

CONTOSO = Partner(name="contoso", tenant_id=P, countries=("DE",))
FABRIKAM = Partner(name="fabrikam", tenant_id=Q, countries=("DE",))
SETTINGS = Settings(store="/srv/lake", partner=(CONTOSO, FABRIKAM))
SNAPSHOT = SnapshotReport(
    partner="contoso",
    snapshot_id="s1",
    status="complete",
    published=True,
    reason="",
    calls=9,
    retries=0,
    throttled=0,
    checks=Counts(),
    rows={"inventory": 10, "availability": 4},
    changes={"newly_restricted": 2, "left_catalog": 1},
)
REPORT = RunReport(run_id="r1", exit=3, seconds=1.0, snapshots=(SNAPSHOT,))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MonitoringServer]:
    with monitoring_server() as running:
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "http")
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", running.url)
        monkeypatch.setenv("OPENLINEAGE__TRANSPORT__RETRY", '{"total": 0}')
        yield running


def run(*, is_stopped: bool = False, is_full: bool = True, flush_s: float = 10.0) -> list[str]:
    """Report a run of two partners, and return the warnings."""
    warnings: list[str] = []

    def warn(*words: str) -> None:
        warnings.append(": ".join(words))

    with emitter(warn, flush_s) as sending:
        lineage = Lineage(
            Silent(),
            SETTINGS,
            SETTINGS.partner,
            send=sending.send,
            report=lambda: REPORT,
            now=lambda: datetime(2026, 12, 1, tzinfo=UTC),
            is_full=is_full,
        )
        lineage.event("run.started", run="r1", partners=2)
        lineage.event("item.set_apart", partner="contoso", names="Secret Inc")
        lineage.event("snapshot.published", partner="contoso", snapshot="s1")
        if not is_stopped:
            lineage.event("partner.not_published", partner="fabrikam", code="E_AUTH", reason="body")
        lineage.close("E_STOPPED" if is_stopped else "", is_stopped=is_stopped)
    return warnings


def events(server: MonitoringServer) -> list[dict[str, Any]]:
    assert {one.path for one in server.sent} == {"/api/v1/lineage"}
    return [json.loads(one.body) for one in server.sent]


def test_each_partner_begins_and_completes_or_fails(server: MonitoringServer) -> None:
    assert run() == []
    found = events(server)
    assert [(each["job"]["name"], each["eventType"]) for each in found] == [
        ("contoso.audit", "START"),
        ("fabrikam.audit", "START"),
        ("contoso.audit", "COMPLETE"),
        ("fabrikam.audit", "FAIL"),
    ]
    ids = [each["run"]["runId"] for each in found]
    assert ids[0] == ids[2] != ids[1] == ids[3]
    assert found[3]["run"]["facets"]["errorMessage"]["message"] == "E_AUTH"
    sent = json.dumps(found)
    assert "Secret Inc" not in sent
    assert '"body"' not in sent


def test_a_completed_partner_has_the_datasets_of_its_snapshot(server: MonitoringServer) -> None:
    run()
    outputs = {each["name"]: each for each in events(server)[2]["outputs"]}
    rows = {
        name: each["outputFacets"]["outputStatistics"]["rowCount"] for name, each in outputs.items()
    }
    assert rows == {
        "/srv/lake/inventory": 10,
        "/srv/lake/availability": 4,
        "/srv/lake/change": 3,
    }
    inventory = outputs["/srv/lake/inventory"]
    assert inventory["namespace"] == "file"
    assert inventory["facets"]["version"]["datasetVersion"] == "s1"
    fields = inventory["facets"]["schema"]["fields"]
    assert [each["name"] for each in fields] == SCHEMAS["inventory"].names
    assert all(each["type"] and each["description"] for each in fields)


def test_a_stopped_run_aborts_what_is_open(server: MonitoringServer) -> None:
    assert run(is_stopped=True, is_full=False) == []
    last = events(server)[-1]
    assert (last["job"]["name"], last["eventType"]) == ("fabrikam.audit_on_demand", "ABORT")


def test_a_server_that_refuses_or_hangs_is_one_warning(
    server: MonitoringServer, capfd: pytest.CaptureFixture[str]
) -> None:
    server.status = 403
    [refused] = run()
    assert refused.startswith("E_LINEAGE: lineage: 4 event(s) not sent: the server answers 403: ")
    server.may_answer.clear()
    [late] = run(flush_s=0.05)
    assert "no end within 0.05 seconds" in late
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("store", "where"),
    [
        ("/srv/lake", Place(namespace="file", prefix="/srv/lake/")),
        ("s3://bucket/a/b", Place(namespace="s3://bucket", prefix="a/b/")),
        ("az://container", Place(namespace="az://container", prefix="")),
        (
            "postgresql://night:word@db/audit",
            Place(namespace="postgres://db:5432", prefix="audit.public."),
        ),
        (
            "postgresql://one:6432,two:6432/audit",
            Place(namespace="postgres://one:6432", prefix="audit.public."),
        ),
    ],
)
def test_a_store_has_a_place(store: str, where: Place) -> None:
    found = place(Settings(store=store, folder=Path("/srv")))
    assert found == where


@pytest.mark.parametrize(
    ("environ", "is_on"),
    [
        ({}, False),
        ({"OPENLINEAGE_URL": "http://marquez:5000"}, True),
        ({"OPENLINEAGE_CONFIG": "/etc/openlineage.yml"}, True),
        ({"OPENLINEAGE__TRANSPORT__TYPE": "http"}, True),
        ({"OPENLINEAGE_NAMESPACE": "night"}, False),
        ({"OPENLINEAGE_URL": "http://marquez:5000", "OPENLINEAGE_DISABLED": "true"}, False),
    ],
)
def test_the_environment_switches_lineage_on(environ: dict[str, str], *, is_on: bool) -> None:
    assert wants_lineage(environ) is is_on
