"""A clock whose times never go back, so that they give an order."""

from datetime import UTC, datetime, timedelta

from auditor.run.clock import never_back

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def test_times_follow_the_clock_and_never_go_back() -> None:
    """P32: not before the last published time, nor when the clock is set back during the run."""
    hours = iter([0, 1, 1, -47, -46, 2])
    read = never_back(lambda: NOON + timedelta(hours=next(hours)), NOON + timedelta(minutes=30))

    hour = timedelta(hours=1)
    assert [read() - NOON for _ in range(6)] == [
        timedelta(minutes=30) + TICK,
        hour,
        hour,
        hour + TICK,
        hour + 2 * TICK,
        2 * hour,
    ]


def test_before_the_first_snapshot_times_are_those_of_the_clock() -> None:
    assert never_back(lambda: NOON, None)() == NOON
