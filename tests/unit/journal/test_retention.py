"""S18: `snapshots prune` removes what old runs left in `state_dir`, and nothing that is needed."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.journal import retention
from auditor.journal.attempts import Attempt, Attempts
from auditor.journal.runs import RunHeader, Runs
from auditor.settings import Narrow
from tests.unit.journal.test_runs import NOW, SETTINGS, TENANTS, begin_run

DAY = 24.0
KEEP = timedelta(days=90)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def left(state: Path, days_ago: float, *, is_finished: bool = True) -> RunHeader:
    """Let a run leave a journal, a quarantine and a waiting attempt."""
    header = begin_run(Runs(state), DAY * days_ago)
    folder = Runs(state).folder(header.run_id)
    (folder / "lock").touch()
    (folder / f"{TENANTS[0]}.journal").write_bytes(b"reply" * 20)
    (folder / f"{TENANTS[0]}.quarantine").write_bytes(b"{}\n")
    if is_finished:
        Runs(state).finish(header)
    attempt = Attempt(
        run_id=header.run_id,
        partner_tenant_id=TENANTS[0],
        partner_name="eu",
        kind="full",
        trigger="cron",
        customers="",
        started_at=header.started_at,
    )
    Attempts(state).save([attempt])
    return header


def pruned(state: Path, *, apply: bool, keep: timedelta = KEEP) -> list[tuple[object, object]]:
    rows = retention.prune(state, keep, NOW, resume_max_age_hours=12, apply=apply)
    return [(row["what"], row["id"]) for row in rows]


def files(state: Path) -> list[Path]:
    return sorted(path for path in state.rglob("*") if path.is_file())


@pytest.mark.parametrize("is_finished", [True, False])
def test_what_an_old_run_left_is_listed_and_with_apply_removed(
    state: Path, *, is_finished: bool
) -> None:
    old = left(state, 91, is_finished=is_finished).run_id
    young = left(state, 89).run_id
    before = files(state)

    kinds = ("run", "raw_replies", "quarantine", "waiting_attempt")
    listed = pruned(state, apply=False)
    assert sorted(listed) == sorted((kind, old) for kind in kinds)
    assert files(state) == before
    assert pruned(state, apply=True) == listed
    assert files(state) == [path for path in before if young in str(path)]
    assert pruned(state, apply=True) == []


def test_each_kind_has_its_files_and_bytes(state: Path) -> None:
    left(state, 91)
    rows = retention.prune(state, KEEP, NOW, resume_max_age_hours=12, apply=False)
    sizes = {row["what"]: (row["files"], row["bytes"]) for row in rows}
    assert sizes["raw_replies"] == (1, 100)
    assert sizes["quarantine"] == (1, 3)
    assert sizes["run"][0] == 2


def test_a_run_that_can_be_resumed_or_is_at_work_stays(state: Path) -> None:
    """`--keep` may be shorter than `run.resume_max_age_hours`."""
    unfinished = left(state, 0.4, is_finished=False)
    finished = left(state, 0.3)
    at_work = left(state, 100, is_finished=False)
    with Runs(state).holding(Runs(state).folder(at_work.run_id)):
        gone = {run for _, run in pruned(state, apply=True, keep=timedelta())}
    assert gone == {finished.run_id, unfinished.run_id}, "its attempt alone"
    kept = {path.name for path in (state / "runs").iterdir()}
    assert kept == {unfinished.run_id, at_work.run_id}


def test_what_is_not_a_runs_is_never_removed(state: Path, tmp_path: Path) -> None:
    """S12: a link is not followed; a folder that no run made stays."""
    left(state, 1)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (state / "runs" / "20200101T000000Z-000000").symlink_to(elsewhere)
    (state / "runs" / "notes").mkdir()
    (state / "attempts" / "odd.json").write_text("{")
    pruned(state, apply=True, keep=timedelta())
    assert (elsewhere / "file").exists()
    assert os.path.lexists(state / "runs" / "20200101T000000Z-000000")
    assert (state / "runs" / "notes").is_dir()
    assert (state / "attempts" / "odd.json").exists()


def test_a_run_that_was_killed_before_its_header_goes_too(state: Path) -> None:
    header = Runs(state).begin(SETTINGS, Narrow(), TENANTS, NOW - 2 * KEEP, "1")
    folder = Runs(state).folder(header.run_id)
    folder.mkdir(parents=True)
    (folder / "lock").touch()
    assert pruned(state, apply=True) == [("run", header.run_id)]
    assert not folder.exists()


def test_without_a_state_folder_there_is_nothing_to_prune(state: Path) -> None:
    assert pruned(state, apply=True) == []
    assert not state.exists()
