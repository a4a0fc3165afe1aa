"""`auditor run` exports its metrics however it ends, and sends traces and lineage events."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from auditor.metrics import exposition
from auditor.metrics.figures import Figures
from auditor.metrics.names import LAST_COMPLETE, LAST_FULL
from tests.builders.another_partner_center import (
    RELECLOUD,
    TOKEN,
    AnotherPartnerCenter,
    another_partner_center,
    auditor,
    config,
)
from tests.builders.monitoring_server import monitoring_server

EXIT = ("auditor_last_attempt_exit", "")


@pytest_asyncio.fixture
async def center(tmp_path: Path) -> AsyncIterator[AnotherPartnerCenter]:
    async with another_partner_center() as running:
        metrics = '[metrics]\ntextfile = "auditor.prom"\n'
        (tmp_path / "auditor.toml").write_text(metrics + config(running.base_url))
        yield running


def exported(folder: Path) -> Figures:
    """Return the values of the only partner."""
    [figures] = exposition.read((folder / "auditor.prom").read_text("utf-8")).values()
    return figures


@pytest.mark.timeout(300)  # four commands, each of which takes long on a busy machine
@pytest.mark.asyncio
async def test_each_end_of_a_run_leaves_its_figures_spans_and_datasets(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    with monitoring_server() as server:
        asked = {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url, "OPENLINEAGE_URL": server.url}
        ran = await auditor(tmp_path, "run", **asked, CONTOSO_TOKEN="not-the-right-token-at-all")
        assert ran.status == 77
        assert (exported(tmp_path)[EXIT], exported(tmp_path)[LAST_FULL, ""]) == (77, 0)

        ran = await auditor(tmp_path, "run", **asked)
        assert ran.status == 0, ran.stderr
        assert "warning[" not in ran.stderr
    night = exported(tmp_path)
    assert (night[EXIT], night["auditor_changes", "newly_restricted"]) == (0, 0)
    assert night["auditor_calls", ""] == 20
    spans = b"".join(one.body for one in server.sent if one.path == "/v1/traces")
    assert all(name in spans for name in (b"run", b"partner", b"checking", b"E_AUTH"))
    lineage = [json.loads(one.body) for one in server.sent if one.path == "/api/v1/lineage"]
    assert [each["eventType"] for each in lineage] == ["START", "FAIL", "START", "COMPLETE"]
    everything = b"".join(one.body for one in server.sent).lower()
    for customer in (b"relecloud", b"litware", RELECLOUD.encode(), TOKEN.encode()):
        assert customer not in everything

    ran = await auditor(tmp_path, "run", "--customer", "relecloud.example")
    assert ran.status == 0
    assert exported(tmp_path) == night

    center.refuses_checks = True
    assert (await auditor(tmp_path, "run")).status == 3
    last = exported(tmp_path)
    assert (last[EXIT], last["auditor_last_full_is_complete", ""]) == (3, 0)
    assert last[LAST_COMPLETE, ""] == night[LAST_COMPLETE, ""] < last[LAST_FULL, ""]
    assert last["auditor_unanswered_share", "checks"] > 0.5
