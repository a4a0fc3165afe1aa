"""`auditor run --report FILE`: the file has the exit status and the report, however a run ends."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from auditor.journal.runs import Runs
from auditor.sandbox import Fault, Faults
from tests.builders.another_partner_center import (
    ANYWHERE,
    LAB,
    TENANT,
    AnotherPartnerCenter,
    another_partner_center,
    auditor,
    config,
    started,
)
from tests.builders.nightly import nights
from tests.end_to_end.test_waiting import OTHER

RUN = ("run", "--report", "report.json")


@pytest_asyncio.fixture
async def center(tmp_path: Path) -> AsyncIterator[AnotherPartnerCenter]:
    async with another_partner_center() as running:
        (tmp_path / "auditor.toml").write_text(config(running.base_url))
        yield running


def reported(folder: Path) -> Any:
    """Return the object in the file, which has one line."""
    text = (folder / "report.json").read_text("utf-8")
    assert text.count("\n") == 1
    return json.loads(text)


@pytest.mark.asyncio
async def test_it_is_what_json_prints_beside_any_format(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    """The third run replaces the file of the second; the first object goes to stdout."""
    ran = await auditor(tmp_path, "run", "--report", "-", "--format", "csv")
    assert ran.status == 0, ran.stderr
    assert ran.stdout.startswith("partner,")
    assert json.loads(ran.stdout.splitlines()[-1])["exit"] == 0

    ran = await auditor(tmp_path, *RUN)
    assert ran.status == 0, ran.stderr
    assert "{" not in ran.stdout
    assert reported(tmp_path)["snapshots"][0]["published"]

    center.restricted.add((LAB, ANYWHERE, "0011"))
    ran = await auditor(tmp_path, *RUN, "--format", "json", "--fail-on", "newly_restricted")
    assert ran.status == 10, ran.stderr
    assert reported(tmp_path) == ran.report
    assert ran.report["exit"] == 10


def healthy(center: AnotherPartnerCenter) -> None:
    del center


def refuses_checks(center: AnotherPartnerCenter) -> None:
    center.refuses_checks = True


def without_customers(center: AnotherPartnerCenter) -> None:
    center.has_customers = False


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("make", "words", "environ", "status", "reason"),
    [
        (refuses_checks, (), {}, 3, None),
        (healthy, ("--customer", "nobody.example"), {}, 64, "E_CUSTOMER_UNKNOWN"),
        (without_customers, (), {}, 65, "E_EMPTY_SCOPE"),
        (healthy, ("--resume", "unknown"), {}, 66, "E_RUN_UNKNOWN"),
        (healthy, (), {"CONTOSO_TOKEN": "not-the-right-token-at-all"}, 77, "E_AUTH"),
    ],
)
async def test_a_run_that_fails_is_reported_too(
    center: AnotherPartnerCenter,
    tmp_path: Path,
    *,
    make: Callable[[AnotherPartnerCenter], None],
    words: tuple[str, ...],
    environ: dict[str, str],
    status: int,
    reason: str | None,
) -> None:
    make(center)
    ran = await auditor(tmp_path, *RUN, *words, **environ)
    assert ran.status == status, ran.stderr
    report = reported(tmp_path)
    assert report["exit"] == status
    [snapshot] = report["snapshots"]
    assert snapshot["published"] is (reason is None)
    assert reason is None or snapshot["reason"] == reason


@pytest.mark.asyncio
async def test_a_run_that_the_lock_refuses_is_reported_too(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    with Runs(tmp_path / "state").locked([TENANT], lambda: OTHER):
        ran = await auditor(tmp_path, *RUN)
    assert (ran.status, reported(tmp_path)["exit"]) == (75, 75)
    assert center.requests == []


@pytest.mark.asyncio
@pytest.mark.parametrize("signals", [1, 2])
@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_run_that_a_signal_ends_is_reported_too(
    tmp_path: Path, signum: signal.Signals, signals: int
) -> None:
    """P29: after a second signal too, which ends the process at once."""
    reached, released = asyncio.Event(), asyncio.Event()

    async def hold(_: float) -> None:
        reached.set()
        await released.wait()

    async with nights(tmp_path, 1, sleep=hold) as night:
        night.sandbox.faults = Faults((Fault(endpoint="products", delay_s=1.0),))
        process = await started(tmp_path, *RUN, **night.environ)
        await reached.wait()
        for _ in range(signals):
            process.send_signal(signum)
        _, err = await process.communicate()
        released.set()
    assert process.returncode == (143 if signum == signal.SIGTERM else 130), err
    report = reported(tmp_path)
    assert report["exit"] == process.returncode
    assert report["run_id"]
    assert {one["reason"] for one in report["snapshots"]} == {"E_STOPPED"}


@pytest.mark.asyncio
async def test_a_report_that_cannot_be_written_hides_no_result(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    """P30: before anything is asked, if the folder shows it; else stdout has the report."""
    ran = await auditor(tmp_path, "run", "--report", "away/report.json", "--format", "json")
    assert (ran.status, ran.report["exit"], center.requests) == (73, 73, [])
    assert "error[E_OUTPUT]" in ran.stderr
    assert "name another file with --report" in ran.stderr

    full = ("run", "--report", "/dev/full", "--run", "tonight")
    ran = await auditor(tmp_path, *full, "--format", "json")
    assert (ran.status, ran.report["exit"]) == (74, 74)
    assert ran.report["snapshots"][0]["published"]
    assert ran.stderr.count("error[") == 1
    center.requests.clear()

    ran = await auditor(tmp_path, *full)
    assert ran.status == 74
    assert "baseline" in ran.stdout
    ran = await auditor(tmp_path, *RUN, "--run", "tonight")
    assert (ran.status, reported(tmp_path)["exit"]) == (0, 0)
    assert center.requests == [], "what was published is reported, and nothing is asked again"

    ran = await auditor(
        tmp_path, "run", "--report", "/dev/full", CONTOSO_TOKEN="not-the-right-token-at-all"
    )
    assert ran.status == 77, "how the run ended comes first"
    assert ran.stderr.count("error[") == 2


@pytest.mark.asyncio
async def test_one_object_is_not_written_to_stdout_twice(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    ran = await auditor(tmp_path, "run", "--report", "-", "--format", "json")
    assert (ran.status, ran.report["exit"], center.requests) == (64, 64, [])
