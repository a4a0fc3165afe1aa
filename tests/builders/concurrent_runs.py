"""Starts many runs at once on one store, and checks the store afterwards."""

import random
from pathlib import Path

from auditor.sandbox import World
from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems
from tests.builders.nightly import availability_of, inventory_of

NIGHT = 2


def run_concurrently(case: Prepared, seed: int, folder: Path, runs: int) -> list[str]:
    """Start two full runs and `runs` - 2 of one customer each at once; return the problems."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, not secret
    case.fresh(folder)
    world = case.serving.sandbox.world
    customers = [c.customer_id for p in world.partners() for c in world.customers(p, NIGHT)]
    flags = [[], *(["--customer", rng.choice(customers)] for _ in range(runs - 2)), []]
    rng.shuffle(flags)
    started = []
    for number, words in enumerate(flags):
        own = folder / f"run{number}"
        own.mkdir()
        words = ["run", "--config", "../auditor.toml", "--format", "json", *words]  # noqa: PLW2901
        started.append(case.launcher.start(own, *words))
    problems = []
    statuses = []
    for one, words in zip(started, flags, strict=True):
        ended = one.wait()
        problems += exit_problems(ended, {0} if words else {0, 75})
        statuses.append(ended.status)
    if not any(status == 0 and not words for status, words in zip(statuses, flags, strict=True)):
        problems.append("lost: neither of two full runs was done")
    store = FolderStore.open(str(folder / "lake"))
    problems += comparing.partials(store)
    problems += comparing.duplicates(folder / "lake")
    problems += case.harmed(folder)
    problems += comparing.canaries(folder, case.serving.tokens)
    problems += _history(store)
    problems += _truth(store, world)
    return [f"seed {seed}: {problem}" for problem in problems]


def _history(store: FolderStore) -> list[str]:
    """P14: snapshots are numbered in sequence, without gap or repetition."""
    entries = store.index().entries
    if [entry.sequence for entry in entries] != list(range(1, len(entries) + 1)):
        return [f"duplicated: the order is {[entry.sequence for entry in entries]}"]
    return []


def _truth(store: FolderStore, world: World) -> list[str]:
    """P5, P9: whichever run published last, the store equals the server's truth."""
    problems = []
    for name, known, truth in (
        (
            "inventory",
            inventory_of(store.arrow("latest_inventory").to_pylist()),
            inventory_of(world.inventory_truth(NIGHT, since=1)),
        ),
        (
            "availability",
            availability_of(store.arrow("latest_availability").to_pylist()),
            availability_of(world.availability_truth(NIGHT, since=1)),
        ),
    ):
        problems += [f"lost {name} {key}" for key in truth if known.get(key) != truth[key]]
        problems += [f"duplicated {name} {key}" for key in known if key not in truth]
    return problems
