"""When a run stops asking: in time for `--max-seconds`, and while it can still be resumed."""

KEPT_SHARE = 0.1
KEPT_S = 300.0
"""A tenth of the time, and at most this much of it, is kept for comparing and publishing."""


def asks_until(began: float, max_seconds: float | None) -> float | None:
    """Return when a run that began then stops asking; None if it may take as long as it needs."""
    if max_seconds is None:
        return None
    return began + max_seconds - min(max_seconds * KEPT_SHARE, KEPT_S)


def deadline(now: float, resume_max_age_hours: float, until: float | None) -> float | None:
    """Return when the last call may be sent; None if there is no such time.

    It is the time that `asks_until` returned, or the time from which `--resume` no longer selects
    the run, if that is earlier. With `resume_max_age_hours` 0 there is no such age.
    """
    ends = (now + 3600 * resume_max_age_hours) if resume_max_age_hours else None
    both = [at for at in (ends, until) if at is not None]
    return min(both, default=None)
