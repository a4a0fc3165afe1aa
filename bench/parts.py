"""Replays the replies of a night as one part, and as two parts side by side: how much faster?

The replies are in the store's shared files already, so no call is made and no quota is used. The
two ways run in turn. Both leave publishing out, which is measured by itself.

    python bench/parts.py --customers 400 --rounds 3
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.store import open_store
from auditor.store.shared_files import SharedFiles

RUN = "night"


def start(config: Path, environ: Mapping[str, str], *words: str) -> subprocess.Popen[bytes]:
    """Start the auditor."""
    argv = [sys.executable, "-m", "auditor", *words, "--config", str(config), "--quiet"]
    environ = {**os.environ, **environ}
    return subprocess.Popen(argv, env=environ, stdout=subprocess.DEVNULL)  # noqa: S603 - our own command


def timed(config: Path, environ: Mapping[str, str], *commands: tuple[str, ...]) -> float:
    """Run commands side by side, and return the seconds until the last one ends."""
    began = time.monotonic()
    statuses = [process.wait() for process in [start(config, environ, *c) for c in commands]]
    assert not any(statuses), statuses
    return time.monotonic() - began


def part(number: int, of: int) -> tuple[str, ...]:
    return ("run", "--part", f"{number}/{of}", "--run", RUN)


def forget_results(files: SharedFiles) -> None:
    """Leave only the replies, and what discovery found."""
    for name in files.names(RUN):
        kind = name.split("/")[2:3]
        if kind and kind[0] in {"claims", "results", "done"} and "/discovery" not in name:
            files.delete(name)


async def measure(customers: int, rounds: int) -> None:
    """Print the times of each round, and the ratio."""
    world = World(1, WorldSize(partners=1, customers=customers))
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "auditor.toml"
        environ = {environment_token(p).removeprefix("env:"): p.token for p in world.partners()}
        async with Sandbox(world) as sandbox:
            config.write_text(config_text(world, sandbox.base_url, environment_token))
            await asyncio.to_thread(timed, config, environ, part(1, 1))
            calls = len(sandbox.log.records)
            files = open_store(str(Path(folder) / "lake")).shared_files()
            one, two = [], []
            for number in range(rounds):
                forget_results(files)
                one.append(await asyncio.to_thread(timed, config, environ, part(1, 1)))
                forget_results(files)
                both = (part(1, 2), part(2, 2))
                two.append(await asyncio.to_thread(timed, config, environ, *both))
                print(f"round {number + 1}: {one[-1]:.1f} s, {two[-1]:.1f} s", flush=True)
            assert len(sandbox.log.records) == calls, "a reply was missing"
            publishing = await asyncio.to_thread(timed, config, environ, ("publish", RUN))
    ratio = statistics.median(one) / statistics.median(two)
    print(
        f"{calls:,} calls: two parts are {ratio:.2f} times as fast as one; {publishing:.1f} s more"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    asyncio.run(measure(given.customers, given.rounds))


if __name__ == "__main__":
    main()
