"""When a listing is asked again."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.scope.due import EVERY_RUN, Due

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
NAMES = [f"customer {n}" for n in range(3000)]


def due(hours_later: float, hours: float = 72, *, in_slices: bool = False) -> Due:
    return Due(now=AT + hours_later * HOUR, hours=hours, in_slices=in_slices).among(NAMES)


@pytest.mark.parametrize("in_slices", [False, True])
def test_a_listing_that_was_never_answered_is_due(in_slices: bool) -> None:
    assert due(0, in_slices=in_slices).is_due("x", None)


@pytest.mark.parametrize("in_slices", [False, True])
def test_a_listing_answered_in_the_future_is_due(in_slices: bool) -> None:
    """P32: this happens after the clock was set back."""
    assert due(-1, in_slices=in_slices).is_due("x", AT)
    assert not due(0, in_slices=in_slices).is_due("x", AT)


@pytest.mark.parametrize("in_slices", [False, True])
def test_zero_hours_means_every_run(in_slices: bool) -> None:
    assert due(0, 0, in_slices=in_slices).is_due("x", AT)
    assert EVERY_RUN.is_due("x", AT)


def test_without_slices_only_the_age_counts() -> None:
    early, late = due(71.9), due(72)
    assert not any(early.is_due(name, AT) for name in NAMES)
    assert all(late.is_due(name, AT) for name in NAMES)


@pytest.mark.parametrize(
    ("later", "share"), [(1, 1 / 72), (24, 1 / 3), (25, 25 / 72), (71, 71 / 72)]
)
def test_in_slices_a_run_asks_the_share_of_the_time_that_passed(later: float, share: float) -> None:
    later_run = due(later, in_slices=True)
    asked = sum(later_run.is_due(name, AT) for name in NAMES) / len(NAMES)
    assert asked == pytest.approx(share, abs=1 / len(NAMES))


def test_a_small_portfolio_is_divided_evenly_too() -> None:
    few = NAMES[:30]
    tonight = due(24, in_slices=True).among(few)
    assert sum(tonight.is_due(name, AT) for name in few) == 10


def test_a_new_customer_hardly_moves_the_turns_of_the_others() -> None:
    before = due(24, in_slices=True)
    after = before.among([*NAMES, "a newcomer"])
    assert max(abs(before.turns[name] - after.turns[name]) for name in NAMES) < 1 / len(NAMES)


def test_in_slices_each_night_asks_other_listings_and_all_ask_each_once() -> None:
    """This holds although all listings were answered on the same first night."""
    listed_at = dict.fromkeys(NAMES, AT)
    slices = []
    for night in (1, 2, 3):
        tonight = due(24 * night, in_slices=True)
        slices.append({name for name in NAMES if tonight.is_due(name, listed_at[name])})
        listed_at |= dict.fromkeys(slices[-1], tonight.now)
    assert sum(map(len, slices)) == len(set().union(*slices)) == len(NAMES)


@given(
    name=st.text(),
    steps=st.lists(st.floats(min_value=0.01, max_value=200), max_size=20),
    hours=st.floats(min_value=0.5, max_value=800),
)
def test_no_listing_is_used_for_longer_than_its_hours(
    name: str, steps: list[float], hours: float
) -> None:
    now = listed_at = AT
    for step in steps:
        now += step * HOUR
        if Due(now=now, hours=hours, in_slices=True).among([name]).is_due(name, listed_at):
            listed_at = now
        assert now - listed_at < hours * HOUR
