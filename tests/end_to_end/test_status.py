"""Every run leaves an attempt (P38), and every reading says how far it can be trusted (P37)."""

import json
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.sandbox import Fault, Faults, WorldSize
from auditor.store import open_store
from tests.builders.another_partner_center import Ran, auditor, started
from tests.builders.nightly import Night, nights

TINY = WorldSize(customers=12, products=2, regions=2, sizes_per_product=1, licence_products=3)
SEED = 1


def attempts(night: Night) -> list[Mapping[str, Any]]:
    """Return the attempts, oldest first."""
    rows: list[Mapping[str, Any]] = night.store.arrow("attempt").to_pylist()
    return sorted(rows, key=lambda row: (row["started_at"], row["partner_name"]))


async def ask(folder: Path, night: Night, *words: str) -> Ran:
    """Run a command on the night's configuration."""
    return await auditor(folder, *words, **night.environ)


def broken(night: Night) -> tuple[str, str]:
    """Let the first partner's sign-in be refused; return its name and that of the other one."""
    first, second = night.world.partners()
    night.sandbox.faults = Faults([Fault(partner=first.name, status=401, code="400")])
    return first.name, second.name


@pytest.mark.asyncio
async def test_a_partner_that_failed_is_red_in_every_reading(tmp_path: Path) -> None:
    """P37, P38: the numbers shown are an older night's, and every command says so."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        assert (await night.run(1)).exit == 0
        failed, whole = broken(night)
        assert (await night.run(2)).exit == 3
        first, second, third, fourth = attempts(night)
        assert {first["exit"], second["exit"]} == {0}
        by_name = {row["partner_name"]: row for row in (third, fourth)}
        assert by_name[whole]["exit"] == 0
        assert by_name[failed]["exit"] == 77
        assert by_name[failed]["snapshot_id"] == ""
        assert by_name[failed]["reason"]
        night.sandbox.faults = Faults()
        shown: tuple[tuple[str, ...], ...] = (
            ("changes",),
            ("changes", "--by-cause"),
            ("snapshots",),
        )
        for words in shown:
            ran = await ask(tmp_path, night, *words)
            last = ran.stdout.splitlines()[-2:]
            assert any(line.startswith(f"{failed}: not asked ") for line in last), ran.stdout
            assert any(line.startswith(f"{whole}: complete, ") for line in last), ran.stdout
        for quiet in (("changes", "--format", "json"), ("sql", "SELECT 1 AS one")):
            ran = await ask(tmp_path, night, *quiet)
            assert f"{failed}: not asked " in ran.stderr
            assert failed not in ran.stdout
        ran = await ask(tmp_path, night, "report")
        assert "last night failed" in ran.stdout
        assert f"{failed}: not asked " in ran.stdout
        ran = await ask(tmp_path, night, "status", "--format", "json")
        assert ran.status == 3
        state = {row["partner"]: row["state"] for row in json.loads(ran.stdout)}
        assert state == {failed: "failed", whole: "complete"}


@pytest.mark.asyncio
async def test_a_killed_run_leaves_its_attempt_with_the_next_run(tmp_path: Path) -> None:
    """P38."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        night.world.night = 1
        night.sandbox.faults = Faults([Fault(endpoint="check_inventory", delay_s=60)])
        process = await started(tmp_path, "run", **night.environ)
        waiting = tmp_path / "state" / "attempts"
        assert process.stderr
        async for line in process.stderr:
            if b"phase=checking" in line:
                break
        process.send_signal(signal.SIGSTOP)
        assert len(list(waiting.iterdir())) == 1
        # a run beside it does not take the run at work for a killed one
        only = night.world.customers(night.world.partners()[0], 1)[0].customer_id
        night.sandbox.faults = Faults()
        assert (await ask(tmp_path, night, "run", "--customer", only)).status in {0, 3}
        assert {(row["kind"], row["exit"]) for row in attempts(night)} == {("partial", 0)}
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        assert (await night.run(1)).exit == 0
        killed = [row for row in attempts(night) if row["error_code"] == "E_KILLED"]
        assert {row["exit"] for row in killed} == {137}
        assert len(killed) == len(night.world.partners())
        assert all(row["ended_at"] >= row["started_at"] for row in killed)
        assert list(waiting.iterdir()) == []


@pytest.mark.asyncio
async def test_an_attempt_waits_while_the_store_is_away(tmp_path: Path, store_url: str) -> None:
    """P38: the database is there again on the next night."""
    async with nights(tmp_path, SEED, size=TINY, store=store_url) as night:
        away = store_url.rpartition("@")[0] + "@127.0.0.1:1/nowhere"
        with pytest.raises(Exception, match=r"127\.0\.0\.1"):
            await night.run(1, settings=msgspec.structs.replace(night.settings, store=away))
        assert attempts(night) == []
        assert (await night.run(1)).exit == 0
        rows = attempts(night)
        partners = len(night.world.partners())
        assert [row["exit"] for row in rows] == [*[75] * partners, *[0] * partners]
        assert {row["error_code"] for row in rows[:partners]} == {"E_DATABASE"}
        (status,) = {row["last_exit"] for row in night.store.arrow("partner_status").to_pylist()}
        assert status == 0


@pytest.mark.asyncio
async def test_status_ends_with_3_until_every_partner_is_young_and_complete(tmp_path: Path) -> None:
    """P37."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        ran = await ask(tmp_path, night, "status", "--format", "json")
        assert ran.status == 3
        assert {row["state"] for row in json.loads(ran.stdout)} == {"never asked"}
        await night.run(1)
        ran = await ask(tmp_path, night, "status")
        assert ran.status == 0
        assert "complete" in ran.stdout
        assert (await ask(tmp_path, night, "status", "--max-age", "0h")).status == 3
        night.sandbox.faults = Faults([Fault(endpoint="check_inventory", share=0.5, status=500)])
        await night.run(1)
        ran = await ask(tmp_path, night, "status", "--format", "json")
        assert ran.status == 3
        rows = json.loads(ran.stdout)
        assert {row["state"] for row in rows} == {"incomplete"}
        assert all(0 < row["checks_unknown_share"] < 1 for row in rows)
        assert all(0 < row["keys_unknown_share"] < 1 for row in rows)
        assert all("of the checks have no answer" in row["reason"] for row in rows)


@pytest.mark.asyncio
async def test_changes_count_from_each_previous_full_night_with_the_runs_between(
    tmp_path: Path,
) -> None:
    """P37: an on-demand run hides nothing of the night before it."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        await night.run(1)
        await night.run(4)
        before = night.store.changes()
        assert before.num_rows
        only = before.column("customer_id").to_pylist()[0]
        await night.run(5, customers=(only,))
        after = night.store.changes()
        assert set(before.column("event_id").to_pylist()) <= set(
            after.column("event_id").to_pylist()
        )
        newly = night.rows("SELECT event_id FROM newly_restricted")
        kinds = after.to_pylist()
        assert {row["event_id"] for row in newly} == {
            row["event_id"]
            for row in kinds
            if row["kind"] == "newly_restricted" and not row["suspect"]
        }


@pytest.mark.asyncio
async def test_snapshots_of_two_partners_are_not_compared(tmp_path: Path) -> None:
    """P37: that is a wrong flag, not "nothing changed"."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        report = await night.run(1)
        first, second = (each.snapshot_id for each in report.snapshots)
        ran = await ask(tmp_path, night, "changes", "--between", first, second)
        assert ran.status == 64
        assert all(partner.name in ran.stderr for partner in night.world.partners())


@pytest.mark.asyncio
async def test_a_customer_without_answers_is_not_unchanged(tmp_path: Path) -> None:
    """P37."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        await night.run(1)
        partner = night.world.partners()[0]
        rows = open_store(night.settings.store).arrow("current_inventory").to_pylist()
        ids = {
            r["customer_id"] for r in rows if r["partner_tenant_id"] == partner.partner_tenant_id
        }
        customer = min(ids - {""})
        checks = ("check_inventory", "by_resource_type", "customer_availabilities")
        night.sandbox.faults = Faults([Fault(endpoint=checks, customer=customer, status=500)])
        await night.run(1)
        ran = await ask(tmp_path, night, "changes", "--customer", customer)
        assert "without an answer, http_500" in ran.stdout
