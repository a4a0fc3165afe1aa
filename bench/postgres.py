"""Measures how fast nights go into PostgreSQL, compared with a copy of the same rows by psql.

Interleaved: in each round rows are copied, loaded and published as a first and a second night, and
the figures are ratios of medians. `python bench/postgres.py 20000000` also times a query
for one customer's inventory among that many keys.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv
from adbc_driver_postgresql import dbapi

sys.path[:0] = [str(Path(__file__).parents[1])]
from auditor.model import bucket_of
from auditor.store.conform import plain
from auditor.store.postgres import schema
from auditor.store.postgres.connection import Database
from auditor.store.postgres.store import PostgresStore
from auditor.store.postgres.tables import of_interval
from auditor.tables import SCHEMAS
from tests.builders.store_lake import P, cover, rows_table, snapshot_row
from tests.builders.throwaway import Server, binaries

ROUNDS = 3
KEYS = 1_000_000
SKUS = 500
"""SKUs of a customer, in ten products."""
CHANGED = 0.001
BEGAN = datetime(2026, 11, 1, 2, tzinfo=UTC)


def inventory(customers: list[str], night: int) -> pa.Table:
    """Return the rows of some customers on a night."""
    count = len(customers) * SKUS
    which = np.arange(count)
    draw = np.random.default_rng(7)
    restricted = draw.random(count) < 0.1
    if night > 1:
        restricted ^= draw.random(count) < CHANGED
    sku = which % SKUS

    def text(values: list[str], codes: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Array:
        return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values))

    nothing = np.zeros(count, dtype=np.int64)
    at = BEGAN + timedelta(days=night)
    verdict = restricted.astype(np.int64)
    columns = {
        "snapshot_id": text([name(night)], nothing),
        "partner_tenant_id": text([P], nothing),
        "customer_id": text(customers, which // SKUS),
        "country": text(["DE"], nothing),
        "azure_subscription_id": text([f"5ab{c[3:]}" for c in customers], which // SKUS),
        "arm_region": text([""], nothing),
        "reservation_scope": text(["AzurePlan"], nothing),
        "product_id": text([f"DZH318Z0BQ{n:02}" for n in range(10)], sku // (SKUS // 10)),
        "sku_id": text([f"{n:04}" for n in range(SKUS)], sku),
        "verdict": text(["unrestricted", "restricted"], verdict),
        "reason_codes": text(["", "NotAvailableForSubscription"], verdict),
        "restriction_values": text(["", "japanwest;westeurope"], verdict),
        "region": text(["westeurope"], nothing),
        "checked_at": pa.array([at], pa.timestamp("us", "UTC")).take(pa.array(nothing)),
        "checked_snapshot_id": text([name(night)], nothing),
        "verdict_since_at": pa.array([BEGAN], pa.timestamp("us", "UTC")).take(pa.array(nothing)),
        "verdict_since_snapshot_id": text([name(1)], nothing),
    }
    empty = text([""], nothing)
    schema_of = SCHEMAS["inventory"]
    return pa.table([columns.get(n, empty) for n in schema_of.names], schema_of.names).cast(
        schema_of
    )


def name(night: int) -> str:
    return f"20261101T020000Z-{night:06}"


def customers_of(keys: int) -> list[str]:
    numbers = range(keys // SKUS)
    return sorted(f"{n * 2654435761 % 2**32:08x}-0000-4000-8000-{n:012}" for n in numbers)


def by_bucket(keys: int, buckets: int) -> Iterator[tuple[int, list[str]]]:
    of: dict[int, list[str]] = {}
    for customer in customers_of(keys):
        of.setdefault(bucket_of(customer, buckets), []).append(customer)
    yield from sorted(of.items())


def publish(store: PostgresStore, keys: int, night: int) -> float:
    """Return the seconds that publishing a night takes, without the time to make its rows."""
    seconds = 0.0
    with store.publishing(0.0) as publication:
        publication.stage(name(night))
        for bucket, customers in by_bucket(keys, store.buckets):
            covered = [{"partner_tenant_id": P, **cover(c, "DE")} for c in customers]
            coverage = rows_table("coverage", covered, name(night))
            rows = inventory(customers, night)
            began = time.perf_counter()
            store.known("inventory", bucket, P)  # as a run does, to compare its answers
            publication.write("coverage", bucket, coverage)
            publication.write("inventory", bucket, rows)
            seconds += time.perf_counter() - began
        row = snapshot_row(name(night), BEGAN + timedelta(days=night))
        began = time.perf_counter()
        publication.commit(row, "c")
        return seconds + time.perf_counter() - began


class Bench:
    """Gives each round an empty store on the server."""

    def __init__(self, programs: Path, url: str) -> None:
        self._psql = shutil.which("psql") or programs / "psql"
        self._url = url
        self._count = 0

    def database(self) -> str:
        self._count += 1
        with psycopg.connect(self._url, autocommit=True) as con:
            con.execute(f"CREATE DATABASE bench_{self._count}".encode())
        url = f"{self._url.rpartition('/')[0]}/bench_{self._count}"
        schema.upgrade(Database(url))
        return f"{url}?allow_superuser=yes"

    @contextmanager
    def table(self) -> Iterator[str]:
        """Give the URL of a database with an empty table of intervals, with all its indexes."""
        url = self.database().partition("?")[0]
        with psycopg.connect(url, autocommit=True) as con:
            con.execute("CREATE TABLE t (LIKE auditor_tables.inventory_interval INCLUDING ALL)")
        yield url

    def copied(self, rows: Path) -> float:
        """Return the seconds that psql takes to copy the rows of a file."""
        with self.table() as url:
            began = time.perf_counter()
            copy = f"\\copy t from '{rows}' (format csv)"
            subprocess.run([self._psql, "-q", "-d", url, "-c", copy], check=True)  # noqa: S603 - ours
            return time.perf_counter() - began

    def loaded(self, rows: pa.Table) -> float:
        """Return the seconds that COPY from Arrow takes."""
        with self.table() as url:
            began = time.perf_counter()
            with dbapi.connect(url) as con, con.cursor() as cursor:
                cursor.adbc_ingest("t", rows, mode="append")
                con.commit()
            return time.perf_counter() - began


def intervals(keys: int) -> pa.Table:
    """Return the rows that a first night writes into the table of intervals."""
    parts = []
    for bucket, customers in by_bucket(keys, 16):
        rows = plain(inventory(customers, 1).select(of_interval("inventory")))
        numbers = pa.repeat(pa.scalar(bucket, pa.int16()), rows.num_rows)
        parts.append(rows.add_column(0, "bucket", numbers))
    whole = pa.concat_tables(parts)
    whole = whole.append_column("valid_from", pa.repeat(pa.scalar(1, pa.int64()), keys))
    return whole.append_column("valid_to", pa.nulls(keys, pa.int64()))


def written(url: str) -> dict[str, int]:
    """Return how many rows of each table were inserted, updated or deleted so far."""
    with psycopg.connect(url) as con:
        con.execute("SELECT pg_stat_force_next_flush()")
        found = con.execute(
            "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables"
            " WHERE relname LIKE 'inventory%'"
        ).fetchall()
    return dict(found)


def ratios(bench: Bench) -> None:
    rows = intervals(KEYS)
    seconds: dict[str, list[float]] = {"copy": [], "load": [], "first": [], "second": []}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.csv"
        Path(folder).chmod(0o755)
        options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="needed")
        pyarrow.csv.write_csv(rows, file, options)
        for _ in range(ROUNDS):
            seconds["copy"].append(bench.copied(file))
            seconds["load"].append(bench.loaded(rows))
            url = bench.database()
            store = PostgresStore.open(url)
            seconds["first"].append(publish(store, KEYS, 1))
            before = written(url.partition("?")[0])
            seconds["second"].append(publish(store, KEYS, 2))
            after = written(url.partition("?")[0])
    copied = statistics.median(seconds["copy"])
    print(f"{KEYS:,} rows by psql \\copy: {copied:.1f} s")
    for what, most in (("load", 1.15), ("first", 1.3), ("second", 0.5)):
        middle = statistics.median(seconds[what])
        print(f"{what}: {middle:.1f} s, {middle / copied:.2f} times (at most {most})")
    print("rows written on the second night:", {n: after[n] - before[n] for n in sorted(after)})


def one_customer(bench: Bench, keys: int) -> None:
    """Print how long a query for one customer's inventory takes among very many keys."""
    url = bench.database()
    store = PostgresStore.open(url)
    publish(store, keys, 1)
    customer = customers_of(keys)[keys // SKUS // 2]
    with psycopg.connect(url.partition("?")[0], autocommit=True) as con:
        con.execute("ANALYZE")
        times = []
        for _ in range(10):
            began = time.perf_counter()
            query = "SELECT * FROM latest_inventory WHERE customer_id = %s"
            found = con.execute(query, [customer]).fetchall()
            times.append(time.perf_counter() - began)
    print(f"{len(found)} of {keys:,} keys: {1000 * statistics.median(times):.1f} ms")


def main() -> None:
    programs = binaries()
    assert programs is not None, "no PostgreSQL server is installed"
    server = Server(programs)
    server.start()
    try:
        bench = Bench(programs, server.url)
        ratios(bench)
        if len(sys.argv) > 1:
            one_customer(bench, int(sys.argv[1]))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
