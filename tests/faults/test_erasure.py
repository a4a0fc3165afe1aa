"""P42: an erasure that fails or is killed at any system call harms nothing, and can be repeated."""

from collections.abc import Iterator

import pytest

from tests.builders import syscalls
from tests.builders.erasing import Erasing
from tests.builders.killing import prepared
from tests.builders.nightly import IS_SOAK
from tests.builders.syscalls import HOW, ONE_PARTNER

POINTS = 6 if IS_SOAK else 3
usable = pytest.mark.skipif(
    not syscalls.is_usable(), reason="no strace that can inject faults here"
)


@pytest.fixture(scope="module")
def erasing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Erasing]:
    folder = tmp_path_factory.mktemp("erasure")
    with prepared(5, folder, ONE_PARTNER) as case:
        yield Erasing(case, folder)


@usable
@pytest.mark.timeout(300)
def test_an_erasure_that_fails_or_is_killed_is_completed_by_the_next(erasing: Erasing) -> None:
    """P42: a sample; `make soak-publish` tries every call. The exchange is tried in each way."""
    points = erasing.points
    tried = [(points[place * len(points) // POINTS], HOW[place % 3]) for place in range(POINTS)]
    exchanges = [point for point in points if point.call == "renameat2"]
    assert len(exchanges) == 1
    tried += [(point, how) for point in exchanges for how in HOW]
    assert [found for point, how in tried for found in erasing.tried(point, how)] == []


@usable
def test_everything_is_synced_before_the_exchange(erasing: Erasing) -> None:
    """Fault 5: each new file, then its folder, then the exchange, then the store's folder."""
    made = [(p.call, p.path.removeprefix(str(erasing.folder))) for p in erasing.points]
    exchange = next(place for place, (call, _) in enumerate(made) if call == "renameat2")
    written = [path for call, path in made[:exchange] if call == "openat" and "/.erasing/" in path]
    assert any(path.endswith("manifest.json") for path in written)
    for path in written:
        assert made.index(("fsync", path)) < exchange
        assert made.index(("fsync", path)) < made.index(("fsync", path.rpartition("/")[0]))
        assert made.index(("fsync", path.rpartition("/")[0])) < exchange
    assert ("fsync", "/lake") in made[exchange:]
