"""Times that tell an order."""

from datetime import UTC, datetime, timedelta

from auditor.run.clock import never_back

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)


def test_it_goes_with_the_clock_and_never_back() -> None:
    """P32: not before what is published, nor where the clock is set while it runs."""
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


def test_without_anything_published_it_is_the_clock() -> None:
    assert never_back(lambda: NOON, None)() == NOON
