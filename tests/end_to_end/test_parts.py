"""What the parts of a run stage and `publish` publishes equals the truth, in every store."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.errors import ScopeError
from auditor.progress import Silent
from auditor.run.parts.folder import begun
from auditor.run.parts.publishing import PartsMissing
from auditor.run.parts.run import PartOfRun
from auditor.run.result import NothingPublished, RunReport
from auditor.run.run import Run
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, Faults
from auditor.settings import Narrow, Part
from auditor.store.objects.store import ObjectStore
from tests.builders.nightly import Night, nights


@pytest.fixture(params=["folder", "database", "s3"])
def where(request: pytest.FixtureRequest) -> str:
    """Return the URL of the store: of a database or a bucket, or `''` for the folder."""
    if request.param == "folder":
        return ""
    if request.param == "database":
        url: str = request.getfixturevalue("store_url")
        return url
    s3_url: str = request.getfixturevalue("s3_url")
    ObjectStore.open(s3_url, create=True, buckets=2)
    return s3_url


async def part(night: Night, number: int, of: int, run: str = "r", **narrow: Any) -> RunReport:
    """Do one part of a run."""
    only = Narrow(run=run, part=Part(number, of), **narrow)
    return await _ended(PartOfRun, night, only)


async def publish(night: Night, run: str = "r", *, wait_s: float = 0.0) -> RunReport:
    only = begun(night.store.shared_files(), run, night.settings)
    return await _ended(Run, night, msgspec.structs.replace(only, wait_s=wait_s))


async def _ended(kind: type[PartOfRun] | type[Run], night: Night, narrow: Narrow) -> RunReport:
    runtime = Runtime(environ={**os.environ, **night.environ})
    with kind(night.settings, narrow, runtime=runtime) as work:
        report = await work.audit(Silent())
        work.finish()
    return report


def known(rows: dict[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in rows.items() if value[0] != "not_in_catalog"}


@pytest.mark.asyncio
async def test_two_nights_in_parts_equal_the_truth(where: str, tmp_path: Path) -> None:
    async with nights(tmp_path, 1, store=where) as night:
        for number in (1, 2):
            night.world.night = number
            run = f"night-{number}"
            await asyncio.gather(part(night, 1, 2, run), part(night, 2, 2, run))
            night.sandbox.log.clear()
            report = await publish(night, run)
            assert night.sandbox.log.records == []
            assert [one.status for one in report.snapshots] == ["complete", "complete"]
            assert (await publish(night, run)).exit == 0
        assert known(night.inventory()) == known(night.inventory_truth(2))
        changes = night.rows("SELECT kind, count(*) AS n FROM change GROUP BY kind")
        assert changes
        assert night.store.shared_files().names("night-2") == ["night-2/run"]


@pytest.mark.asyncio
async def test_an_on_demand_run_between_the_parts_and_their_publishing_wins(
    where: str, tmp_path: Path
) -> None:
    """P5, P9: its answers are newer than those of the parts."""
    async with nights(tmp_path, 1, store=where) as night:
        await night.run(1)
        first, second = night.inventory_truth(2), night.inventory_truth(3)
        chosen = next(
            customer
            for customer in sorted({key[1] for key in first})
            if any(key[1] == customer for key in second)
            and {k: v for k, v in first.items() if k[1] == customer}
            != {k: v for k, v in second.items() if k[1] == customer}
        )
        night.world.night = 2
        await part(night, 1, 1)
        await night.run(3, customers=(chosen,))
        night.world.night = 2
        night.sandbox.log.clear()
        await publish(night)
        assert night.sandbox.log.records == []
        found = night.inventory()
        newer = {key: value for key, value in known(second).items() if key[1] == chosen}
        assert newer
        assert {key: found[key] for key in newer} == newer


@pytest.mark.asyncio
async def test_a_partner_that_cannot_be_asked_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with nights(tmp_path, 1) as night:
        out, other = (partner.name for partner in night.settings.partner)
        night.sandbox.faults = Faults([Fault(partner=out, status=401)])
        night.world.night = 1
        done = await part(night, 1, 1)
        assert done.exit == 3
        report = await publish(night)
        assert report.exit == 3
        published = {one.partner: one.published for one in report.snapshots}
        assert published == {out: False, other: True}
        attempts = {row["partner_name"]: row for row in night.store.arrow("attempt").to_pylist()}
        assert (attempts[out]["exit"], attempts[out]["error_code"]) == (77, "E_AUTH")


@pytest.mark.asyncio
async def test_nothing_is_published_while_a_part_is_missing(tmp_path: Path) -> None:
    async with nights(tmp_path, 1) as night:
        night.world.night = 1
        await part(night, 2, 2)
        with pytest.raises(NothingPublished) as caught:
            await publish(night)
        assert isinstance(caught.value.__cause__, PartsMissing)
        assert caught.value.exit_status == 75
        with pytest.raises(ScopeError, match="--country"):
            await part(night, 1, 2, countries=(night.settings.partner[0].countries[0],))
        report, _ = await asyncio.gather(publish(night, wait_s=60.0), part(night, 1, 2))
        assert report.exit == 0
