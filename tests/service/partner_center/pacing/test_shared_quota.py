"""A quota that several machines share, in a real Postgres and a real Redis."""

import asyncio
import shutil
import subprocess
import traceback
import urllib.parse
from collections import deque
from collections.abc import Callable, Iterator

import pytest

from auditor.database_url import Unreadable
from auditor.partner_center.pacing.shared_quota import (
    ALONE_S,
    WINDOW_S,
    BucketQuota,
    DatabaseUnreachable,
)
from tests.builders.throwaway import free_port

PER_MINUTE = 120


@pytest.fixture
def postgres(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def redis() -> Iterator[str]:
    if not shutil.which("redis-server"):
        pytest.skip("no Redis server is installed")
    port = free_port()
    command = f"redis-server --port {port} --bind 127.0.0.1 --save --appendonly no"
    with subprocess.Popen(command.split(), stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        for line in server.stdout:
            if "Ready to accept connections" in line:
                break
        try:
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.terminate()


@pytest.fixture(params=["postgres", "redis"])
def database(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(request.param)
    return url


class Waits:
    """Records the wait that was asked for, and cancels the caller instead of sleeping."""

    def __init__(self) -> None:
        self.asked: deque[float] = deque()

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        raise asyncio.CancelledError


async def drain(quota: BucketQuota) -> int:
    """Take calls until there are none left, and return how many there were."""
    taken = 0
    try:
        while True:
            await quota.take()
            taken += 1
    except asyncio.CancelledError:
        return taken


@pytest.mark.asyncio
async def test_processes_share_a_minutes_quota(database: str) -> None:
    """P17: all processes together get as many calls as one process alone."""
    waits = Waits()
    quotas = [BucketQuota(database, "shared", PER_MINUTE, sleep=waits) for _ in range(3)]
    for quota in quotas:
        await quota.open()
    try:
        for quota in quotas:
            for _ in range(10):
                await quota.take()
        rest = [await drain(quota) for quota in quotas]
    finally:
        for quota in quotas:
            await quota.close()

    assert 30 + sum(rest) == PER_MINUTE
    assert all(0 < wait <= WINDOW_S for wait in waits.asked)


@pytest.mark.asyncio
async def test_quotas_of_different_names_are_separate_and_a_restart_resets_none(
    database: str,
) -> None:
    """P17."""
    for name, expected in (("one", PER_MINUTE), ("one", 0), ("two", PER_MINUTE)):
        quota = BucketQuota(database, name, PER_MINUTE, sleep=Waits())
        await quota.open()
        assert await drain(quota) == expected
        await quota.close()


@pytest.mark.asyncio
async def test_a_missing_database_is_reported_at_the_start() -> None:
    port = free_port()
    with pytest.raises(DatabaseUnreachable):
        await BucketQuota(f"redis://127.0.0.1:{port}", "x", PER_MINUTE).open()


@pytest.mark.asyncio
@pytest.mark.parametrize("password", ["ab+cd/ef=", "%2Bpercent", "a@b:c/d?e#f&g", "it's \\ 中"])
async def test_a_user_and_a_password_of_redis_are_decoded_once(password: str, redis: str) -> None:
    """S1: they may be in the authority or the query of the URL; no error shows them."""
    commands = [
        ["acl", "setuser", "ni+ght@", "reset", "on", f">{password}", "~*", "&*", "+@all"],
        ["config", "set", "requirepass", "another"],
    ]
    for words in commands:
        command = ["redis-cli", "-u", redis, *words]
        await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    user, secret = urllib.parse.quote("ni+ght@", safe=""), urllib.parse.quote(password, safe="")
    for url in (
        redis.replace("redis://", f"redis://{user}:{secret}@"),
        f"{redis}?username={user}&password={secret}",
    ):
        quota = BucketQuota(url, password, PER_MINUTE, sleep=Waits())
        await quota.open()
        await quota.take()
        await quota.close()
        with pytest.raises(DatabaseUnreachable) as caught:
            await BucketQuota(f"{url}x" if "?" in url else url.replace("@", "x@"), "x", 1).open()
        shown = "".join(traceback.format_exception(caught.value))
        assert password not in shown
        assert secret not in shown


@pytest.mark.asyncio
@pytest.mark.parametrize("option", ["hunter2pass=1", "socket_timeout=hunter2pass"])
async def test_an_option_that_redis_does_not_know_is_not_repeated(option: str) -> None:
    with pytest.raises(Unreadable) as caught:
        await BucketQuota(f"redis://127.0.0.1:{free_port()}/0?{option}", "x", 1).open()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value)) + caught.value.hint


class VirtualTime:
    """A clock that only waiting advances."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.asyncio
@pytest.mark.parametrize("processes", [1, 4])
async def test_each_process_keeps_its_share_when_the_database_is_gone(
    redis: str, processes: int
) -> None:
    """P17: all together then start no more calls than one alone may."""
    limit = 6000
    time = VirtualTime()
    quota = BucketQuota(redis, "gone", limit, processes=processes, clock=time, sleep=time.sleep)
    await quota.open()
    await quota.take()
    shut = ["redis-cli", "-u", redis, "shutdown", "nosave"]
    await asyncio.to_thread(subprocess.run, shut, check=True)
    time.now = 100.0

    taken = 0
    while time.now < 160.0:
        await quota.take()
        taken += 1

    await quota.close()
    assert taken == pytest.approx(limit / processes, rel=0.01)


@pytest.mark.asyncio
async def test_a_database_that_is_back_counts_again(redis: str) -> None:
    """P17."""
    time = VirtualTime()
    quota = BucketQuota(redis, "back", PER_MINUTE, clock=time, sleep=time.sleep)
    await quota.open()
    pause = ["redis-cli", "-u", redis, "config", "set", "requirepass", "x"]
    await asyncio.to_thread(subprocess.run, pause, check=True, capture_output=True)
    kill = ["redis-cli", "-u", redis.replace("//", "//:x@"), "client", "kill", "type", "normal"]
    await asyncio.to_thread(subprocess.run, kill, check=True, capture_output=True)
    await quota.take()
    unset = ["redis-cli", "-u", redis.replace("//", "//:x@"), "config", "set", "requirepass", ""]
    await asyncio.to_thread(subprocess.run, unset, check=True, capture_output=True)
    time.now += 2 * ALONE_S
    await quota.take()
    await quota.close()
    keys = ["redis-cli", "-u", redis, "keys", "auditor_quota_*"]
    found = await asyncio.to_thread(subprocess.run, keys, check=True, capture_output=True)
    assert found.stdout.strip()


@pytest.mark.asyncio
async def test_calls_that_count_no_longer_are_deleted_once_a_minute(redis: str) -> None:
    """Otherwise old calls would fill a database that many processes share."""

    async def cli(*words: str) -> str:
        command = ["redis-cli", "-u", redis, *words]
        ran = await asyncio.to_thread(
            subprocess.run, command, check=True, capture_output=True, text=True
        )
        return ran.stdout.strip()

    now = [0.0]
    quota = BucketQuota(redis, "old", 6000, clock=lambda: now[0])
    await quota.open()
    await quota.take()
    key = await cli("keys", "auditor_quota_*")
    await cli("zadd", key, "1", "of long ago")
    left = []
    for now[0] in (60.0, 62.0):
        await quota.take()
        left.append(await cli("zscore", key, "of long ago"))
    await quota.close()

    assert left == ["1", ""]
