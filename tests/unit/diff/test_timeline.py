"""The timeline is what a reader of every snapshot would have noted, also when most are pruned."""

import os
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.store.folder.store import FolderStore
from tests.builders.diff import at
from tests.builders.timelines import History, noted, told

NIGHTS = 20
SEEDS = range(200 if "SOAK" in os.environ else 2)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_timeline_is_what_a_reader_of_every_snapshot_would_have(
    seed: int, tmp_path: Path
) -> None:
    store = FolderStore.open(str(tmp_path / "lake"), create=True, buckets=1)
    history = History(seed, store)
    for number in range(1, NIGHTS + 1):
        history.night(number)
    expected = noted(store)
    assert told(store.arrow("restriction_timeline").to_pylist()) == expected
    later = at(NIGHTS) + timedelta(days=400)
    assert store.prune(timedelta(days=1), later, apply=True).num_rows > NIGHTS / 2
    assert told(store.arrow("restriction_timeline").to_pylist()) == expected
