"""A new refresh token is stored before the access token is used; concurrent sign-ins take turns."""

import asyncio
import fcntl
import os
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from auditor import atomic_file
from auditor.errors import (
    AuditorError,
    Locked,
    SettingsError,
    StoreFailed,
    StoreUnwritable,
    Unauthorized,
)
from auditor.login.refresh_token import renewable_file
from auditor.secret import Secret
from auditor.settings import AuthKind
from tests.builders.entra import REFRESH, Authority, Entra, Refused, running
from tests.builders.signing import keep, login, partner

USER = partner(AuthKind.APP_USER, client_secret="env:S", refresh_token="file:refresh")


@pytest_asyncio.fixture
async def entra(tmp_path: Path) -> AsyncIterator[Entra]:
    async with running(Entra(), Authority(tmp_path).context()) as server:
        yield server


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.asyncio
async def test_the_newer_token_replaces_the_used_one(entra: Entra, tmp_path: Path) -> None:
    """P22: the server refuses a token that was used before."""
    file = keep(tmp_path)
    signing = login(USER, tmp_path, entra.base_url)

    for count in (1, 2, 3):
        assert (await signing.fetch()).token.reveal() == f"canary-access-{count}"
        assert file.read_text() == f"{entra.refresh_token}\n"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["ca.pem", "refresh"]


@pytest.mark.asyncio
async def test_the_refresh_token_is_on_disk_before_the_access_token_is_used(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Row 19: content synced, file renamed, folder synced; only then the token is returned."""
    keep(tmp_path)
    done: list[str] = []
    sync, replace = os.fsync, Path.replace

    def synced(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        done.append(f"fsync {kind}")
        sync(handle)

    def replaced(self: Path, target: Path) -> Path:
        done.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", replaced)
    await login(USER, tmp_path, entra.base_url).fetch()

    assert done == ["fsync file", "fsync file", "rename", "fsync folder"]


@pytest.mark.asyncio
async def test_a_link_stays_a_link(entra: Entra, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    real = keep(tmp_path / "elsewhere")
    (tmp_path / "refresh").symlink_to(real)

    await login(USER, tmp_path, entra.base_url).fetch()

    assert (tmp_path / "refresh").is_symlink()
    assert real.read_text() == f"{entra.refresh_token}\n"


@pytest.mark.asyncio
async def test_a_reply_without_a_newer_token_keeps_the_file(entra: Entra, tmp_path: Path) -> None:
    file = keep(tmp_path)
    before = file.stat()
    entra.replies = [web.json_response({"access_token": "a", "expires_in": 9})]
    await login(USER, tmp_path, entra.base_url).fetch()
    assert os.path.samestat(file.stat(), before)
    assert file.read_text() == REFRESH


@pytest.mark.asyncio
async def test_a_refusal_keeps_the_file(entra: Entra, tmp_path: Path) -> None:
    file = keep(tmp_path)
    entra.replies = [Refused(400, "invalid_grant", 700082)]
    with pytest.raises(Unauthorized, match="AADSTS700082: the refresh token has expired"):
        await login(USER, tmp_path, entra.base_url).fetch()
    assert file.read_text() == REFRESH
    assert names(tmp_path) == ["ca.pem", "refresh"]


@pytest.mark.asyncio
async def test_concurrent_sign_ins_lose_no_rotation(entra: Entra, tmp_path: Path) -> None:
    """Each sign-in waits for the one before, and reads the token that it stored."""
    file = keep(tmp_path)
    logins = [login(USER, tmp_path, entra.base_url) for _ in range(6)]

    grants = await asyncio.gather(*(each.fetch() for each in logins))

    assert len({grant.token.reveal() for grant in grants}) == 6
    assert file.read_text() == f"{entra.refresh_token}\n"


SIGN_IN = """
import asyncio, sys
from pathlib import Path
sys.path[:0] = sys.argv[3:]
from tests.builders.entra import SECRET
from tests.builders.signing import login, partner
from auditor.settings import AuthKind
user = partner(AuthKind.APP_USER, client_secret="env:S", refresh_token="file:refresh")
for _ in range(3):
    asyncio.run(login(user, Path(sys.argv[1]), sys.argv[2]).fetch())
"""


async def signing_in(folder: Path, base_url: str) -> asyncio.subprocess.Process:
    project = str(Path(__file__).parents[3])
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", SIGN_IN, str(folder), base_url, project, stderr=subprocess.PIPE
    )


@pytest.mark.asyncio
async def test_several_processes_lose_no_rotation(entra: Entra, tmp_path: Path) -> None:
    """Row 19."""
    keep(tmp_path)
    processes = [await signing_in(tmp_path, entra.base_url) for _ in range(3)]

    ended = [(await each.communicate())[1] for each in processes]

    assert ended == [b"", b"", b""]
    assert entra.asked["refresh_token"] == 9
    assert (tmp_path / "refresh").read_text() == f"{entra.refresh_token}\n"


@pytest.mark.asyncio
async def test_a_process_killed_while_asking_frees_the_token(entra: Entra, tmp_path: Path) -> None:
    """Row 19: its temporary file is used again, and the token is still unused."""
    keep(tmp_path)
    held = asyncio.Event()
    entra.replies = [held]
    process = await signing_in(tmp_path, entra.base_url)
    while not entra.asked["refresh_token"]:  # noqa: ASYNC110 - the server only counts
        await asyncio.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert f".refresh.{process.pid}.new" in names(tmp_path)

    assert await login(USER, tmp_path, entra.base_url).fetch()

    held.set()
    assert names(tmp_path) == ["ca.pem", "refresh"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
@pytest.mark.asyncio
async def test_the_file_keeps_its_owner(entra: Entra, tmp_path: Path) -> None:
    file = keep(tmp_path)
    os.chown(file, 1234, 1235)
    await login(USER, tmp_path, entra.base_url).fetch()
    assert (file.stat().st_uid, file.stat().st_gid) == (1234, 1235)


@pytest.mark.asyncio
async def test_the_token_is_not_used_if_its_successor_cannot_be_stored(
    entra: Entra, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P30: exit status 73 or 74, before any request."""
    keep(tmp_path)
    atomic_file.temporary_name(tmp_path / "refresh").mkdir()
    await check_is_unspent(entra, tmp_path, StoreUnwritable, 73)
    atomic_file.temporary_name(tmp_path / "refresh").rmdir()

    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "pwrite", full)
    await check_is_unspent(entra, tmp_path, StoreFailed, 74)


async def check_is_unspent(
    entra: Entra, folder: Path, error: type[AuditorError], status: int
) -> None:
    with pytest.raises(error, match="cannot be written") as caught:
        await login(USER, folder, entra.base_url).fetch()
    assert caught.value.exit_status == status
    assert (folder / "refresh").read_text() == REFRESH
    assert not entra.asked


@pytest.mark.asyncio
async def test_a_file_that_others_can_read_is_refused(entra: Entra, tmp_path: Path) -> None:
    """S12."""
    keep(tmp_path).chmod(0o644)
    with pytest.raises(SettingsError) as caught:
        await login(USER, tmp_path, entra.base_url).fetch()
    assert caught.value.error_code == "E_SECRET_MODE"
    assert not entra.asked


def test_the_wait_for_another_holder_is_bounded(tmp_path: Path) -> None:
    file = keep(tmp_path)
    now = iter([0.0, 60.0, 121.0])
    pauses: list[float] = []
    with (
        renewable_file(file),
        pytest.raises(Locked, match="another process holds"),
        renewable_file(file, clock=lambda: next(now), pause=pauses.append),
    ):
        pass
    assert len(pauses) == 1


def test_a_file_that_was_replaced_meanwhile_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is on the open file; meanwhile its path may name another file."""
    file = keep(tmp_path)
    lock = fcntl.flock

    def replaced_before(handle: int, how: int) -> None:
        monkeypatch.undo()
        keep(tmp_path, "0.newer", "other").replace(file)
        lock(handle, how)

    monkeypatch.setattr(fcntl, "flock", replaced_before)
    with renewable_file(file, pause=lambda _: None) as held:
        assert held.secret.reveal() == "0.newer"


def test_the_temporary_file_of_the_next_holder_is_left_alone(tmp_path: Path) -> None:
    file = keep(tmp_path)
    with ExitStack() as next_one:
        with renewable_file(file) as held:
            held.replace(Secret("0.newer"))
            other = next_one.enter_context(renewable_file(file))
        other.replace(Secret("0.newest"))
    assert file.read_text() == "0.newest\n"
