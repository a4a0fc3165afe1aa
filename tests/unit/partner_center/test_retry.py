"""How Retry-After is read, how long retries wait, and how many a run may make."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.partner_center import retry

NOW = datetime(2026, 11, 21, 2, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("header", "wait_s"),
    [
        ("57", 57),
        (" 1.5 ", 1.5),
        ("0", 0),
        ("-30", 0),
        ("Sat, 21 Nov 2026 02:01:30 GMT", 90),
        ("Sat, 21 Nov 2026 02:01:30", 90),
        ("Sat, 21 Nov 2026 01:00:00 GMT", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", retry.LONGEST_WAIT_S + 1),
        ("86400", 601),
        ("inf", retry.LONGEST_WAIT_S + 1),
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("Sat, 99 Nov 2026 99:99:99 GMT", None),
    ],
)
def test_retry_after_is_read_in_every_form(header: str | None, wait_s: float | None) -> None:
    """P19."""
    assert retry.retry_after_s(header, NOW) == wait_s


@given(st.text(max_size=40))
def test_any_header_gives_a_valid_wait_or_none(header: str) -> None:
    wait_s = retry.retry_after_s(header, NOW)

    assert wait_s is None or 0 <= wait_s <= retry.LONGEST_WAIT_S + 1


@given(st.integers(1, 60), st.floats(0, 1))
def test_a_backoff_is_bounded(attempt: int, chance: float) -> None:
    assert 0 <= retry.backoff_s(attempt, lambda: chance) <= retry.LONGEST_BACKOFF_S


def test_a_backoff_doubles_up_to_the_longest() -> None:
    longest = [retry.backoff_s(attempt, lambda: 1.0) for attempt in range(1, 9)]
    assert longest == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]
    assert retry.backoff_s(2, lambda: 0.25) == 0.25


@pytest.mark.parametrize(("calls", "retries"), [(0, 100), (9, 100), (10, 101), (1000, 200)])
def test_the_budget_is_a_tenth_of_the_calls_plus_a_hundred(calls: int, retries: int) -> None:
    """P18: a retry that is always made counts too."""
    budget = retry.RetryBudget()
    for _ in range(calls):
        budget.first()
    budget.spend()
    allowed = [budget.allows() for _ in range(retries)]
    assert allowed == [True] * (retries - 1) + [False]


@given(st.lists(st.booleans(), max_size=2000))
def test_retries_stay_in_the_budget(calls: list[bool]) -> None:
    """P18: True is a first attempt, False is a request for a retry."""
    budget = retry.RetryBudget()
    first = retried = 0

    for is_first in calls:
        if is_first:
            budget.first()
            first += 1
        else:
            retried += budget.allows()
        assert retried <= 0.10 * first + 100
