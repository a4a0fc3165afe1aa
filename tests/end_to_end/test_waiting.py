"""`auditor run --wait`: a run waits for the lock of another run, in a process of its own."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from auditor.journal.runs import RunHeader, Runs
from tests.builders.another_partner_center import (
    TENANT,
    AnotherPartnerCenter,
    another_partner_center,
    config,
    started,
)

OTHER = RunHeader(
    run_id="20261121T020000Z-abcdef",
    started_at=datetime(2026, 11, 21, 2, tzinfo=UTC),
    config_hash="",
    identity={},
    snapshots={},
)
RUN = ("run", "--wait", "10m", "--format", "json", "--log-format", "json")


@pytest_asyncio.fixture
async def center(tmp_path: Path) -> AsyncIterator[AnotherPartnerCenter]:
    async with another_partner_center() as running:
        (tmp_path / "auditor.toml").write_text(config(running.base_url))
        yield running


async def waiting(folder: Path) -> tuple[asyncio.subprocess.Process, str]:
    """Start a run, and return it once it waits, with the reason that it gives."""
    process = await started(folder, *RUN)
    assert process.stderr is not None
    event = json.loads(await process.stderr.readline())
    assert event["event"] == "run.waiting", event
    return process, event["reason"]


@pytest.mark.asyncio
async def test_a_run_waits_until_the_other_one_has_ended(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    """P14: it asks nothing before."""
    with ExitStack() as other:
        other.enter_context(Runs(tmp_path / "state").locked([TENANT], lambda: OTHER))
        process, reason = await waiting(tmp_path)
        assert f"run {OTHER.run_id}, host " in reason
        assert center.requests == []
    out, err = await process.communicate()
    assert (process.returncode, json.loads(out)["exit"]) == (0, 0), err
    assert err.count(b"run.waiting") == 0, "it says once that it waits"


@pytest.mark.asyncio
async def test_a_signal_ends_the_wait(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    """P29."""
    with Runs(tmp_path / "state").locked([TENANT], lambda: OTHER):
        process, _ = await waiting(tmp_path)
        process.send_signal(signal.SIGTERM)
        out, _ = await process.communicate()
    assert (process.returncode, json.loads(out)["exit"]) == (143, 143)
    assert center.requests == []
