"""The values of the metrics come from the store, and are those of full runs only."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.journal.attempts import Attempt, table
from auditor.metrics import figures
from auditor.metrics.names import LAST_ATTEMPT, LAST_COMPLETE, LAST_FULL, METRICS
from auditor.store.folder.store import FolderStore
from tests.builders.store_lake import ACME, BOND, P, Q, Row, at, client, cover, make, publish, stock


def attempt(day: int, **given: Any) -> Attempt:
    """Return the attempt of a full run that took ten minutes."""
    usual: dict[str, Any] = {
        "run_id": f"run-{day}",
        "partner_tenant_id": P,
        "partner_name": "contoso-eu",
        "kind": "full",
        "trigger": "cron",
        "customers": "",
        "started_at": at(day),
        "ended_at": at(day, 10),
        "exit": 0,
        "error_code": "",
        "snapshot_id": f"s{day}",
    }
    return Attempt(**(usual | given))


def change(event_id: str, kind: str, **more: object) -> Row:
    return {
        "event_id": event_id,
        "kind": kind,
        "subject": "inventory",
        "suspect": False,
        "business_date": at(2).date(),
        **more,
    }


def lake(folder: Path) -> FolderStore:
    """Return three nights: complete, incomplete, failed; then a run for one customer."""
    store = make(folder)
    known = [
        stock(ACME, "0011", "restricted", at(2), checked_snapshot_id="s2"),
        stock(BOND, "0011", "unrestricted", at(1), checked_snapshot_id="s1"),
    ]
    described = {
        "coverage": [
            cover("", "DE"),
            *(cover(one, country) for one in (ACME, BOND) for country in ("", "DE")),
        ],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
    }
    publish(store, "s1", at(1), {**described, "inventory": known[1:]}, checks_answered=2)
    changes = [
        change("e1", "newly_restricted"),
        change("e2", "newly_restricted"),
        change("e3", "left_catalog"),
        change("e4", "newly_restricted", suspect=True),
    ]
    publish(
        store,
        "s2",
        at(2),
        {**described, "inventory": known, "change": changes},
        status="incomplete",
        checks_answered=3,
        checks_failed=1,
        calls=20,
        retries=5,
        throttled=4,
        inventory_rows=2,
    )
    publish(store, "s3", at(4), {"change": [change("e5", "terms_changed")]}, kind="partial")
    failed = {"exit": 77, "error_code": "E_AUTH", "snapshot_id": ""}
    on_demand = {"kind": "partial", "customers": ACME}
    for each in (attempt(2, exit=3), attempt(3, **failed), attempt(4, **on_demand)):
        store.record_attempts(table([each]))
    return store


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> figures.Figures:
    """The values of the partner after these nights."""
    return figures.of_store(lake(tmp_path_factory.mktemp("figures")))[P]


def test_the_last_attempt_is_that_of_a_full_run(found: figures.Figures) -> None:
    assert figures.attempt_alone(found) == {
        (LAST_ATTEMPT, ""): at(3, 10).timestamp(),
        ("auditor_last_attempt_exit", ""): 77,
        ("auditor_last_attempt_duration_seconds", ""): 600,
        ("auditor_last_attempt_error", "E_AUTH"): 1,
    }


def test_a_failed_or_narrower_run_makes_no_night_look_complete(found: figures.Figures) -> None:
    assert found[LAST_COMPLETE, ""] == at(1, 10).timestamp()
    assert found[LAST_FULL, ""] == at(2, 10).timestamp()
    assert found["auditor_last_full_is_complete", ""] == 0


def test_counts_are_those_of_the_newest_full_snapshot(found: figures.Figures) -> None:
    assert found["auditor_unanswered_share", "checks"] == pytest.approx(0.25)
    assert found["auditor_unanswered_share", "keys"] == pytest.approx(0.5)
    assert found["auditor_checks", "failed"] == 1
    assert (found["auditor_calls", ""], found["auditor_throttled", ""]) == (20, 4)
    assert found["auditor_rows", "inventory"] == 2


def test_changes_are_counted_by_kind_and_suspect_ones_apart(found: figures.Figures) -> None:
    changes = {second: n for (name, second), n in found.items() if name == "auditor_changes"}
    assert {kind: n for kind, n in changes.items() if n} == {
        "newly_restricted": 2,
        "left_catalog": 1,
    }
    assert found["auditor_suspect_changes", ""] == 1


def test_every_metric_has_a_value(found: figures.Figures) -> None:
    assert {name for name, _ in found} == METRICS.keys()


def test_a_store_without_snapshots_knows_no_partner(tmp_path: Path) -> None:
    assert figures.of_store(make(tmp_path)) == {}


def test_a_partner_that_only_failed_was_never_complete(tmp_path: Path) -> None:
    store = make(tmp_path)
    store.record_attempts(table([attempt(1, partner_tenant_id=Q, exit=69, error_code="E_X")]))
    found = figures.of_store(store)[Q]
    assert (found[LAST_COMPLETE, ""], found[LAST_FULL, ""]) == (0, 0)
    assert found["auditor_last_attempt_exit", ""] == 69
    assert ("auditor_last_full_is_complete", "") not in found


def test_the_newest_attempt_wins_unless_the_clock_was_ahead() -> None:
    published = figures.of_attempt(attempt(2)) | {(LAST_FULL, ""): 1.0}
    newer = figures.of_attempt(attempt(3, exit=75, error_code="E_LOCKED"))
    older = figures.of_attempt(attempt(1, exit=70, error_code="E_INTERNAL"))
    ahead = figures.of_attempt(attempt(9, exit=69))
    now = at(3, 10) + timedelta(seconds=1)
    merged = figures.merged(published, [older, newer, ahead], now)
    assert merged == newer | {(LAST_FULL, ""): 1.0}
    assert figures.merged(newer, [figures.of_attempt(attempt(4))], at(5)) == figures.of_attempt(
        attempt(4)
    )
