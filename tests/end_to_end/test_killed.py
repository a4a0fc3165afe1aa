"""A run killed between two calls is resumed, and stores the same as an uninterrupted run."""

import asyncio
import json
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from auditor.sandbox import Fault, Faults
from auditor.store import open_store
from tests.builders.another_partner_center import auditor, started
from tests.builders.nightly import Night, nights
from tests.end_to_end.test_bad_input_live import CHECKS, WAVE_2, only_error, published

RELATIONS = (
    "inventory",
    "restriction",
    "availability",
    "sku",
    "customer",
    "azure_subscription",
    "commerce_subscription",
    "change",
)


@pytest.mark.asyncio
@pytest.mark.parametrize("refused_between", [False, True])
async def test_a_killed_run_is_resumed(tmp_path: Path, refused_between: bool) -> None:
    """P10, P11: the same rows as an uninterrupted run's; answered questions are not sent again.

    A run that the lock refused in between has no journal, so `--resume` does not choose it.
    """
    reached, released = asyncio.Event(), asyncio.Event()

    async def hold(_: float) -> None:
        reached.set()
        await released.wait()

    async with nights(tmp_path, 5, sleep=hold) as night:
        night.world.night = 1
        partner = night.settings.partner[0]
        words = ("run", "--partner", partner.name, "--format", "json")
        slow = Fault(endpoint=CHECKS, after=5, count=1, delay_s=1.0)
        night.sandbox.faults = Faults((slow,))
        process = await started(tmp_path, *words, **night.environ)
        await reached.wait()
        (killed,) = (tmp_path / "state" / "runs").iterdir()
        if refused_between:
            ran = await auditor(tmp_path, *words, **night.environ)
            message, _ = only_error(ran, 75, "E_LOCKED")
            assert f"run {killed.name}, host " in message
            assert f", pid {process.pid}, since " in message
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        await process.communicate()
        released.set()
        assert published(tmp_path) == []
        night.sandbox.faults = Faults()
        before = questions(night)
        assert before
        night.sandbox.log.clear()

        resumed = await auditor(tmp_path, *words, "--resume", **night.environ)
        assert resumed.status == 0, resumed.stderr
        assert resumed.report["run_id"] == killed.name
        again = questions(night) & before
        assert {endpoint for endpoint, *_ in again} <= WAVE_2
        assert again.total() <= partner.limits.concurrency, "only calls in flight are repeated"

        whole = tmp_path / "whole"
        whole.mkdir()
        text = (tmp_path / "auditor.toml").read_text(encoding="utf-8")
        (whole / "auditor.toml").write_text(text, encoding="utf-8")
        ran = await auditor(whole, *words, **night.environ)
        assert ran.status == 0, ran.stderr
        truth = night.inventory_truth(1).items()
        assert night.inventory() == {k: v for k, v in truth if k[0] == partner.tenant_id}
        for relation in RELATIONS:
            assert content(tmp_path, relation) == content(whole, relation), relation
        of_one, of_other = (each.report["snapshots"] for each in (resumed, ran))
        for name in ("status", "checks", "rows", "changes"):
            assert [one[name] for one in of_one] == [one[name] for one in of_other]


def questions(night: Night) -> Counter[tuple[str, ...]]:
    """Count the calls that the sandbox answered, by question."""
    return Counter(
        (
            one.endpoint,
            one.partner,
            one.path,
            one.query,
            str(one.targets),
            json.dumps(dict(one.context), sort_keys=True),
        )
        for one in night.sandbox.log.of()
        if one.status == 200
    )


def content(folder: Path, relation: str) -> list[str]:
    """Return the rows of a relation without the columns that differ from run to run."""
    moving = re.compile(r"_at$|snapshot_id$|^event_id$|^business_date$")
    table = open_store(str(folder / "lake")).arrow(relation)
    kept = [name for name in table.column_names if not moving.search(name)]
    return sorted(json.dumps(row, default=str) for row in table.select(kept).to_pylist())
