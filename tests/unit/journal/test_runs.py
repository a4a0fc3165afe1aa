"""Which run `--resume` goes on with, and who holds the lock of full runs."""

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


def begun(
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


def differently(**run: object) -> Settings:
    return msgspec.structs.replace(SETTINGS, run=msgspec.structs.replace(SETTINGS.run, **run))


# Ids ----------------------------------------------------------------------------------------


def test_run_and_snapshots_are_named_for_when_it_began(runs: Runs) -> None:
    header = begun(runs)
    assert header.run_id == "20261121T020000Z-0a0b0c"
    assert header.snapshots == {
        TENANTS[0]: "20261121T020000Z-0a0b0d",
        TENANTS[1]: "20261121T020000Z-0a0b0e",
    }


@pytest.mark.parametrize("entropy", ["ffffff", "fffffe", "0", "123456789abcdef"])
def test_ids_fit_their_grammar_and_differ_whatever_the_entropy(runs: Runs, entropy: str) -> None:
    header = begun(runs, entropy=entropy)
    names = [header.run_id, *header.snapshots.values()]
    assert len(set(names)) == 3
    for name in names:
        stamp, _, digits = name.partition("-")
        assert stamp == "20261121T020000Z"
        assert len(digits) == 6
        assert int(digits, 16) >= 0


# Resume -------------------------------------------------------------------------------------


def test_without_the_flag_a_new_run_starts(runs: Runs) -> None:
    begun(runs)
    assert resumed(runs, Narrow()) is None


def test_with_nothing_to_go_on_with_a_new_run_starts(runs: Runs) -> None:
    assert resumed(runs) is None


def test_the_newest_unfinished_run_goes_on(runs: Runs) -> None:
    begun(runs, 3)
    newest = begun(runs, 1)
    begun(runs, 2)
    assert resumed(runs) == newest.run_id


def test_a_finished_run_does_not_go_on_but_an_older_unfinished_one_does(runs: Runs) -> None:
    older = begun(runs, 2)
    runs.finish(begun(runs, 1))
    assert resumed(runs) == older.run_id


def test_a_run_older_than_the_maximum_does_not_go_on(runs: Runs) -> None:
    begun(runs, 12.01)
    assert resumed(runs) is None
    at_the_limit = begun(runs, 12)
    assert resumed(runs) == at_the_limit.run_id
    assert resumed(runs, settings=differently(resume_max_age_hours=1)) is None


@pytest.mark.parametrize(
    ("other", "narrow"),
    [
        (differently(batch_size=7), Narrow()),
        (SETTINGS, Narrow(customers=("11111111-0000-0000-0000-000000000001",))),
        (SETTINGS, Narrow(countries=("DE",))),
        (SETTINGS, Narrow(partners=("eu",))),
    ],
)
def test_a_run_of_another_configuration_or_other_flags_does_not_go_on(
    runs: Runs, other: Settings, narrow: Narrow
) -> None:
    begun(runs, settings=other, narrow=narrow)
    assert resumed(runs) is None


def test_what_does_not_change_the_questions_does_not_change_the_run(runs: Runs) -> None:
    header = begun(runs, settings=differently(keep_raw="all"))
    assert resumed(runs) == header.run_id


def test_a_folder_that_is_no_run_is_passed_over(runs: Runs) -> None:
    header = begun(runs, 1)
    broken = runs.folder(begun(runs).run_id) / "run.json"
    broken.write_text('{"run_id": ')
    (broken.parent.parent / "20261121T020000Z-ffffff").mkdir()
    assert resumed(runs) == header.run_id


def test_what_a_killed_writer_left_goes_whoever_s_run_it_was(runs: Runs) -> None:
    header = begun(runs)
    other = runs.folder(begun(runs, 1, entropy="1").run_id)
    for folder in (runs.folder(header.run_id), other):
        (folder / ".run.json.4711.new").write_text('{"run_id": ')
    assert resumed(runs) == header.run_id
    runs.prune(NOW, 12)
    assert [path.name for path in other.parent.rglob("*") if path.is_file()] == ["run.json"] * 2


def test_what_never_became_a_run_goes_after_a_fortnight(runs: Runs) -> None:
    """It was killed after it had taken its lock, and before it was written down."""
    kept = begun(runs, 24 * 15)
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


def test_what_finished_runs_left_goes_after_a_fortnight(runs: Runs) -> None:
    """S18: the replies hold what customers have."""
    ages = {13.9: True, 14.1: True, 14.2: False}  # days, and whether it is finished
    headers = {}
    for days, is_finished in ages.items():
        headers[days] = begun(runs, 24 * days)
        if is_finished:
            runs.finish(headers[days])

    runs.prune(NOW, 24 * 15)
    assert all(runs.folder(header.run_id).exists() for header in headers.values())
    runs.prune(NOW, 12)
    left = [days for days, header in headers.items() if runs.folder(header.run_id).exists()]
    assert left == [13.9, 14.2]


# A named run --------------------------------------------------------------------------------


def test_a_named_run_goes_on_however_old_it_is(runs: Runs) -> None:
    header = begun(runs, 500)
    begun(runs, 1)
    assert resumed(runs, Narrow(resume=header.run_id)) == header.run_id


def test_a_named_run_that_is_unknown_says_so(runs: Runs) -> None:
    begun(runs)
    with pytest.raises(InputMissing, match="no run 20200101T000000Z-000000") as refusal:
        resumed(runs, Narrow(resume="20200101T000000Z-000000"))
    assert (refusal.value.exit_status, refusal.value.error_code) == (66, "E_RUN_UNKNOWN")


@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "%2e%2e", "x" * 300, "\0"])
def test_a_name_is_never_a_path(runs: Runs, name: str) -> None:
    """S9."""
    begun(runs)
    with pytest.raises(InputMissing):
        resumed(runs, Narrow(resume=name))


def test_a_named_run_of_another_configuration_says_what_differs(runs: Runs) -> None:
    other = msgspec.structs.replace(
        differently(batch_size=7),
        partner=(msgspec.structs.replace(SETTINGS.partner[0], limits=Limits(catalog=1)),),
    )
    header = begun(runs, settings=other, narrow=Narrow(countries=("DE",)))
    with pytest.raises(ScopeError) as refusal:
        resumed(runs, Narrow(resume=header.run_id))
    assert (refusal.value.exit_status, refusal.value.error_code) == (65, "E_RUN_CONFIG")
    for key in ("run.batch_size", "--country", "limits.catalog"):
        assert key in refusal.value.message


def test_a_named_run_that_is_finished_is_found_finished(runs: Runs) -> None:
    header = begun(runs)
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


def test_where_state_cannot_be_written_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "state").touch()
    with pytest.raises(StoreUnwritable, match="state_dir"):
        begun(Runs(tmp_path / "state"))


def test_what_a_run_is_survives_a_power_loss(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P11, fault 5: the names of its folder and file are synced, not only what is in the file."""
    synced: list[Path] = []
    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())
        real_fsync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    folder = runs.folder(begun(runs).run_id)
    temporary_name = atomic_file.temporary_name(folder / "run.json").name
    assert synced == [folder / temporary_name, folder, tmp_path / "state/runs"]


@pytest.mark.parametrize("umask", [0o022, 0o000])
def test_nobody_else_can_look_into_it(tmp_path: Path, umask: int) -> None:
    """S12: whatever the caller's umask, for the library sets none."""
    before = os.umask(umask)
    try:
        runs = Runs(tmp_path / "far" / "state")
        header = begun(runs)
        with runs.locked(TENANTS, header):
            runs.finish(header)
    finally:
        os.umask(before)
    below = list((tmp_path / "far").rglob("*"))
    assert len(below) == 8
    assert [path for path in below if path.stat().st_mode & 0o077] == []


@pytest.mark.parametrize("place", ["locks", f"locks/{TENANTS[0]}.lock", "runs"])
def test_no_planted_link_is_followed(tmp_path: Path, place: str) -> None:
    """S12: neither to a file, which would be cut, nor to a folder, which others could read."""
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
    with pytest.raises(StoreUnwritable, match="state_dir"), runs.locked(TENANTS, header):
        runs.save(header)
    assert list(victim.iterdir()) == [] if victim.is_dir() else victim.read_text() == "precious"


def test_a_run_that_calls_itself_something_else_is_none(runs: Runs, tmp_path: Path) -> None:
    """S9: what a file says of itself is no path."""
    header = begun(runs)
    path = runs.folder(header.run_id) / "run.json"
    lying = msgspec.structs.replace(header, run_id="../../precious")
    path.write_bytes(msgspec.json.encode(lying))
    assert resumed(runs) is None
    with pytest.raises(InputMissing):
        resumed(runs, Narrow(resume="../../precious"))
    assert not (tmp_path / "precious").exists()


# The lock -----------------------------------------------------------------------------------

HOLD = """
import sys
from datetime import datetime, UTC
from pathlib import Path
from auditor.journal.runs import RunHeader, Runs

header = RunHeader(
    run_id="20261121T020000Z-0a0b0c", started_at=datetime(2026, 11, 21, 2, 0, tzinfo=UTC),
    config_hash="", identity={}, snapshots={},
)
with Runs(Path(sys.argv[1])).locked([sys.argv[2]], header):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(state: Path, tenant: str) -> Iterator[subprocess.Popen[str]]:
    """Hold a partner's lock in another process, for as long as the block runs."""
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


def test_a_second_full_run_is_told_who_holds_the_lock(runs: Runs, tmp_path: Path) -> None:
    """P14."""
    header = begun(runs, entropy="1")
    with held_by_another(tmp_path / "state", TENANTS[1]) as holder:
        with pytest.raises(Locked) as refusal, runs.locked(TENANTS, header):
            pytest.fail("two hold one lock")
        assert refusal.value.exit_status == 75
        for part in (
            "run 20261121T020000Z-0a0b0c",
            f"pid {holder.pid}",
            f"host {os.uname().nodename}",
            "since 2026-11-21T02:00:00Z",
        ):
            assert part in refusal.value.message
        with runs.locked(TENANTS[:1], header):
            pass  # another partner is free, and the refusal above let go of it


def test_nobody_resumes_a_run_that_is_at_work(runs: Runs, tmp_path: Path) -> None:
    """P11: two processes that write one journal spoil it, so one for a customer has a lock too."""
    header = begun(runs)
    with held_by_another(tmp_path / "state", TENANTS[1]) as holder:
        with pytest.raises(Locked, match=f"at work.*pid {holder.pid}"), runs.locked((), header):
            pytest.fail("two are at work on one run")
        with runs.locked((), begun(runs, entropy="1")):
            pass  # another run for a customer waits for nobody


def test_a_killed_holder_holds_nothing(runs: Runs, tmp_path: Path) -> None:
    with held_by_another(tmp_path / "state", TENANTS[0]) as holder:
        holder.kill()
        holder.wait()
        with runs.locked(TENANTS, begun(runs)):
            pass


def test_a_lock_is_free_again_after_use(runs: Runs) -> None:
    header = begun(runs)
    for _ in range(2):
        with runs.locked(TENANTS, header):
            pass
