"""P15: a database store is verified against what was published. Pruning keeps history."""

from datetime import timedelta
from pathlib import Path

import pytest

from auditor.errors import StoreCorrupt
from auditor.store import sql
from auditor.store.postgres.store import PostgresStore
from tests.builders import report_lake
from tests.builders.database_logins import as_superuser
from tests.builders.store_lake import ACME, P, Q, at, publish
from tests.postgres.test_both_stores import copy_snapshots, rows
from tests.postgres.test_publishing import FIRST, SECOND, THIRD, count, intervals, night
from tests.unit.store.folder.test_upkeep import attempt, record

EVENT = {"event_id": "e", "kind": "newly_restricted", "customer_id": ACME}


@pytest.fixture
def store(postgres_store: PostgresStore) -> PostgresStore:
    """Three nights that report one change twice."""
    for number, one in enumerate((FIRST, SECOND, THIRD), start=1):
        changing = "restricted" if number == 2 else "unrestricted"
        rows = {**night(number, "restricted", changing), "change": [EVENT]}
        assert publish(postgres_store, one, at(number), rows)
    return postgres_store


def test_a_store_that_is_unchanged_passes_verification(store: PostgresStore) -> None:
    """P15: an event that is published twice belongs to the snapshot that published it first."""
    assert [store.verify(one) for one in (FIRST, SECOND, THIRD, "latest")] == [[]] * 4


@pytest.mark.parametrize(
    ("damage", "relation", "harmed"),
    [
        ("UPDATE inventory_interval SET verdict = 'x' WHERE valid_to = 3", "inventory", SECOND),
        ("UPDATE inventory_checked SET checked_at = now()", "inventory", FIRST),
        ("DELETE FROM inventory_interval WHERE valid_to = 2", "inventory", FIRST),
        ("DELETE FROM change", "change", FIRST),
        ("UPDATE customer_interval SET company_name = NULL", "customer", THIRD),
        ("UPDATE coverage SET status = ''", "coverage", FIRST),
        ("UPDATE snapshot SET calls = 2 WHERE sequence = 3", "snapshot", THIRD),
    ],
)
def test_verification_finds_rows_that_were_changed(
    store: PostgresStore, store_url: str, damage: str, relation: str, harmed: str
) -> None:
    """P15."""
    with as_superuser(store_url) as con:
        con.execute(damage.encode())
    (fault,) = store.verify(harmed)
    assert isinstance(fault, StoreCorrupt)
    assert f"{harmed}: {relation}: " in fault.message
    assert fault.exit_status == 65


def test_pruning_drops_bulk_and_keeps_history(store: PostgresStore, store_url: str) -> None:
    now = at(3, 10) + timedelta(days=90)
    before = {n: rows(store.arrow(n)) for n in ("snapshot", "coverage", "change")}
    latest = rows(store.arrow("latest_inventory"))

    planned = store.prune(timedelta(days=90), now, apply=False)
    assert planned.to_pylist() == [
        {
            "what": "snapshot",
            "id": one,
            "at": at(number, 10),
            "files": None,
            "rows": 1,
            "bytes": None,
        }
        for number, one in ((1, FIRST), (2, SECOND))
    ]
    assert store.arrow("inventory").num_rows == 6
    assert store.prune(timedelta(days=90), now, apply=True) == planned

    assert {n: rows(store.arrow(n)) for n in before} == before
    assert rows(store.arrow("latest_inventory")) == latest
    assert set(store.arrow("inventory").column("snapshot_id").to_pylist()) == {THIRD}
    assert intervals(store_url) == [("0", "restricted", 1, None), ("1", "unrestricted", 3, None)]
    assert count(store_url, "inventory_checked") == 1
    assert [store.verify(one) for one in (FIRST, SECOND, THIRD)] == [[]] * 3
    assert store.prune(timedelta(days=90), now, apply=True).num_rows == 0


def test_an_interval_that_a_kept_snapshot_needs_is_kept(
    store: PostgresStore, store_url: str
) -> None:
    now = at(1, 11) + timedelta(days=1)
    assert store.prune(timedelta(days=1), now, apply=True).column("id").to_pylist() == [FIRST]
    assert ("1", "restricted", 2, 3) in intervals(store_url)
    assert ("1", "unrestricted", 1, 2) not in intervals(store_url)
    assert store.verify(SECOND) == []


def test_old_attempts_are_pruned_but_not_the_last_of_a_partner(store: PostgresStore) -> None:
    """P38, S15: as in a folder, and as the writer."""
    record(store, attempt("r1", P, "full", 1), attempt("r1", Q, "full", 1))
    record(store, attempt("r2", P, "full", 2))
    record(store, attempt("r3", P, "partial", 3))
    planned = store.prune(timedelta(days=9), at(12), apply=False)
    rows = [row for row in planned.to_pylist() if row["what"] == "attempt"]
    assert [(row["id"], row["rows"]) for row in rows] == [("r1", 1)]
    assert store.prune(timedelta(days=9), at(12), apply=True) == planned
    found = store.arrow("attempt").select(["run_id", "partner_tenant_id"]).to_pylist()
    assert {tuple(row.values()) for row in found} == {("r1", Q), ("r2", P), ("r3", P)}
    assert store.prune(timedelta(days=9), at(12), apply=True).num_rows == 0


def test_both_stores_are_the_same_after_pruning(
    tmp_path: Path, postgres_store: PostgresStore
) -> None:
    lake = report_lake.two_nights(tmp_path)
    copy_snapshots(lake, postgres_store)
    last = max(entry.published_at for entry in lake.index().entries)
    for store in (lake, postgres_store):
        assert store.prune(timedelta(0), last + timedelta(days=1), apply=True).num_rows > 0
    for name in (*sql.BASE, *sql.VIEWS):
        assert rows(postgres_store.sql(f"SELECT * FROM {name}")) == rows(lake.arrow(name)), name
    assert [postgres_store.verify(one) for one in lake.published()] == [[]] * len(lake.published())
