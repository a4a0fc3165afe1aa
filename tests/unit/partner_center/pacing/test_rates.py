"""The windows of a limit per minute, and how a rate falls and rises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.partner_center.pacing.rates import (
    LEAST_PER_MINUTE,
    LITTLE,
    MARGIN,
    PLATEAU_CALLS,
    PLATEAU_S,
    CustomerRate,
    Rate,
    window,
)


@given(st.floats(0.5, 1e7), st.floats(0.05, 6))
def test_whole_windows_fill_a_minute_up_to_the_rate(per_minute: float, slice_s: float) -> None:
    calls, period = window(per_minute, slice_s)

    assert calls >= 1
    assert per_minute - calls < calls * 60 / period <= per_minute * 1.000001
    assert per_minute < 1 or 60 / period == pytest.approx(round(60 / period))


@pytest.mark.parametrize(
    ("per_minute", "slice_s", "calls", "period"),
    [
        (250, 0.1, 1, 0.24),
        (600, 0.1, 1, 0.1),
        (60_000, 0.1, 100, 0.1),
        (120, 6, 12, 6.0),
        (125, 6, 12, 6.0),
        (0.5, 6, 1, 120.0),
    ],
)
def test_windows_of_usual_limits(
    per_minute: float, slice_s: float, calls: int, period: float
) -> None:
    assert window(per_minute, slice_s)[0] == calls
    assert window(per_minute, slice_s)[1] == pytest.approx(period)


def answer_steadily(rate: Rate, per_minute: float, start: float, end: float) -> None:
    """Report that this many calls per minute were answered."""
    step = 60 / per_minute
    for n in range(int((end - start) / step)):
        rate.got_through(start + n * step)


def plateau_s(ceiling: float) -> float:
    return max(PLATEAU_S, 60 * PLATEAU_CALLS / ceiling)


def test_after_a_long_wait_the_limit_is_what_the_minute_let_through() -> None:
    rate = Rate(600)
    answer_steadily(rate, 600, 0, 30)

    rate.fall(30.0, until=60.0, started_at=29.9)

    assert rate.per_minute(60.0) == pytest.approx(300 * (1 - MARGIN))
    assert rate.per_minute(60.0 + plateau_s(300)) == pytest.approx(300)


def test_after_a_short_wait_the_limit_is_between_answered_and_tried() -> None:
    rate = Rate(600)
    answer_steadily(rate, 360, 0, 60)

    rate.fall(60.0, until=61.0, started_at=59.9)

    assert rate.per_minute(61.0) == pytest.approx(354, abs=1)
    assert rate.per_minute(61.0 + plateau_s(588)) == pytest.approx(600 * (1 - LITTLE))


def test_a_second_refusal_soon_after_halves_the_rate() -> None:
    rate = Rate(600)
    answer_steadily(rate, 590, 0, 60)
    rate.fall(60.0, until=61.0, started_at=59.9)
    assert rate.per_minute(61.0) > 550
    tried = rate.per_minute(62.0)

    rate.fall(62.0, until=63.0, started_at=61.5)

    assert rate.per_minute(63.0) == pytest.approx(tried / 2)


def test_refusals_of_concurrent_calls_count_once() -> None:
    rate = Rate(100)
    rate.got_through(0.0)
    for started_at in (0.0, 0.5, 9.0):
        rate.fall(10.0, until=20.0, started_at=started_at)

    assert rate.per_minute(20.0) == pytest.approx(50, rel=0.05)
    rate.got_through(21.0)
    rate.fall(30.0, until=40.0, started_at=20.0)
    assert rate.per_minute(40.0) < 30


def test_without_any_answer_the_rate_is_not_lowered_further() -> None:
    """Otherwise a quarter of an hour of refusals would slow the whole night."""
    rate = Rate(100)
    rate.got_through(0.0)
    for n in range(20):
        rate.fall(n * 57.0, until=(n + 1) * 57.0, started_at=n * 57.0)

    assert rate.per_minute(20 * 57.0) >= 50


def test_a_rate_never_falls_below_the_least() -> None:
    rate = Rate(100)

    for n in range(100):
        rate.got_through(n * 10.0)
        rate.fall(n * 10.0, until=n * 10.0 + 9, started_at=n * 10.0)

    assert rate.per_minute(999.0) >= LEAST_PER_MINUTE * (1 - MARGIN)
    assert rate.per_minute(999.0) < 50


def test_a_rate_rises_back_to_its_full_value_and_no_higher() -> None:
    rate = Rate(100)
    rate.got_through(-50.0)
    rate.fall(0.0, until=0.0, started_at=0.0)

    rising = [rate.per_minute(at) for at in (0.0, 20.0, 40.0, 80.0, 200.0, 2000.0)]

    assert rising == sorted(rising)
    assert rising[0] == 50
    assert rising[-1] == 100
    assert rate.is_full(2000.0)


def test_a_low_rate_is_raised_later_than_a_high_one() -> None:
    low, high = Rate(20), Rate(2000)
    for rate in (low, high):
        answer_steadily(rate, rate.per_minute(0.0) / 2, 0, 60)
        rate.fall(60.0, until=70.0, started_at=60.0)

    assert low.per_minute(70.0 + 590) < 10 < low.per_minute(70.0 + 610)
    assert high.per_minute(69.0 + PLATEAU_S) < 1000 < high.per_minute(71.0 + PLATEAU_S)


def test_a_pardoned_rate_has_its_earlier_value() -> None:
    rate = Rate(100)
    rate.got_through(0.0)
    rate.fall(0.0, until=10.0, started_at=0.0)
    rate.got_through(20.0)
    before = rate.per_minute(40.0)
    rate.fall(40.0, until=50.0, started_at=40.0)

    rate.pardon()

    assert rate.per_minute(40.0) == before


def test_a_customer_is_fresh_again_when_its_calls_no_longer_count() -> None:
    rate = CustomerRate(120)
    rate.started(0.0)
    rate.pause(57.0)
    rate.learned.got_through(0.0)
    rate.learned.fall(0.0, until=57.0, started_at=0.0)

    assert rate.ready_at(1.0) == 57.0
    assert not rate.is_fresh(61.0), "its rate has not risen back yet"
    assert rate.is_fresh(2000.0)
