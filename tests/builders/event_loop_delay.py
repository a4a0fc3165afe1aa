"""Measures the event loop delay of a run, while a server in another process answers it."""

import asyncio
import subprocess
import sys
import time
from pathlib import Path

from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import World, WorldSize, config_text, environment_token
from auditor.settings import Narrow, load

PROBED_EVERY_S = 0.005


def measure(folder: Path, customers: int) -> str:
    """Run a first night with `customers` customers; return the delays in milliseconds, as text."""
    command = [sys.executable, "-m", "auditor", "sandbox", "--port", "0", "--seed", "5"]
    with subprocess.Popen(
        [*command, "--customers", str(customers)], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            late = asyncio.run(_run(folder, customers, server.stdout.readline().strip()))
        finally:
            server.terminate()
    late.sort()
    parts = {share: late[round(share * (len(late) - 1))] * 1000 for share in (0.5, 0.99, 1.0)}
    return f"p50 {parts[0.5]:.1f}, p99 {parts[0.99]:.1f}, most {parts[1.0]:.1f} ms"


async def _run(folder: Path, customers: int, base_url: str) -> list[float]:
    world = World(5, WorldSize(customers=customers))
    path = folder / "auditor.toml"
    path.write_text(config_text(world, base_url, environment_token))
    environ = {environment_token(p).removeprefix("env:"): p.token for p in world.partners()}
    settings = load(path, environ, asking=Narrow())
    late: list[float] = []
    probe = asyncio.create_task(_probe(late))
    report = await audit(settings, runtime=Runtime(environ=environ))
    probe.cancel()
    assert report.exit == 0
    return late


async def _probe(late: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(PROBED_EVERY_S)
        late.append(time.perf_counter() - began - PROBED_EVERY_S)
