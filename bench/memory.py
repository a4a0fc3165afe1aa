"""Measures the peak memory and the CPU time of a run: `auditor run` as a process of its own.

It audits portfolios for two nights, and for a third night with 32 replies of 100 MB at once.

    python bench/memory.py --customers 250 4000
    python bench/memory.py --customers 4000 --sizes 72
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from auditor.sandbox import Fault, Faults, Sandbox, World, WorldSize, config_text, environment_token
from auditor.store.folder.store import FolderStore

MIB = 2**20
AT_ONCE = 32
HUGE = b"[" + b'{"productId":"DZH318Z0BPS6","skuId":"0001"},' * (100_000_000 // 44)
HOSTILE = Fault(endpoint="check_inventory", count=AT_ONCE, body_bytes=HUGE)
NIGHTS = {"first": (), "second": (), "hostile": (HOSTILE,)}
ROWS = """
    SELECT (SELECT count(*) FROM current_inventory) + (SELECT count(*) FROM current_availability)
    AS rows
"""


class Run(NamedTuple):
    exit_status: int
    seconds: float
    peak_bytes: int
    cpu_seconds: float


def run(config: Path, environ: Mapping[str, str]) -> Run:
    """Run the auditor once."""
    began, peak, used = time.monotonic(), 0, cpu_of_children()
    argv = [sys.executable, "-m", "auditor", "run", "--config", str(config), "--quiet"]
    environ = {**os.environ, **environ}
    with subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL) as process:  # noqa: S603 - our own command
        # not `ru_maxrss`: it starts at the peak of the process that forked this one
        while process.poll() is None:
            peak = max(peak, high_water(process.pid))
            time.sleep(0.05)
    seconds = time.monotonic() - began
    return Run(process.returncode, seconds, peak, cpu_of_children() - used)


def cpu_of_children() -> float:
    """Return the CPU seconds of all children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def high_water(pid: int) -> int:
    """Return the most memory a process has had so far, in bytes; 0 once it has ended."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next((int(v.split()[1]) * 1024 for v in status.splitlines() if v.startswith("VmHWM")), 0)


async def measure(size: WorldSize) -> None:
    """Print a line for each night."""
    world = World(1, size)
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(world) as sandbox:
            tokens = {environment_token(p): p.token for p in world.partners()}
            environ = {name.removeprefix("env:"): token for name, token in tokens.items()}
            config = Path(folder) / "auditor.toml"
            text = config_text(world, sandbox.base_url, environment_token)
            config.write_text(text.replace("concurrency = 64", f"concurrency = {AT_ONCE}"))
            for night, (name, faults) in enumerate(NIGHTS.items(), start=1):
                world.night = night
                sandbox.faults = Faults(faults)
                done = await asyncio.to_thread(run, config, environ)
                [found] = FolderStore.open(str(Path(folder) / "lake")).sql(ROWS).to_pylist()
                calls = len(sandbox.log.records)
                print(
                    f"{size.customers:9,} {name:8} {calls:9,} {found['rows']:11,}"
                    f" {done.exit_status:6} {done.seconds:8.0f} {done.peak_bytes / MIB:9.0f}"
                    f" {done.cpu_seconds:5.0f}",
                    flush=True,
                )
                sandbox.log.clear()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[250, 4000])
    parser.add_argument("--sizes", type=int, default=4, help="of each VM family")
    given = parser.parse_args()
    print("customers night        calls        rows status  seconds  peak MiB   CPU")
    for customers in given.customers:
        size = WorldSize(partners=1, customers=customers, sizes_per_product=given.sizes)
        asyncio.run(measure(size))


if __name__ == "__main__":
    main()
