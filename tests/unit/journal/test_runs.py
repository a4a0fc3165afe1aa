"""Which run `--resume` continues, and the locks of runs."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from auditor import atomic_file
from auditor.errors import InputMissing, Locked, ScopeError, StoreUnwritable
from auditor.journal.runs import RunHeader, Runs
from auditor.settings import Limits, Narrow, Partner, Settings

TENANTS = ("aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000002")
NOW = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
SETTINGS = Settings(partner=(Partner(name="eu", tenant_id=TENANTS[0], countries=("DE",)),))
RESUME = Narrow(resume="")


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "state")


def begin_run(
    runs: Runs,
    hours_ago: float = 0,
    *,
    settings: Settings = SETTINGS,
    narrow: Narrow | None = None,
    entropy: str = "0a0b0c",
) -> RunHeader:
    at = NOW - timedelta(hours=hours_ago)
    header = runs.begin(settings, narrow or Narrow(), TENANTS, at, entropy)
    runs.save(header)
    return header


def resumed(runs: Runs, narrow: Narrow = RESUME, settings: Settings = SETTINGS) -> str | None:
    header = runs.to_resume(settings, narrow, NOW)
    return header.run_id if header else None


def settings_with(**run: object) -> Settings:
    return msgspec.structs.replace(SETTINGS, run=msgspec.structs.replace(SETTINGS.run, **run))


# Ids ----------------------------------------------------------------------------------------


def test_the_ids_of_a_run_and_its_snapshots_begin_with_its_start_time(runs: Runs) -> None:
    header = begin_run(runs)
    assert header.run_id == "20261121T020000Z-0a0b0c"
    assert header.snapshots == {
        TENANTS[0]: "20261121T020000Z-0a0b0d",
        TENANTS[1]: "20261121T020000Z-0a0b0e",
    }


@pytest.mark.parametrize("entropy", ["ffffff", "fffffe", "0", "123456789abcdef"])
def test_ids_are_valid_and_differ_whatever_the_entropy(runs: Runs, entropy: str) -> None:
    header = begin_run(runs, entropy=entropy)
    names = [header.run_id, *header.snapshots.values()]
    assert len(set(names)) == 3
    for name in names:
        stamp, _, digits = name.partition("-")
        assert stamp == "20261121T020000Z"
        assert len(digits) == 6
        assert int(digits, 16) >= 0


# Resume -------------------------------------------------------------------------------------


def test_without_the_flag_a_new_run_starts(runs: Runs) -> None:
    begin_run(runs)
    assert resumed(runs, Narrow()) is None


def test_without_an_earlier_run_a_new_run_starts(runs: Runs) -> None:
    assert resumed(runs) is None


def test_the_newest_unfinished_run_is_resumed(runs: Runs) -> None:
    begin_run(runs, 3)
    newest = begin_run(runs, 1)
    begin_run(runs, 2)
    assert resumed(runs) == newest.run_id


def test_an_unfinished_run_is_resumed_after_a_newer_finished_one(runs: Runs) -> None:
    older = begin_run(runs, 2)
    runs.finish(begin_run(runs, 1))
    assert resumed(runs) == older.run_id


def test_a_run_older_than_the_maximum_is_not_resumed(runs: Runs) -> None:
    begin_run(runs, 12.01)
    assert resumed(runs) is None
    at_the_limit = begin_run(runs, 12)
    assert resumed(runs) == at_the_limit.run_id
    assert resumed(runs, settings=settings_with(resume_max_age_hours=1)) is None


@pytest.mark.parametrize(
    ("other", "narrow"),
    [
        (settings_with(batch_size=7), Narrow()),
        (SETTINGS, Narrow(customers=("11111111-0000-0000-0000-000000000001",))),
        (SETTINGS, Narrow(countries=("DE",))),
        (SETTINGS, Narrow(partners=("eu",))),
    ],
)
def test_a_run_of_another_configuration_or_other_flags_is_not_resumed(
    runs: Runs, other: Settings, narrow: Narrow
) -> None:
    begin_run(runs, settings=other, narrow=narrow)
    assert resumed(runs) is None


def test_a_setting_that_changes_no_question_does_not_prevent_a_resume(runs: Runs) -> None:
    header = begin_run(runs, settings=settings_with(keep_raw="all"))
    assert resumed(runs) == header.run_id


def test_a_folder_that_holds_no_run_is_ignored(runs: Runs) -> None:
    header = begin_run(runs, 1)
    broken = runs.folder(begin_run(runs).run_id) / "run.json"
    broken.write_text('{"run_id": ')
    (broken.parent.parent / "20261121T020000Z-ffffff").mkdir()
    assert resumed(runs) == header.run_id


def test_temporary_files_of_killed_writers_are_removed_in_every_run(runs: Runs) -> None:
    header = begin_run(runs)
    other = runs.folder(begin_run(runs, 1, entropy="1").run_id)
    for folder in (runs.folder(header.run_id), other):
        (folder / ".run.json.4711.new").write_text('{"run_id": ')
    assert resumed(runs) == header.run_id
    runs.prune(NOW, 12)
    assert [path.name for path in other.parent.rglob("*") if path.is_file()] == ["run.json"] * 2


def test_a_folder_without_a_run_file_is_removed_after_14_days(runs: Runs) -> None:
    """Its process was killed after it took the lock and before it wrote `run.json`."""
    kept = begin_run(runs, 24 * 15)
    ages = {15: False, 13: True}
    folders = {}
    for days in ages:
        at = NOW - timedelta(days=days)
        folders[days] = runs.folder(runs.begin(SETTINGS, Narrow(), TENANTS, at, "1").run_id)
        folders[days].mkdir()
        (folders[days] / "lock").touch()
    mine = folders[15].with_name("notes")
    mine.mkdir()
    runs.prune(NOW, 12)
    assert {days: folder.exists() for days, folder in folders.items()} == ages
    assert mine.exists()
    assert runs.folder(kept.run_id).exists()


def test_a_finished_run_is_removed_after_14_days(runs: Runs) -> None:
    """S18: the replies contain customers' data."""
    ages = {13.9: True, 14.1: True, 14.2: False}  # age in days: whether the run is finished
    headers = {}
    for days, is_finished in ages.items():
        headers[days] = begin_run(runs, 24 * days)
        if is_finished:
            runs.finish(headers[days])

    runs.prune(NOW, 24 * 15)
    assert all(runs.folder(header.run_id).exists() for header in headers.values())
    runs.prune(NOW, 12)
    left = [days for days, header in headers.items() if runs.folder(header.run_id).exists()]
    assert left == [13.9, 14.2]


# A named run --------------------------------------------------------------------------------


def test_a_named_run_is_resumed_at_any_age(runs: Runs) -> None:
    header = begin_run(runs, 500)
    begin_run(runs, 1)
    assert resumed(runs, Narrow(resume=header.run_id)) == header.run_id


def test_an_unknown_named_run_is_reported(runs: Runs) -> None:
    begin_run(runs)
    with pytest.raises(InputMissing, match="no run 20200101T000000Z-000000") as refusal:
        resumed(runs, Narrow(resume="20200101T000000Z-000000"))
    assert (refusal.value.exit_status, refusal.value.error_code) == (66, "E_RUN_UNKNOWN")


@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "%2e%2e", "x" * 300, "\0"])
def test_a_run_name_is_never_used_as_a_path(runs: Runs, name: str) -> None:
    """S9."""
    begin_run(runs)
    with pytest.raises(InputMissing):
        resumed(runs, Narrow(resume=name))


def test_a_named_run_of_another_configuration_is_refused_with_the_difference(runs: Runs) -> None:
    other = msgspec.structs.replace(
        settings_with(batch_size=7),
        partner=(msgspec.structs.replace(SETTINGS.partner[0], limits=Limits(catalog=1)),),
    )
    header = begin_run(runs, settings=other, narrow=Narrow(countries=("DE",)))
    with pytest.raises(ScopeError) as refusal:
        resumed(runs, Narrow(resume=header.run_id))
    assert (refusal.value.exit_status, refusal.value.error_code) == (65, "E_RUN_CONFIG")
    for key in ("run.batch_size", "--country", "limits.catalog"):
        assert key in refusal.value.message


def test_a_named_run_that_is_finished_is_returned_as_finished(runs: Runs) -> None:
    header = begin_run(runs)
    runs.finish(header)
    found = runs.to_resume(SETTINGS, Narrow(resume=header.run_id), NOW)
    assert found is not None
    assert found.is_finished


def test_an_hour_that_comes_twice_makes_two_runs(runs: Runs) -> None:
    """P32: half past two in Berlin, on the night on which summer time ends."""
    berlin = ZoneInfo("Europe/Berlin")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=berlin)
    second = first.replace(fold=1)
    made = [runs.begin(SETTINGS, Narrow(), TENANTS, at, "0a0b0c") for at in (first, second)]
    assert [header.run_id for header in made] == [
        "20261025T003000Z-0a0b0c",
        "20261025T013000Z-0a0b0c",
    ]


# Writing ------------------------------------------------------------------------------------


def test_a_state_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreUnwritable, match="state_dir"):
        begin_run(Runs(tmp_path / "state"))


def test_the_run_file_survives_a_power_loss(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11, fault 5: the folders that hold the names are synced, not only the file."""
    synced: list[Path] = []
    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real_fsync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    folder = runs.folder(begin_run(runs).run_id)
    temporary_name = atomic_file.temporary_name(folder / "run.json").name
    assert synced == [folder / temporary_name, folder, tmp_path / "state/runs"]


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_no_other_user_can_read_the_state_folder(tmp_path: Path, umask: int) -> None:
    """S12: with any umask of the caller, because the library sets none."""
    before = os.umask(umask)
    try:
        runs = Runs(tmp_path / "far" / "state")
        header = begin_run(runs)
        with runs.locked(TENANTS, lambda: header):
            runs.finish(header)
    finally:
        os.umask(before)
    below = list((tmp_path / "far").rglob("*"))
    assert len(below) == 8
    assert [path for path in below if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("place", ["locks", f"locks/{TENANTS[0]}.lock", "runs"])
def test_no_planted_link_is_followed(tmp_path: Path, place: str) -> None:
    """S12: a link to a file would empty that file; in a linked folder others could read."""
    runs = Runs(tmp_path / "state")
    header = runs.begin(SETTINGS, Narrow(), TENANTS, NOW, "0a0b0c")
    link = tmp_path / "state" / place.format(header.run_id)
    link.parent.mkdir(parents=True)
    victim = tmp_path / "victim"
    if link.suffix:
        victim.write_text("precious")
    else:
        victim.mkdir()
    link.symlink_to(victim)
    with pytest.raises(StoreUnwritable, match="state_dir"), runs.locked(TENANTS, lambda: header):
        runs.save(header)
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "precious"


def test_a_run_file_with_a_forged_id_is_ignored(runs: Runs, tmp_path: Path) -> None:
    """S9: the id in a file is never used as a path."""
    header = begin_run(runs)
    path = runs.folder(header.run_id) / "run.json"
    forged = msgspec.structs.replace(header, run_id="../../precious")
    path.write_bytes(msgspec.json.encode(forged))
    assert resumed(runs) is None
    with pytest.raises(InputMissing):
        resumed(runs, Narrow(resume="../../precious"))
    assert not (tmp_path / "precious").exists()


# The locks ----------------------------------------------------------------------------------

HOLD = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from auditor.journal.runs import RunHeader, Runs

header = RunHeader(
    run_id="20261121T020000Z-0a0b0c", started_at=datetime(2026, 11, 21, 2, 0, tzinfo=UTC),
    config_hash="", identity={}, snapshots={},
)
with Runs(Path(sys.argv[1])).locked([sys.argv[2]], lambda: header):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(state: Path, tenant: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a partner's lock in another process while the block runs."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state), tenant],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.stdin.close()
            process.wait()


def test_a_second_full_run_is_refused_and_the_lock_holder_named(runs: Runs, tmp_path: Path) -> None:
    """P14."""
    header = begin_run(runs, entropy="1")
    with held_by_another(tmp_path / "state", TENANTS[1]) as holder:
        with pytest.raises(Locked) as refusal, runs.locked(TENANTS, lambda: header):
            pytest.fail("two processes hold one lock")
        assert refusal.value.exit_status == 75
        for part in (
            "run 20261121T020000Z-0a0b0c",
            f"pid {holder.pid}",
            f"host {os.uname().nodename}",
            "since 2026-11-21T02:00:00Z",
        ):
            assert part in refusal.value.message
        with runs.locked(TENANTS[:1], lambda: header):
            pass  # another partner's lock is free, and the refused attempt released it


def test_a_run_that_is_still_running_cannot_be_resumed(runs: Runs, tmp_path: Path) -> None:
    """P11: two processes would damage one journal, so a run for one customer has a lock too."""
    header = begin_run(runs)
    with held_by_another(tmp_path / "state", TENANTS[1]) as holder:
        with (
            pytest.raises(Locked, match=f"at work.*pid {holder.pid}"),
            runs.locked((), lambda: header),
        ):
            pytest.fail("two processes work on one run")
        with runs.locked((), lambda: begin_run(runs, entropy="1")):
            pass  # another run for one customer needs no lock of these


def test_a_killed_process_holds_no_lock(runs: Runs, tmp_path: Path) -> None:
    with held_by_another(tmp_path / "state", TENANTS[0]) as holder:
        holder.kill()
        holder.wait()
        with runs.locked(TENANTS, lambda: begin_run(runs)):
            pass


def test_a_lock_is_free_again_after_use(runs: Runs) -> None:
    header = begin_run(runs)
    for _ in range(2):
        with runs.locked(TENANTS, lambda: header):
            pass
