"""Where the processes of one user find each other's quota."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from auditor.errors import SettingsError
from auditor.settings import Limits, Partner
from auditor.sharing import quotas_of

TENANT = "aaaaaaaa-0000-0000-0000-000000000001"


def partner(shared: str, name: str = "contoso", tenant_id: str = TENANT) -> Partner:
    return Partner(name=name, tenant_id=tenant_id, countries=("DE",), limits=Limits(shared=shared))


def files_of(folder: Path, *partners: Partner, **environ: str) -> set[str]:
    """Return the files that taking one call of each class leaves."""
    for each in partners:
        for quota in quotas_of(each, environ).values():
            asyncio.run(quota.take())
    return {path.name for path in folder.rglob("*.next")}


def test_the_same_tenant_shares_whatever_its_configuration_calls_it(tmp_path: Path) -> None:
    home = str(tmp_path)
    first = files_of(tmp_path, partner("local"), HOME=home)

    assert len(first) == 3, "one for each API class"
    assert files_of(tmp_path, partner("local", name="other"), HOME=home) == first
    another = partner("local", tenant_id=TENANT.replace("1", "2"))
    assert len(files_of(tmp_path, another, HOME=home)) == 6


def test_the_state_folder_of_the_environment_comes_first(tmp_path: Path) -> None:
    state = tmp_path / "state"

    environ = {"XDG_STATE_HOME": str(state), "HOME": str(tmp_path / "home")}
    assert len(files_of(state, partner("local"), **environ)) == 3
    assert not (tmp_path / "home").exists()


def test_without_a_home_a_folder_for_passing_things_will_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()

    assert len(files_of(tmp_path, partner("local"), HOME=str(tmp_path / "file"))) == 3


def test_no_place_at_all_is_said_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(file))

    with pytest.raises(SettingsError, match="no place to share") as caught:
        quotas_of(partner("local"), {"HOME": str(file)})
    assert 'shared = "none"' in caught.value.hint


def test_none_shares_nothing() -> None:
    assert quotas_of(partner("none"), {}) == {}
