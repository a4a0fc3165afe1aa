"""Measures what comparing small buckets together saves (docs/decisions/0004).

Runs the same nights with buckets gathered and one by one, in turn, and prints the ratio.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from auditor.normalize.staged import AT_ONCE
from auditor.publish import publish
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.settings import load

ROUNDS = 3
CUSTOMERS = 40
TOGETHER = AT_ONCE


async def night_s(seed: int, at_once: int) -> float:
    """Return the seconds that a second night takes."""
    publish.AT_ONCE = at_once
    with tempfile.TemporaryDirectory() as folder:
        async with Sandbox(World(seed, WorldSize(customers=CUSTOMERS))) as sandbox:
            partners = sandbox.world.partners()
            environ = {environment_token(p).removeprefix("env:"): p.token for p in partners}
            path = Path(folder) / "auditor.toml"
            path.write_text(config_text(sandbox.world, sandbox.base_url, environment_token))
            settings = load(path, environ)
            await audit(settings, runtime=Runtime(environ=environ))
            sandbox.world.night = 2
            started = time.monotonic()
            await audit(settings, runtime=Runtime(environ=environ))
            return time.monotonic() - started


def main() -> None:
    together, one_by_one = [], []
    for seed in range(1, ROUNDS + 1):
        together.append(asyncio.run(night_s(seed, TOGETHER)))
        one_by_one.append(asyncio.run(night_s(seed, 1)))
    ratio = statistics.median(a / b for a, b in zip(together, one_by_one, strict=True))
    print(f"a night of {CUSTOMERS} customers: {statistics.median(together):.1f} s together,")
    print(f"{statistics.median(one_by_one):.1f} s bucket by bucket: {ratio:.2f} times")


if __name__ == "__main__":
    main()
