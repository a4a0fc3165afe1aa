"""A place is held by one process at a time, and passes on when its holder falls silent."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.run.parts.claims import Claim, Claims
from auditor.store.folder.shared_files import FolderSharedFiles

LEASE = timedelta(seconds=60)
AT = datetime(2026, 12, 1, 2, 0, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.at = AT

    def __call__(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Memory:
    """Shared files in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put_if_absent(self, name: str, data: bytes) -> bool:
        return self.files.setdefault(name, data) is data

    def get(self, name: str) -> bytes | None:
        return self.files.get(name)

    def names(self, folder: str) -> list[str]:
        return sorted(name for name in self.files if name.startswith(f"{folder}/"))

    def delete(self, folder: str) -> None:
        self.files = {n: d for n, d in self.files.items() if not n.startswith(f"{folder}/")}


def claims(files: Memory | FolderSharedFiles, holder: str, clock: Clock) -> Claims:
    return Claims(files, "run/tenant/claims", holder=holder, now=clock, lease=LEASE)


def test_a_claim_that_is_renewed_stays_and_one_that_is_not_passes_on() -> None:
    files, clock = Memory(), Clock()
    mine, theirs = claims(files, "a", clock), claims(files, "b", clock)
    claim = mine.take("07")
    assert claim is not None
    assert theirs.take("07") is None
    clock.advance(50)
    assert claim.renew()
    clock.advance(50)
    assert theirs.take("07") is None
    clock.advance(11)
    taken_over = theirs.take("07")
    assert taken_over is not None
    assert not claim.renew()
    assert taken_over.renew()
    assert theirs.take("08") is not None


def test_of_sixteen_processes_that_take_a_claim_at_once_one_holds_it(tmp_path: Path) -> None:
    clock, files = Clock(), FolderSharedFiles(tmp_path)
    for place in ("00", "01", "02"):
        for _ in range(2):  # the second time, it is taken over
            together = threading.Barrier(16)

            def take(holder: int) -> Claim | None:
                together.wait()  # noqa: B023 - used in this round only
                return claims(files, str(holder), clock).take(place)  # noqa: B023 - likewise

            with ThreadPoolExecutor(16) as pool:
                found = [claim for claim in pool.map(take, range(16)) if claim is not None]
            assert len(found) == 1
            clock.advance(61)


STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90)), max_size=30)


@given(STEPS)
@settings(deadline=None)
def test_two_processes_never_both_renew(steps: list[tuple[int, int]]) -> None:
    """Whoever renews is the only one who could: every other claim of the place is lost for good."""
    files, clock = Memory(), Clock()
    processes = [claims(files, str(n), clock) for n in range(3)]
    held: dict[int, Claim] = {}
    for who, seconds in steps:
        clock.advance(seconds)
        if who in held:
            if not held[who].renew():
                del held[who]
        elif (claim := processes[who].take("00")) is not None:
            held[who] = claim
        renewing = [claim for claim in held.values() if claim.number == len(files.files)]
        assert len(renewing) <= 1
