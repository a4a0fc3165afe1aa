"""A store on object storage equals the sandbox's truth, and a killed run is resumed on it."""

import asyncio
import signal
from pathlib import Path

import pytest

from auditor.sandbox import Fault, Faults
from auditor.settings import Narrow, load
from auditor.store import open_store
from auditor.store.objects.store import ObjectStore
from tests.builders.another_partner_center import auditor, started
from tests.builders.nightly import nights, seeds
from tests.end_to_end.test_bad_input_live import CHECKS
from tests.end_to_end.test_truth import FEWER, nights_of_truth

BUCKETS = 2


@pytest.mark.asyncio
@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", seeds([1], range(2, 6)))
async def test_a_store_on_s3_equals_the_truth(seed: int, s3_url: str, tmp_path: Path) -> None:
    """P43."""
    ObjectStore.open(s3_url, create=True, buckets=BUCKETS)
    async with nights(tmp_path, seed, store=s3_url) as night:
        await nights_of_truth(night, whens=FEWER)


@pytest.mark.asyncio
@pytest.mark.timeout(400)
async def test_a_run_killed_on_one_machine_is_resumed_and_read_on_another(
    object_url: str, tmp_path: Path
) -> None:
    """P10, P43: nothing but `state_dir` and the store is needed, no copy of an object."""
    ObjectStore.open(object_url, create=True, buckets=BUCKETS)
    reached, released = asyncio.Event(), asyncio.Event()

    async def hold(_: float) -> None:
        reached.set()
        await released.wait()

    async with nights(tmp_path, 5, sleep=hold, store=object_url) as night:
        night.world.night = 1
        partner = night.settings.partner[0]
        words = ("run", "--partner", partner.name, "--format", "json")
        environ = {**night.environ, "AUDITOR_STORE": object_url}
        night.sandbox.faults = Faults((Fault(endpoint=CHECKS, after=5, count=1, delay_s=1.0),))
        process = await started(tmp_path, *words, **environ)
        await reached.wait()
        process.kill()
        assert await process.wait() == -signal.SIGKILL
        await process.communicate()
        released.set()
        assert open_store(object_url).published() == ()

        night.sandbox.faults = Faults()
        elsewhere = environ | {"XDG_CACHE_HOME": str(tmp_path / "elsewhere")}
        resumed = await auditor(tmp_path, *words, "--resume", **elsewhere)
        assert resumed.status == 0, resumed.stderr

        truth = night.inventory_truth(1).items()
        assert night.inventory() == {k: v for k, v in truth if k[0] == partner.tenant_id}
        (snapshot,) = open_store(object_url).published()
        verified = await auditor(tmp_path, "snapshots", "verify", snapshot, **environ)
        assert (verified.status, verified.stdout) == (0, "")
        rows = await auditor(
            tmp_path, "sql", "SELECT run_id FROM attempt", "--format", "json", **environ
        )
        assert rows.status == 0, rows.stderr
        assert resumed.report["run_id"] in rows.stdout

        settings = load(tmp_path / "auditor.toml", environ, asking=Narrow())
        assert settings.shown_store() == object_url
        doctor = await auditor(tmp_path, "doctor", "--format", "json", **environ)
        assert f"{object_url} opens: 1 snapshot(s)" in doctor.stdout
