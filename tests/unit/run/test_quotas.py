"""Where the processes of one user keep the quota that they share."""

import asyncio
import sys
import tempfile
from pathlib import Path

import pytest

from auditor.errors import QuotaUnreachable, SettingsError
from auditor.partner_center.pacing import shared_quota
from auditor.run.quotas import quotas_of
from auditor.settings import Limits, Partner

TENANT = "aaaaaaaa-0000-0000-0000-000000000001"


def partner(shared: str, name: str = "contoso", tenant_id: str = TENANT) -> Partner:
    return Partner(name=name, tenant_id=tenant_id, countries=("DE",), limits=Limits(shared=shared))


def files_of(folder: Path, *partners: Partner, **environ: str) -> set[str]:
    """Take one call of each class for each partner; return the files that this leaves."""

    async def take(each: Partner) -> None:
        async with quotas_of(each, environ) as quotas:
            for quota in quotas.values():
                await quota.take()

    for each in partners:
        asyncio.run(take(each))
    return {path.name for path in folder.rglob("*.next")}


def test_partners_of_the_same_tenant_share_under_any_name(tmp_path: Path) -> None:
    home = str(tmp_path)
    first = files_of(tmp_path, partner("local"), HOME=home)

    assert len(first) == 3, "one for each API class"
    assert files_of(tmp_path, partner("local", name="other"), HOME=home) == first
    another = partner("local", tenant_id=TENANT.replace("1", "2"))
    assert len(files_of(tmp_path, another, HOME=home)) == 6


def test_the_state_folder_named_in_the_environment_comes_first(tmp_path: Path) -> None:
    state = tmp_path / "state"

    environ = {"XDG_STATE_HOME": str(state), "HOME": str(tmp_path / "home")}
    assert len(files_of(state, partner("local"), **environ)) == 3
    assert not (tmp_path / "home").exists()


def test_without_a_home_the_temporary_folder_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "file").touch()

    assert len(files_of(tmp_path, partner("local"), HOME=str(tmp_path / "file"))) == 3


def test_without_any_usable_folder_the_error_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(file))

    with pytest.raises(SettingsError, match="no folder can hold") as caught:
        files_of(tmp_path, partner("local"), HOME=str(file))
    assert 'shared = "none"' in caught.value.hint


def test_the_setting_none_shares_nothing(tmp_path: Path) -> None:
    assert files_of(tmp_path, partner("none"), HOME=str(tmp_path)) == set()


@pytest.mark.parametrize("url", ["postgresql://a:hunter2@127.0.0.1:9/x", "redis://127.0.0.1:9"])
def test_an_unreachable_database_is_named_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setattr(shared_quota, "GIVE_UP_S", 0.2)

    with pytest.raises(QuotaUnreachable) as caught:
        files_of(tmp_path, partner(url))

    assert caught.value.exit_status == 75
    assert "127.0.0.1:9" in caught.value.message
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("postgresql://127.0.0.1/x", "psycopg_pool", "shared-postgres"),
        ("redis://127.0.0.1", "redis", "shared-redis"),
    ],
)
def test_a_missing_driver_is_named_with_the_extra_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, module: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(SettingsError, match=f"{module} is not installed") as caught:
        files_of(tmp_path, partner(url))
    assert extra in caught.value.hint
