"""A bad line costs time and attempts, never a row."""

import random
from pathlib import Path

import pytest

from tests.builders import comparing
from tests.builders.killing import Prepared, odd
from tests.builders.proxy import NONE, Choose, Harm, Proxy

HARMED = 12
"""Connections from the first on: a call is tried three times, and then nobody harms it."""
ENDS = ("cut", "reset", "half", "trickle")


def every_other(nth: int, rng: random.Random) -> Harm:
    """End every other one of the first connections in the middle of a reply."""
    if nth >= HARMED or nth % 2:
        return NONE
    return Harm(passes=rng.randrange(1, 400), then=ENDS[nth // 2 % len(ENDS)])


def brown_out(_: int, rng: random.Random) -> Harm:
    """Let each reply be late, one more than the other."""
    return Harm(latency_s=rng.uniform(0, 0.02), jitter_s=0.03)


@pytest.mark.parametrize("choose", [every_other, brown_out])
def test_over_a_bad_line_the_same_rows_come(case: Prepared, choose: Choose, tmp_path: Path) -> None:
    """P23, P24, fault 14: by two lines of their own, golden but for the count of attempts."""
    folder = case.fresh(tmp_path / "run")
    direct = case.serving.sandbox.base_url
    port = int(direct.rpartition(":")[2])
    with Proxy(port, choose, seed=3) as proxy:
        config = folder / "auditor.toml"
        config.write_text(config.read_text().replace(direct, proxy.base_url))
        ended = case.warm.run(folder, "run", "--format", "json")
    assert odd(ended, {0}) == []
    assert proxy.harmed >= HARMED // 2
    assert (case.serving.asked() - case.asked).total() <= proxy.harmed * 2
    found = comparing.told(folder / "lake")
    for relation in ("inventory", "restriction", "availability", "change", "coverage", "sku"):
        assert (
            comparing.differences({relation: found[relation]}, {relation: case.rows[relation]})
            == []
        )
