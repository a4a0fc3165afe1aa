"""Which attempts are old: never those that say how a partner's last night went."""

from datetime import datetime
from itertools import count
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from auditor.store.removal import key_of, old_attempts
from tests.builders.store_lake import at

attempts = st.lists(
    st.tuples(st.sampled_from("PQ"), st.sampled_from(["full", "partial"]), st.integers(1, 6)),
    max_size=12,
)
Row = dict[str, Any]  # of any columns


def row(run_id: str, partner: str, kind: str, day: int) -> Row:
    return {
        "run_id": run_id,
        "partner_tenant_id": partner,
        "kind": kind,
        "started_at": at(day),
    }


def lasts(rows: list[Row]) -> list[Row]:
    """Return the last attempt of some rows, in a list."""
    return [max(rows, key=lambda r: (r["started_at"], r["run_id"]))] if rows else []


@given(attempts, st.integers(0, 8))
def test_old_attempts_are_those_that_no_reading_needs(
    given_rows: list[tuple[str, str, int]], day: int
) -> None:
    """Against a brute-force rule: for each partner keep the last of all and the last full one."""
    rows = [row(f"{n:02}", *each) for n, each in zip(count(), given_rows, strict=False)]
    older_than: datetime = at(day)
    kept = []
    for partner in "PQ":
        own = [r for r in rows if r["partner_tenant_id"] == partner]
        kept += [*lasts(own), *lasts([r for r in own if r["kind"] == "full"])]
    expected = {key_of(r) for r in rows if r["started_at"] < older_than and r not in kept}
    assert old_attempts(rows, older_than) == expected
