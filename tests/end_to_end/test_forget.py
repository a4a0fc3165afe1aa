"""P42: `snapshots forget` leaves no byte of a customer, and every byte of all others."""

import json
from pathlib import Path

import pytest

from auditor.journal.runs import Runs
from auditor.store.objects.client import Objects
from auditor.store.objects.store import ObjectStore
from tests.builders.another_partner_center import auditor
from tests.builders.forgetting import (
    SEED,
    TINY,
    inconsistencies,
    live,
    needles,
    rows_of_others,
)
from tests.builders.nightly import nights
from tests.builders.traces import found_in_files, found_in_objects

KINDS = {"raw_replies", "run", "attempt", "waiting_attempt", "snapshot", "coverage", "customer"}


@pytest.mark.asyncio
async def test_no_byte_of_a_forgotten_customer_is_left_in_a_folder(tmp_path: Path) -> None:
    """P42: neither in the store nor in `state_dir`; a dry run changes nothing."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        traces = await live(night, night.settings.store)
        folders = (Path(night.settings.store), night.settings.state_dir)
        before = rows_of_others(night.store, traces.customer_id)
        found = found_in_files(needles(traces), *folders)
        assert {each.partition(" in ")[0] for each in found} == set(needles(traces))
        assert list(inconsistencies(night.store)) == []

        words = ("snapshots", "forget", "--format", "json", "--customer")
        dry = await auditor(tmp_path, *words, traces.names[0], **night.environ)
        assert dry.status == 0, dry.stderr
        rows = json.loads(dry.stdout)
        assert {row["what"] for row in rows} >= KINDS
        assert "without --apply" in dry.stderr
        assert found_in_files(needles(traces), *folders) == found

        done = await auditor(tmp_path, *words, traces.names[0], "--apply", **night.environ)
        assert (done.status, json.loads(done.stdout)) == (0, rows), done.stderr
        assert found_in_files(needles(traces), *folders) == []
        assert list(inconsistencies(night.store)) == []
        assert rows_of_others(night.store, traces.customer_id) == before

        again = await auditor(tmp_path, *words, traces.customer_id, "--apply", **night.environ)
        assert (again.status, again.stdout) == (0, "[]\n")
        by_name = await auditor(tmp_path, *words, traces.names[0], **night.environ)
        assert by_name.status == 64
        assert "E_CUSTOMER_UNKNOWN" in by_name.stderr

        await night.run(3)
        cells = night.store.arrow("coverage", customer_id=traces.customer_id)
        assert set(cells.column("previous_snapshot_id").to_pylist()) == {""}
        assert night.store.arrow("change", customer_id=traces.customer_id).num_rows == 0


@pytest.mark.asyncio
@pytest.mark.timeout(300)
async def test_no_byte_of_a_forgotten_customer_is_left_on_s3(s3_url: str, tmp_path: Path) -> None:
    """P42: neither in the bucket, nor in the copies of this machine, nor in `state_dir`."""
    ObjectStore.open(s3_url, create=True, buckets=2)
    async with nights(tmp_path, SEED, size=TINY, store=s3_url) as night:
        traces = await live(night, s3_url)
        before = rows_of_others(night.store, traces.customer_id)

        def found() -> list[str]:
            names = needles(traces)
            folders = (tmp_path / "cache", night.settings.state_dir)
            objects = Objects.open(s3_url)
            in_objects = found_in_objects(names, objects, tmp_path / "all")
            return [*in_objects, *found_in_files(names, *folders)]

        assert {each.partition(" in ")[0] for each in found()} == set(needles(traces))
        environ = {**night.environ, "AUDITOR_STORE": s3_url}
        words = ("snapshots", "forget", "--format", "json", "--customer")
        dry = await auditor(tmp_path, *words, traces.names[0], **environ)
        done = await auditor(tmp_path, *words, traces.names[0], "--apply", **environ)
        assert (dry.status, done.status) == (0, 0), done.stderr
        assert json.loads(done.stdout) == json.loads(dry.stdout)
        assert {row["what"] for row in json.loads(dry.stdout)} >= KINDS
        assert found() == []
        assert list(inconsistencies(night.store)) == []
        assert rows_of_others(night.store, traces.customer_id) == before

        await night.run(3)
        cells = night.store.arrow("coverage", customer_id=traces.customer_id)
        assert set(cells.column("previous_snapshot_id").to_pylist()) == {""}
        assert list(inconsistencies(night.store)) == []


@pytest.mark.asyncio
async def test_a_customer_is_not_forgotten_while_a_run_is_at_work(tmp_path: Path) -> None:
    """P42: its journal would bring the customer back."""
    async with nights(tmp_path, SEED, size=TINY) as night:
        await night.run(1)
        [customer, *_] = night.store.arrow("current_customer").to_pylist()
        words = ("snapshots", "forget", "--customer", customer["domain"])
        [run] = Runs(night.settings.state_dir).folders()
        with Runs(night.settings.state_dir).holding(run.path):
            ran = await auditor(tmp_path, *words, "--apply", **night.environ)
            dry = await auditor(tmp_path, *words, **night.environ)
        assert (ran.status, dry.status) == (75, 0)
        assert "E_LOCKED" in ran.stderr
        assert night.store.find_customer(customer["domain"]) == customer["customer_id"]
