"""A partner whose secret is missing or refused: the others are audited, and the reason is told."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from auditor.store import open_store
from tests.builders.another_partner_center import (
    TENANT,
    TOKEN,
    AnotherPartnerCenter,
    Ran,
    another_partner_center,
    auditor,
    config,
)

OTHER = "aaaaaaaa-0000-4000-8000-000000000002"
THIRD = "aaaaaaaa-0000-4000-8000-000000000003"
WRONG = "canary-a-wrong-token-entirely"


@pytest_asyncio.fixture
async def center() -> AsyncIterator[AnotherPartnerCenter]:
    async with another_partner_center() as running:
        yield running


def errors(ran: Ran) -> list[tuple[str, str]]:
    """Return the codes and messages of the errors; each has a hint, and nobody a traceback."""
    assert "Traceback" not in ran.stderr
    lines = ran.stderr.splitlines()
    found = []
    for place, line in enumerate(lines):
        if line.startswith("error["):
            code, _, message = line.removeprefix("error[").partition("]: ")
            found.append((code, message))
            assert lines[place + 1].startswith("hint: ")
    return found


def tenants(folder: Path) -> set[str]:
    if not (folder / "lake" / "store.json").exists():
        return set()
    rows = open_store(str(folder / "lake")).snapshots().to_pylist()
    return {row["partner_tenant_id"] for row in rows}


@pytest.mark.asyncio
@pytest.mark.parametrize("where", ["env", "file", "open file"])
async def test_the_others_are_audited_and_the_reference_is_named(
    center: AnotherPartnerCenter, tmp_path: Path, where: str
) -> None:
    forgotten = config(center.base_url, "forgotten", OTHER)
    reference = "FORGOTTEN_TOKEN"
    if where != "env":
        forgotten = forgotten.replace("env:FORGOTTEN_TOKEN", "file:forgotten.txt")
        reference = "forgotten.txt"
    if where == "open file":
        (tmp_path / "forgotten.txt").write_text(WRONG)
        (tmp_path / "forgotten.txt").chmod(0o644)
    code = "E_SECRET_MODE" if where == "open file" else "E_SECRET_MISSING"
    (tmp_path / "auditor.toml").write_text(forgotten + config(center.base_url))

    ran = await auditor(tmp_path, "run", "--format", "json")
    assert ran.status == ran.report["exit"] == 3, ran.stderr
    first, second = ran.report["snapshots"]
    assert (first["partner"], first["published"], first["reason"]) == ("forgotten", False, code)
    assert (second["published"], second["status"]) == (True, "complete")
    [(said, message)] = errors(ran)
    assert said == code
    assert reference in message
    assert "forgotten" in message
    assert "partner.not_published partner=forgotten" in ran.stderr
    assert WRONG not in ran.stderr + ran.stdout
    assert tenants(tmp_path) == {TENANT}

    planned = await auditor(tmp_path, "plan", "--format", "json")
    assert planned.status == 3
    assert {row["partner"] for row in json.loads(planned.stdout)} == {"contoso"}
    assert errors(planned) == [(said, message)]
    for narrow in (("--partner", "contoso"), ("--customer", "relecloud.example")):
        ran = await auditor(tmp_path, "run", *narrow, "--quiet")
        assert ran.status == (0 if narrow[0] == "--partner" else 3), ran.stderr


@pytest.mark.asyncio
async def test_the_next_run_audits_the_partner_once_its_secret_is_there(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    (tmp_path / "auditor.toml").write_text(
        config(center.base_url) + config(center.base_url, "forgotten", OTHER)
    )
    assert (await auditor(tmp_path, "run")).status == 3
    assert (await auditor(tmp_path, "run", FORGOTTEN_TOKEN=TOKEN)).status == 0
    assert tenants(tmp_path) == {TENANT, OTHER}


@pytest.mark.asyncio
async def test_the_country_decides_whose_secrets_are_needed(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    abroad = config(center.base_url, "forgotten", OTHER).replace('"DE"', '"FR"')
    (tmp_path / "auditor.toml").write_text(abroad + config(center.base_url))
    assert (await auditor(tmp_path, "run", "--country", "DE")).status == 0
    ran = await auditor(tmp_path, "run", "--country", "FR", "--format", "json")
    assert ran.status == 78
    assert [code for code, _ in errors(ran)] == ["E_SECRET_MISSING"]


@pytest.mark.asyncio
async def test_without_any_secret_nothing_is_asked_and_each_is_named(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    text = config(center.base_url, "one") + config(center.base_url, "two", OTHER)
    (tmp_path / "auditor.toml").write_text(text)
    for command in ("run", "plan"):
        ran = await auditor(tmp_path, command)
        assert ran.status == 78
        assert {code for code, _ in errors(ran)} == {"E_SECRET_MISSING"}
        assert ["ONE_TOKEN" in m or "TWO_TOKEN" in m for _, m in errors(ran)] == [True, True]
    assert (center.requests, tenants(tmp_path)) == ([], set())


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("tokens", "third", "status"),
    [
        ({"ONE_TOKEN": WRONG, "TWO_TOKEN": WRONG}, "", 77),
        ({"ONE_TOKEN": WRONG}, "", 77),
        ({"TWO_TOKEN": WRONG}, "", 78),
        ({"TWO_TOKEN": WRONG}, "unreachable", 69),
        ({"ONE_TOKEN": WRONG, "TWO_TOKEN": WRONG, "CONTOSO_TOKEN": "x"}, "audited", 3),
    ],
    ids=["all refused", "refused first", "missing first", "one unreachable", "one audited"],
)
async def test_credentials_decide_the_status_only_if_they_are_every_partners_reason(
    center: AnotherPartnerCenter,
    tmp_path: Path,
    tokens: dict[str, str],
    third: str,
    status: int,
) -> None:
    text = config(center.base_url, "one") + config(center.base_url, "two", OTHER)
    if third:
        url = center.base_url if third == "audited" else "http://127.0.0.1:9"
        text += config(url, "third", THIRD).replace("THIRD_TOKEN", "GOOD_TOKEN")
    (tmp_path / "auditor.toml").write_text(text)
    ran = await auditor(tmp_path, "run", "--format", "json", GOOD_TOKEN=TOKEN, **tokens)
    assert ran.status == ran.report["exit"] == status, ran.stderr
    reasons = {one["partner"]: one["reason"] for one in ran.report["snapshots"]}
    for name in ("one", "two"):
        wanted = "E_AUTH" if f"{name.upper()}_TOKEN" in tokens else "E_SECRET_MISSING"
        assert reasons[name] == wanted
    told = {code for code, _ in errors(ran)}
    assert told == {reason for reason in reasons.values() if reason}
    assert WRONG not in ran.stderr + ran.stdout


@pytest.mark.asyncio
async def test_the_doctor_reports_each_partners_secret(
    center: AnotherPartnerCenter, tmp_path: Path
) -> None:
    text = config(center.base_url, "one") + config(center.base_url, "two", OTHER)
    (tmp_path / "auditor.toml").write_text(text + config(center.base_url, "contoso", THIRD))
    ran = await auditor(tmp_path, "doctor", "--format", "json")
    assert ran.status == 78
    faults = [row for row in json.loads(ran.stdout) if row["check"] == "secret"]
    assert [(row["partner"], row["state"]) for row in faults] == [
        ("one", "fault"),
        ("two", "fault"),
        ("contoso", "ok"),
    ]
