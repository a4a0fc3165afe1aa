"""Bad input found while running: servers that refuse, bad folders, locks, runs to resume."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from auditor.journal.runs import RunHeader, Runs
from auditor.report.customer_page import PROMISE
from auditor.store import open_store
from tests.builders.another_partner_center import (
    ANYWHERE,
    LAB,
    RELECLOUD,
    TENANT,
    AnotherPartnerCenter,
    Ran,
    another_partner_center,
    auditor,
    config,
)

OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
CHECKS = ("check_inventory", "by_resource_type")
WAVE_2 = {*CHECKS, "customer_availabilities", "availabilities"}
REPORT = {"run_id", "exit", "seconds", "snapshots"}


@pytest_asyncio.fixture
async def center() -> AsyncIterator[AnotherPartnerCenter]:
    async with another_partner_center() as running:
        yield running


def configure(folder: Path, *partners: str, head: str = "", tail: str = "") -> None:
    (folder / "auditor.toml").write_text(head + "".join(partners) + tail, encoding="utf-8")


def only_error(ran: Ran, status: int, code: str) -> tuple[str, str]:
    """Return message and hint of the only error; check its form and the printed object."""
    assert ran.status == status, ran.stderr
    assert "Traceback" not in ran.stderr
    lines = ran.stderr.splitlines()
    errors = [place for place, line in enumerate(lines) if line.startswith("error[")]
    hints = [place for place, line in enumerate(lines) if line.startswith("hint: ")]
    assert len(errors) == 1, ran.stderr
    assert hints == [errors[0] + 1], ran.stderr
    match = re.fullmatch(r"error\[(E_[A-Z_]+)\]: (.+)", lines[errors[0]])
    assert match
    assert match[1] == code
    if ran.stdout:
        assert ran.report.keys() == REPORT
        assert ran.report["exit"] == status
    return match[2], lines[hints[0]].removeprefix("hint: ")


def published(folder: Path) -> list[dict[str, Any]]:
    """Return the snapshots of the folder's store, none if there is no store."""
    if not (folder / "lake" / "store.json").exists():
        return []
    found: list[dict[str, Any]] = open_store(str(folder / "lake")).snapshots().to_pylist()
    return found


# Servers ---------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_host_that_refuses_connections(tmp_path: Path) -> None:
    async with another_partner_center() as center:
        gone = center.base_url
    configure(tmp_path, config(gone))
    ran = await auditor(tmp_path, "run", "--format", "json")
    message, hint = only_error(ran, 69, "E_UNREACHABLE")
    assert ran.report["exit"] == 69
    assert "refused" in message
    assert "--resume" in hint
    assert published(tmp_path) == []


@pytest.mark.asyncio
async def test_a_wrong_token(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    configure(tmp_path, config(center.base_url))
    ran = await auditor(tmp_path, "run", "--format", "json", CONTOSO_TOKEN="a-wrong-token-entirely")
    message, _ = only_error(ran, 77, "E_AUTH")
    assert ran.report["exit"] == 77
    assert "401" in message
    assert "a-wrong-token-entirely" not in ran.stderr + ran.stdout
    assert published(tmp_path) == []


@pytest.mark.asyncio
async def test_a_token_that_is_not_set(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    configure(tmp_path, config(center.base_url, "nobody"))
    ran = await auditor(tmp_path, "run", "--format", "json")
    message, _ = only_error(ran, 78, "E_SECRET_MISSING")
    assert "NOBODY_TOKEN" in message
    assert (ran.stdout, center.requests, published(tmp_path)) == ("", [], [])


@pytest.mark.asyncio
@pytest.mark.parametrize("is_known", [False, True])
async def test_a_partner_without_customers(
    center: AnotherPartnerCenter, tmp_path: Path, is_known: bool
) -> None:
    """An empty list does not prove that all known customers have left."""
    configure(tmp_path, config(center.base_url))
    if is_known:
        assert (await auditor(tmp_path, "run")).status == 0
    before = published(tmp_path)
    center.has_customers = False
    center.requests.clear()
    ran = await auditor(tmp_path, "run", "--format", "json")
    if is_known:  # each known customer is requested by id, and still exists
        assert ran.status == 0, ran.stderr
        assert ran.report["snapshots"][0]["changes"] == {}
        assert open_store(str(tmp_path / "lake")).arrow("latest_inventory").num_rows == 10
    else:
        message, _ = only_error(ran, 65, "E_EMPTY_SCOPE")
        assert "0 customers" in message
        assert ran.report["exit"] == 65
        assert published(tmp_path) == before == []


@pytest.mark.asyncio
async def test_a_partner_without_skus(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    """The legacy scope has no products here, so there is nothing to check."""
    tail = '[scope]\nreservation_scopes = [""]\nchecks = ["inventory"]\n'
    configure(tmp_path, config(center.base_url), tail=tail)
    ran = await auditor(tmp_path, "run", "--format", "json")
    message, _ = only_error(ran, 65, "E_EMPTY_SCOPE")
    assert "0 SKUs" in message
    assert published(tmp_path) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["Reelcloud", "relecluod.example", RELECLOUD[:-1] + "e"])
async def test_an_unknown_customer(center: AnotherPartnerCenter, tmp_path: Path, name: str) -> None:
    configure(tmp_path, config(center.base_url))
    assert (await auditor(tmp_path, "run")).status == 0
    before = published(tmp_path)
    ran = await auditor(tmp_path, "run", "--format", "json", "--customer", name)
    message, hint = only_error(ran, 64, "E_CUSTOMER_UNKNOWN")
    assert repr(name) in message
    assert "did you mean" in hint
    assert {"Relecloud", "relecloud.example", RELECLOUD} & set(re.findall(r"'([^']+)'", hint))
    assert ran.report["exit"] == 64
    assert published(tmp_path) == before
    changes = await auditor(tmp_path, "changes", "--customer", name)
    assert repr(name) in only_error(changes, 64, "E_CUSTOMER_UNKNOWN")[0]
    plan = await auditor(tmp_path, "plan", "--customer", name)
    assert only_error(plan, 64, "E_CUSTOMER_UNKNOWN") == (message, hint)


@pytest.mark.asyncio
async def test_a_customer_named_before_any_run(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    configure(tmp_path, config(center.base_url))
    ran = await auditor(tmp_path, "run", "--customer", "Reelcloud")
    only_error(ran, 64, "E_CUSTOMER_UNKNOWN")
    ran = await auditor(tmp_path, "run", "--customer", "relecloud", "--format", "json")
    assert ran.status == 0, ran.stderr
    assert [row["kind"] for row in published(tmp_path)] == ["partial"]


# Folders ---------------------------------------------------------------------------------


@pytest.mark.asyncio
@pytest.mark.parametrize("key", ["store", "state_dir"])
@pytest.mark.parametrize("place", ["taken", "taken/below", "taken/far/below"])
async def test_a_folder_that_cannot_be_made(
    center: AnotherPartnerCenter, tmp_path: Path, key: str, place: str
) -> None:
    """P30."""
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    configure(tmp_path, config(center.base_url), head=f'{key} = "./{place}"\n')
    ran = await auditor(tmp_path, "run", "--format", "json")
    message, _ = only_error(ran, 73, "E_OUTPUT")
    assert "taken" in message
    assert ran.report["exit"] == 73
    assert (tmp_path / "taken").read_text(encoding="utf-8") == "a file"
    assert center.requests == []
    assert published(tmp_path) == []


@pytest.mark.asyncio
@pytest.mark.parametrize("below", ["runs", "locks"])
async def test_a_state_folder_with_a_file_in_the_way(
    center: AnotherPartnerCenter, tmp_path: Path, below: str
) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / below).write_text("a file", encoding="utf-8")
    configure(tmp_path, config(center.base_url))
    only_error(await auditor(tmp_path, "run"), 73, "E_OUTPUT")
    assert center.requests == []


# Runs to resume --------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_resuming_an_unknown_finished_or_changed_run(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    configure(tmp_path, config(center.base_url))
    first = await auditor(tmp_path, "run", "--format", "json")
    assert first.status == 0, first.stderr
    run_id = first.report["run_id"]
    before = published(tmp_path)
    center.requests.clear()

    unknown = "20200101T000000Z-abcdef"
    ran = await auditor(tmp_path, "run", "--resume", unknown, "--format", "json")
    message, _ = only_error(ran, 66, "E_RUN_UNKNOWN")
    assert unknown in message
    assert ran.report["exit"] == 66

    ran = await auditor(tmp_path, "run", "--resume", run_id, "--format", "json")
    assert ran.status == 0, ran.stderr
    assert (ran.report["run_id"], ran.report["exit"]) == (run_id, 0)

    configure(tmp_path, config(center.base_url), tail='[scope]\nsegments = ["education"]\n')
    ran = await auditor(tmp_path, "run", "--resume", run_id, "--format", "json")
    message, _ = only_error(ran, 65, "E_RUN_CONFIG")
    assert "segments" in message
    assert ran.report["exit"] == 65

    assert center.requests == []
    assert published(tmp_path) == before


# Locks -----------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_a_second_full_run_is_refused_with_the_holder_of_the_lock(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    """P14."""
    configure(tmp_path, config(center.base_url))
    holder = RunHeader(
        run_id="20261121T020000Z-abcdef",
        started_at=datetime(2026, 11, 21, 2, tzinfo=UTC),
        config_hash="",
        identity={},
        snapshots={},
    )
    with Runs(tmp_path / "state").locked([TENANT], lambda: holder):
        ran = await auditor(tmp_path, "run", "--format", "json")
        message, hint = only_error(ran, 75, "E_LOCKED")
        assert re.search(r"run 20261121T020000Z-abcdef, host \S+, pid \d+, since 2026-", message)
        assert "--customer" in hint
        assert ran.report["exit"] == 75
        assert (center.requests, published(tmp_path)) == ([], [])

        ran = await auditor(tmp_path, "run", "--customer", "relecloud.example")
        assert ran.status == 0, ran.stderr
        assert ran.stdout.rstrip().endswith(PROMISE), "the customer's page is printed"
        assert [row["kind"] for row in published(tmp_path)] == ["partial"]
    assert (await auditor(tmp_path, "run")).status == 0


# How much was answered, and what changed ---------------------------------------------------


@pytest.mark.asyncio
async def test_fail_on_a_kind_of_change(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    configure(tmp_path, config(center.base_url))
    words = ("run", "--format", "json", "--fail-on", "newly_restricted")
    ran = await auditor(tmp_path, *words)
    assert (ran.status, ran.report["exit"]) == (0, 0), "the first run is the baseline"
    center.restricted.add((LAB, ANYWHERE, "0011"))
    ran = await auditor(tmp_path, *words)
    assert (ran.status, ran.report["exit"]) == (10, 10)
    assert "error[" not in ran.stderr
    assert ran.report["snapshots"][0]["changes"] == {"newly_restricted": 1}
    ran = await auditor(tmp_path, *words)
    assert (ran.status, ran.report["exit"]) == (0, 0), "the change is reported once"


@pytest.mark.asyncio
async def test_one_of_two_partners_is_refused(center: AnotherPartnerCenter, tmp_path: Path) -> None:
    """Exit status 3 wins over 10; the object names the partner and the reason."""
    partners = config(center.base_url), config(center.base_url, "fabrikam", OTHER)
    configure(tmp_path, *partners)
    words = ("run", "--format", "json", "--fail-on", "newly_restricted")
    refused = {"FABRIKAM_TOKEN": "not-the-right-token"}
    assert (await auditor(tmp_path, *words, **refused)).status == 3
    center.restricted.add((LAB, ANYWHERE, "0011"))
    ran = await auditor(tmp_path, *words, **refused)
    assert (ran.status, ran.report["exit"]) == (3, 3)
    assert "Traceback" not in ran.stderr
    by_name = {one["partner"]: one for one in ran.report["snapshots"]}
    assert by_name["contoso"]["published"]
    assert by_name["contoso"]["changes"] == {"newly_restricted": 1}
    assert not by_name["fabrikam"]["published"]
    assert by_name["fabrikam"]["reason"] == "E_AUTH"
    assert by_name.keys() == {"contoso", "fabrikam"}
    assert {row["partner_name"] for row in published(tmp_path)} == {"contoso"}


@pytest.mark.asyncio
@pytest.mark.parametrize(("share", "status"), [("0.05", 3), ("1.0", 0)])
async def test_the_failed_share_decides_whether_a_run_is_incomplete(
    center: AnotherPartnerCenter, tmp_path: Path, share: str, status: int
) -> None:
    configure(tmp_path, config(center.base_url), tail=f"[run]\nmax_failed_share = {share}\n")
    center.refuses_checks = True
    ran = await auditor(tmp_path, "run", "--format", "json")
    assert (ran.status, ran.report["exit"]) == (status, status), ran.stderr
    assert "Traceback" not in ran.stderr
    (snapshot,) = ran.report["snapshots"]
    assert snapshot["published"]
    assert snapshot["status"] == ("incomplete" if status else "complete")
    assert snapshot["checks"]["failed"] > 0
    assert snapshot["rows"]["inventory"] == 0
