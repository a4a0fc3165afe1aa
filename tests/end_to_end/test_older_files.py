"""This version reads what older versions wrote: a store, and the journal of an unfinished run.

Each archive in `tests/fixtures/` was made by an older version, with one partner of the sandbox: a
published night, and a second night that was killed after its last answer, before publishing.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest

from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.settings import Narrow, Settings, load
from auditor.store import open_store

ARCHIVES = sorted((Path(__file__).parents[1] / "fixtures").glob("store-and-journal-*.zip"))
ENVIRON = {"AUDITOR_SANDBOX_TOKEN_CONTOSO_EU": "a-token-that-nobody-asks-for"}
CHANGES = {
    "entered_catalog": 1,
    "first_seen_restricted": 1,
    "left_catalog": 7,
    "newly_restricted": 2,
    "no_longer_purchasable": 7,
    "purchasable_again": 4,
    "terms_changed": 3,
}


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.stem)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Unpack an archive and return its configuration."""
    with ZipFile(request.param) as archive:
        archive.extractall(tmp_path)
    return load(tmp_path / "auditor.toml", ENVIRON, asking=Narrow())


def test_a_store_of_an_older_version_is_read(settings: Settings) -> None:
    """P34."""
    store = open_store(settings.store)
    [snapshot] = store.published()
    assert store.verify(snapshot) == []
    assert store.arrow("latest_inventory").num_rows == 18
    assert store.arrow("latest_availability").num_rows == 25
    assert store.arrow("change").num_rows == 0
    assert store.arrow("ending").num_rows == 0, "a relation that came later"
    assert set(store.table("restriction_timeline")["ended_by"]) == {""}
    assert store.sql("SELECT count(*) AS n FROM restriction_timeline").to_pylist() == [{"n": 18}]


@pytest.mark.asyncio
async def test_an_unfinished_run_of_an_older_version_is_resumed_without_a_call(
    settings: Settings,
) -> None:
    """P11, P34: no server listens at the address of its Partner Center."""
    [unfinished] = [
        path
        for path in settings.state_dir.glob("runs/*/run.json")
        if not json.loads(path.read_text())["is_finished"]
    ]
    header = json.loads(unfinished.read_text())
    header["config_hash"] = settings.config_hash(Narrow())  # the path of its store has changed
    unfinished.write_text(json.dumps(header))
    an_hour_later = datetime.fromisoformat(header["started_at"]) + timedelta(hours=1)
    runtime = Runtime(environ=ENVIRON, now=lambda: an_hour_later)
    report = await audit(settings, Narrow(resume=""), runtime=runtime)
    assert report.exit == 0
    [snapshot] = report.snapshots
    assert (report.run_id, snapshot.published) == (header["run_id"], True)
    assert snapshot.rows == {"inventory": 17, "availability": 30}
    assert snapshot.changes == CHANGES
    store = open_store(settings.store)
    assert len(store.published()) == 2
    assert [store.verify(one) for one in store.published()] == [[], []]
    timeline = store.table("restriction_timeline")
    assert set(timeline["ended_by"]) >= {"", "changed"}
    assert timeline["valid_to"].isna().sum() == snapshot.rows["inventory"]
