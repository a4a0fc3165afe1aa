"""One quota for processes on several machines: a pyrate-limiter bucket in Postgres or Redis.

The library and the drivers are the extras `shared-postgres` and `shared-redis`: they are imported
only where they are used.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from auditor.database_url import PostgresUrl, RedisUrl, Unreadable, read
from auditor.partner_center.pacing.local_quota import LATE_S
from auditor.partner_center.pacing.rates import MINUTE_S

if TYPE_CHECKING:
    from pyrate_limiter import AbstractBucket

SLICE_S = 1.0
"""Longer than on one machine, because each slice costs a round trip."""
WINDOW_S = MINUTE_S + SLICE_S + LATE_S
"""A permit may be used one slice after the database counted it; still no minute holds too many."""
GIVE_UP_S = 5.0
"""Timeout of the database."""
LEAST_WAIT_S = 0.05
ALONE_S = 15.0
"""How long a process that lost the database keeps its share by itself before it asks again."""
TABLE = "auditor_quota"
_OPTIONS = "spell the options after ? as redis-py does, as in ?socket_connect_timeout=5"


class DatabaseUnreachable(Exception):
    """The database that holds the quota cannot be opened."""


class BucketQuota:
    """A quota of all processes that use the same database.

    If the database fails later, the process goes on with its share of the limit, so that the
    night's run is not lost and all processes together still keep the limit.
    """

    def __init__(
        self,
        url: str,
        name: str,
        per_minute: float,
        *,
        processes: int = 1,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`name` names the quota in the database; `processes` use it at the same time.

        Raises:
            ImportError: the extra that holds the driver is not installed.
            Unreadable: the URL cannot be used.
        """
        self._name = f"{TABLE}_{hashlib.sha256(name.encode()).hexdigest()[:20]}"
        self._url = read(url)
        match self._url:
            case PostgresUrl():
                self._opened, self._faults = _postgres(self._url)
            case RedisUrl():
                self._opened, self._faults = _redis(self._url)
        self._per_minute = max(1, int(per_minute))
        self._calls = max(1, int(per_minute * SLICE_S / MINUTE_S))
        self._clock = clock
        self._sleep = sleep
        self._bucket: AbstractBucket | None = None
        self._close: Callable[[], None] = lambda: None
        self._left = 0
        self._good_until = 0.0
        self._swept_at = clock()
        self._alone_every_s = processes * MINUTE_S / per_minute
        """The time between two calls while the database is lost."""
        self._alone_until = 0.0
        self._alone_next = 0.0

    async def open(self) -> None:
        """Connect.

        Raises:
            DatabaseUnreachable: the database does not answer.
            Unreadable: the driver does not know an option of the URL.
        """
        try:
            await asyncio.to_thread(self._begin)
        except self._faults as exc:
            # `from None`: the driver's error may hold a password, and a traceback would show it
            raise DatabaseUnreachable(self._text_of(exc)) from None

    def _text_of(self, error: Exception) -> str:
        if isinstance(self._url, RedisUrl):
            return type(error).__name__  # its text may hold a password
        return self._url.hide((str(error).splitlines() or [type(error).__name__])[0])

    async def close(self) -> None:
        """Disconnect."""
        await asyncio.to_thread(self._close)

    async def take(self) -> None:
        """Wait until one more call may start."""
        while not self._left or self._clock() > self._good_until:
            if self._clock() < self._alone_until:
                await self._wait_alone()
                return
            sent_at = self._clock()
            try:
                wait_s = await asyncio.to_thread(self._ask)
            except self._faults:
                self._alone_until = self._clock() + ALONE_S
                continue
            if wait_s:
                await self._sleep(wait_s)
            else:
                self._left = self._calls
                self._good_until = max(sent_at, self._clock() - LATE_S) + SLICE_S + LATE_S
        self._left -= 1

    async def _wait_alone(self) -> None:
        """Wait for this process's share of the limit, as long as the database is lost."""
        now = self._clock()
        starts_at = max(now, self._alone_next)
        self._alone_next = starts_at + self._alone_every_s
        if starts_at > now:
            await self._sleep(starts_at - now)

    def _begin(self) -> None:
        from pyrate_limiter import Rate  # noqa: PLC0415 - an extra

        rates = [Rate(self._per_minute, round(1000 * WINDOW_S))]
        self._bucket, self._close = self._opened(rates, self._name)

    def _ask(self) -> float:
        """Take a slice and return 0, or return the seconds until there is one."""
        from pyrate_limiter import RateItem  # noqa: PLC0415 - an extra

        # Any: the library types asynchronous and synchronous buckets as one.
        bucket: Any = self._bucket
        now = bucket.now()
        if self._clock() - self._swept_at > MINUTE_S:
            self._swept_at = self._clock()
            bucket.leak(now)
        item = RateItem("calls", now, weight=self._calls)
        return 0.0 if bucket.put(item) else max(LEAST_WAIT_S, bucket.waiting(item) / 1000)


# Any: the rates are of a type of the library, which is an extra.
Opened = Callable[[Any, str], tuple["AbstractBucket", Callable[[], None]]]
StoreErrors = tuple[type[Exception], ...]


def _postgres(url: PostgresUrl) -> tuple[Opened, StoreErrors]:
    import psycopg  # noqa: PLC0415 - an extra
    from psycopg_pool import ConnectionPool, PoolTimeout  # noqa: PLC0415 - likewise
    from pyrate_limiter import PostgresBucket  # noqa: PLC0415 - likewise

    logging.getLogger("psycopg.pool").addHandler(
        logging.NullHandler()
    )  # keeps its warnings off stderr

    def opened(rates: Any, name: str) -> tuple["AbstractBucket", Callable[[], None]]:
        conninfo = url.conninfo({"connect_timeout": str(max(1, round(GIVE_UP_S)))})
        psycopg.connect(conninfo).close()  # its error gives the reason; a pool's does not
        pool = ConnectionPool(conninfo, min_size=1, max_size=1, open=True, timeout=GIVE_UP_S)
        try:
            return PostgresBucket(pool, name, rates), pool.close
        except BaseException:
            pool.close()
            raise

    return opened, (psycopg.Error, PoolTimeout)


def _redis(url: RedisUrl) -> tuple[Opened, StoreErrors]:
    import redis  # noqa: PLC0415 - an extra
    from pyrate_limiter import RedisBucket  # noqa: PLC0415 - likewise

    def opened(rates: Any, name: str) -> tuple["AbstractBucket", Callable[[], None]]:
        try:
            client = redis.Redis.from_url(
                url.without_credentials, **url.credentials, socket_timeout=GIVE_UP_S
            )
            pool = client.connection_pool
            pool.connection_class(**pool.connection_kwargs)  # checks the options; does not connect
        except (TypeError, ValueError):  # the text may quote the URL
            raise Unreadable("has an option that redis-py does not know", _OPTIONS) from None
        try:
            bucket: AbstractBucket = RedisBucket.init(rates, client, name)
        except BaseException:
            client.close()
            raise
        return bucket, client.close

    return opened, (redis.RedisError,)
