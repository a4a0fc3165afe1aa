"""What a minute's limit comes to, and how a rate falls and climbs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.partner_center.rates import LEAST_SHARE, CustomerRate, Rate, window


@given(st.floats(0.5, 1e7), st.floats(0.05, 6))
def test_whole_windows_fill_a_minute_with_the_rate_and_no_more(
    per_minute: float, slice_s: float
) -> None:
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


def test_refusals_that_come_together_count_once() -> None:
    rate = Rate(100)

    for at in (0.0, 1.0, 2.0):
        rate.fall(at)

    assert rate.per_minute(2.0) == pytest.approx(50, rel=0.02)


def test_a_rate_never_falls_to_nothing() -> None:
    rate = Rate(100)

    for n in range(100):
        rate.fall(n * 10.0)

    assert rate.per_minute(990.0) >= 100 * LEAST_SHARE


def test_a_rate_climbs_back_to_its_full_height_and_no_higher() -> None:
    rate = Rate(100)
    rate.fall(0.0)

    climbing = [rate.per_minute(at) for at in (0.0, 100.0, 200.0, 300.0, 1000.0)]

    assert climbing == sorted(climbing)
    assert climbing[0] == 50
    assert climbing[-2:] == [100, 100]


def test_a_customer_is_fresh_again_when_nothing_of_it_counts() -> None:
    rate = CustomerRate(120)
    rate.started(0.0)
    rate.refused(0.0, until=57.0)

    assert rate.ready_at(1.0) == 57.0
    assert not rate.is_fresh(61.0), "its rate has not climbed back"
    assert rate.is_fresh(301.0)
