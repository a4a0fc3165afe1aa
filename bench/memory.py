"""How much memory a run takes: `auditor run` as a process of its own, at its largest.

Audits made-up portfolios of several sizes, and the largest once more while so many replies at
once, each of 100 MB, come in the place of true ones.

    python bench/memory.py --customers 500 2000 4000
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from auditor.sandbox import Fault, Faults, Sandbox, WorldSize, config_text, environment_token
from auditor.sandbox import World as Portfolio
from auditor.store.parquet import FolderStore

MIB = 2**20
HOSTILE = 32
HUGE = b"[" + b'{"productId":"DZH318Z0BPS6","skuId":"0001"},' * (100_000_000 // 44)
LIMITS = """
[limits]
customers = 600000
catalog = 600000
inventory = 600000
per_customer = 60000
concurrency = 32
"""


async def peak(config: Path, environ: dict[str, str]) -> tuple[int, float, int]:
    """Run the auditor once; return its exit status, its seconds, and its peak memory in bytes."""
    began = time.monotonic()
    argv = [sys.executable, "-m", "auditor", "run", "--config", str(config), "--quiet"]
    with subprocess.Popen(
        argv, env={**os.environ, **environ}, stdout=subprocess.DEVNULL
    ) as process:
        _, status, usage = await asyncio.to_thread(os.wait4, process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return os.waitstatus_to_exitcode(status), time.monotonic() - began, usage.ru_maxrss * 1024


async def measured(customers: int, nights: int, *, is_hostile: bool) -> None:
    """Print a line for each night."""
    portfolio = Portfolio(1, WorldSize(partners=1, customers=customers))
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(portfolio) as sandbox:
            environ = {
                environment_token(p).removeprefix("env:"): p.token for p in portfolio.partners()
            }
            config = Path(folder) / "auditor.toml"
            text = config_text(portfolio, sandbox.base_url, environment_token)
            config.write_text(text)
            for night in range(1, nights + 1):
                portfolio.night = night
                if is_hostile:
                    sandbox.faults = Faults(
                        [Fault(endpoint="check_inventory", count=HOSTILE, body_bytes=HUGE)]
                    )
                exit_status, seconds, size = await peak(config, environ)
                calls = len(sandbox.log.records)
                sandbox.log.clear()
                rows = (
                    FolderStore.open(str(Path(folder) / "lake"))
                    .sql(
                        "SELECT (SELECT count(*) FROM current_inventory), count(*)"
                        " FROM current_availability"
                    )
                    .to_pylist()
                )
                print(
                    customers,
                    night,
                    is_hostile,
                    exit_status,
                    calls,
                    rows,
                    f"{seconds:.0f} s {size / MIB:.0f} MiB",
                    flush=True,
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, nargs="+", default=[500])
    parser.add_argument("--hostile", action="store_true")
    parser.add_argument("--nights", type=int, default=2)
    given = parser.parse_args()
    for customers in given.customers:
        asyncio.run(measured(customers, given.nights, is_hostile=given.hostile))
