"""When a run stops asking."""

import pytest

from auditor.run.time_limit import asks_until, deadline


@pytest.mark.parametrize(
    ("max_seconds", "asks_for"), [(None, None), (1, 0.9), (60, 54), (3000, 2700), (86400, 86100)]
)
def test_a_part_of_the_time_is_kept_for_publishing(
    max_seconds: int | None, asks_for: float | None
) -> None:
    found = asks_until(100.0, max_seconds)
    assert found == (None if asks_for is None else 100.0 + asks_for)


@pytest.mark.parametrize(
    ("hours", "until", "expected"),
    [
        (0, None, None),
        (0, 150.0, 150.0),
        (12, None, 100.0 + 12 * 3600),
        (12, 150.0, 150.0),
        (0.01, 150.0, 136.0),
    ],
)
def test_the_earlier_of_two_limits_counts(
    hours: float, until: float | None, expected: float | None
) -> None:
    assert deadline(100.0, hours, until) == expected
