"""`auditor run` exports its metrics however it ends."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from auditor.metrics import exposition
from auditor.metrics.figures import Figures
from auditor.metrics.names import LAST_COMPLETE, LAST_FULL
from tests.builders.another_partner_center import (
    AnotherPartnerCenter,
    another_partner_center,
    auditor,
    config,
)

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


@pytest.mark.asyncio
async def test_each_end_of_a_run_leaves_its_figures(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    wrong = {"CONTOSO_TOKEN": "not-the-right-token-at-all"}
    assert (await auditor(tmp_path, "run", **wrong)).status == 77
    assert exported(tmp_path)[EXIT] == 77
    assert exported(tmp_path)[LAST_FULL, ""] == 0

    assert (await auditor(tmp_path, "run")).status == 0
    night = exported(tmp_path)
    assert (night[EXIT], night["auditor_changes", "newly_restricted"]) == (0, 0)
    assert night["auditor_calls", ""] == 20

    ran = await auditor(tmp_path, "run", "--customer", "relecloud.example")
    assert ran.status == 0
    assert exported(tmp_path) == night

    ran = await auditor(tmp_path, "run", "--report", "missing/report.json")
    assert ran.status == 73
    assert exported(tmp_path)[EXIT] == 73

    center.refuses_checks = True
    assert (await auditor(tmp_path, "run")).status == 3
    last = exported(tmp_path)
    assert (last[EXIT], last["auditor_last_full_is_complete", ""]) == (3, 0)
    assert last[LAST_COMPLETE, ""] == night[LAST_COMPLETE, ""] < last[LAST_FULL, ""]
    assert last["auditor_unanswered_share", "checks"] > 0.5
