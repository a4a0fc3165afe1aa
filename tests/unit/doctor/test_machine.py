"""The findings of the doctor about folders, and which fault decides its exit status."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from auditor.doctor import Finding, State, as_rows, exit_status
from auditor.doctor.machine import examine, moved
from auditor.errors import ScopeError, SettingsError, Unauthorized, Unreachable
from auditor.settings import Partner, Settings
from auditor.store import open_store

DISK = "/dev/sda1 / ext4 rw 0 0\n"


def settings(folder: Path) -> Settings:
    return Settings(store=str(folder / "lake"), state_dir=folder / "state")


def messages(findings: list[Finding], check: str) -> list[tuple[State, str]]:
    return [(each.state, each.message) for each in findings if each.check == check]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder that the system does not clean up."""
    monkeypatch.setattr("auditor.doctor.machine._CLEANED", ())
    return tmp_path


def test_folders_on_a_disk_are_ok_and_no_file_is_left(home: Path) -> None:
    found = examine(settings(home), DISK)

    assert {each.state for each in found} == {State.OK}
    assert "is not there: the first run makes it" in found[0].message
    assert list(home.iterdir()) == []


def test_an_existing_store_is_opened(home: Path) -> None:
    open_store(str(home / "lake"), create=True)
    assert "opens: 0 snapshot(s)" in examine(settings(home), DISK)[0].message


def test_nobody_has_moved_to_another_inventory_api_before_the_first_run(home: Path) -> None:
    tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
    partner = Partner(name="contoso", tenant_id=tenant_id, countries=("DE",))
    configured = msgspec.structs.replace(settings(home), partner=(partner,))
    assert moved(configured) == []
    open_store(str(home / "lake"), create=True)
    assert moved(configured) == []


def test_a_store_that_cannot_be_opened_is_a_fault(home: Path) -> None:
    open_store(str(home / "lake"), create=True)
    (home / "lake" / "store.json").write_text("{}")
    found = examine(settings(home), DISK)
    assert (found[0].state, found[0].exit_status) == (State.FAULT, 65)
    assert len(found) == 5


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        ("tmpfs {} tmpfs rw 0 0", "in memory (tmpfs)"),
        ("ramfs {} ramfs rw 0 0", "in memory (ramfs)"),
        ("overlay {} overlay rw 0 0", "in the container's own layer"),
    ],
)
def test_a_folder_that_does_not_last_is_a_warning(home: Path, mount: str, message: str) -> None:
    found = examine(settings(home), DISK + mount.format(home) + "\n")
    for check in ("store", "state_dir"):
        ((state, found_message),) = [each for each in messages(found, check) if message in each[1]]
        assert state is State.WARNING
        assert "would be lost with it" in found_message
    assert exit_status(found) == 0


def test_a_volume_inside_a_container_is_ok(home: Path) -> None:
    odd = home / "a b"
    (odd / "state").mkdir(parents=True)
    place = str(odd).replace(" ", "\\040")
    mounts = f"overlay / overlay rw 0 0\n/dev/sdb {place} xfs rw 0 0\n"
    found = examine(settings(odd), mounts)
    assert {each.state for each in found} == {State.OK}
    assert "(xfs)" in found[-1].message


def test_a_folder_that_the_system_cleans_up_is_a_warning() -> None:
    found = examine(settings(Path("/tmp/auditor")), DISK)  # noqa: S108 - the test is about this
    assert "cleans from time to time" in found[-1].message


def test_a_folder_that_cannot_be_created_is_a_fault(home: Path) -> None:
    (home / "file").write_text("")
    found = examine(settings(home / "file"), DISK)
    assert [each.exit_status for each in found if each.state is State.FAULT] == [73, 73]


@pytest.mark.parametrize(
    ("free", "state", "status"),
    [(3 << 30, State.OK, 0), (1 << 30, State.WARNING, 0), (1 << 20, State.FAULT, 74)],
)
def test_a_nearly_full_disk_is_reported(
    home: Path, monkeypatch: pytest.MonkeyPatch, free: int, state: State, status: int
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    found = examine(settings(home), DISK)
    assert [each.state for each in found if "GiB free" in each.message] == [state, state]
    assert exit_status(found) == status


def test_a_fault_that_no_retry_can_fix_decides_the_exit_status() -> None:
    unreachable = Finding.fault("reach", Unreachable("x"))
    refused = Finding.fault("credential", Unauthorized("x"))
    wrong = Finding.fault("secret", SettingsError("x"))
    empty = Finding.fault("customers", ScopeError("x"))
    well = Finding(check="store", message="x")

    assert exit_status([well]) == 0
    assert exit_status([well, unreachable]) == 69
    assert exit_status([unreachable, empty]) == 65
    assert exit_status([unreachable, refused, well]) == 77
    assert exit_status([unreachable, refused, wrong]) == 78


def test_rows_hold_only_text() -> None:
    rows = as_rows([Finding(check="store", message="x")]).to_pylist()
    assert rows == [{"check": "store", "partner": "", "state": "ok", "said": "x", "mend": ""}]
