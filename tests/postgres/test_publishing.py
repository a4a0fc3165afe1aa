"""Publishing into PostgreSQL: only changes, in one transaction, by the holder of the token."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from auditor.errors import Bug, Locked, StoreError, StoreFailed, StoreUnreachable
from auditor.model import bucket_of
from auditor.store.postgres import transaction
from auditor.store.postgres.publication import PostgresPublication
from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser
from tests.builders.store_lake import (
    ACME,
    BOND,
    Row,
    at,
    client,
    cover,
    publish,
    rows_table,
    snapshot_row,
    stock,
)

FIRST, SECOND, THIRD = (f"2026110{day}T020000Z-00000{day}" for day in (1, 2, 3))


def night(day: int, *verdicts: str, customer_id: str = ACME, **apart: Row) -> dict[str, list[Row]]:
    """Return one customer's keys, all of one check; `apart` sets other columns of some SKUs."""
    asked = {"checked_snapshot_id": f"of-{day}", "verdict_since_at": at(1)}
    keys = [
        stock(customer_id, str(sku), verdict, at(day), **{**asked, **apart.get(f"sku_{sku}", {})})
        for sku, verdict in enumerate(verdicts)
    ]
    return {
        "coverage": [cover(customer_id, "DE"), cover(customer_id)],
        "inventory": keys,
        # written last: once this write has begun, the rows written before it are staged
        "customer": [client(customer_id, "Acme")],
    }


def intervals(url: str, customer_id: str = ACME) -> list[tuple[Any, ...]]:
    with as_superuser(url) as con:
        return con.execute(
            "SELECT sku_id, verdict, valid_from, valid_to FROM inventory_interval"
            " WHERE customer_id = %s ORDER BY sku_id, valid_from",
            [customer_id],
        ).fetchall()


def count(url: str, table: str) -> int:
    with as_superuser(url) as con:
        row = con.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
    assert row
    return int(row[0])


def test_an_unchanged_key_costs_no_write(store: PostgresStore, store_url: str) -> None:
    publish(store, FIRST, at(1), night(1, "unrestricted", "restricted"))
    publish(store, SECOND, at(2), night(2, "unrestricted", "restricted"))
    publish(store, THIRD, at(3), night(3, "unrestricted", "unrestricted"))

    assert intervals(store_url) == [
        ("0", "unrestricted", 1, None),
        ("1", "restricted", 1, 3),
        ("1", "unrestricted", 3, None),
    ]
    assert count(store_url, "customer_interval") == 1
    assert count(store_url, "inventory_checked") == 3
    assert count(store_url, "inventory_checked_apart") == 0


def test_a_key_that_was_asked_at_another_time_keeps_that_time(store: PostgresStore) -> None:
    late = {"checked_at": at(1), "checked_snapshot_id": "of-1"}
    publish(store, FIRST, at(1), night(1, "unrestricted", "unrestricted", "unrestricted"))
    publish(
        store, SECOND, at(2), night(2, "unrestricted", "unrestricted", "unrestricted", sku_1=late)
    )

    rows = store.arrow("inventory").to_pylist()
    assert [(r["snapshot_id"], r["sku_id"], r["checked_at"]) for r in rows] == [
        *((FIRST, sku, at(1)) for sku in "012"),
        (SECOND, "0", at(2)),
        (SECOND, "1", at(1)),
        (SECOND, "2", at(2)),
    ]


def test_keys_that_left_their_cell_end_and_other_cells_stay(
    store: PostgresStore, store_url: str
) -> None:
    """P5: a whole cell without a row, one that left, and one key of a cell."""
    publish(store, FIRST, at(1), night(1, "restricted", "restricted"))
    publish(store, SECOND, at(2), night(2, "restricted", customer_id=BOND))
    publish(store, THIRD, at(3), night(3, "restricted"))
    empty = {"coverage": [cover(ACME, "DE", status="left"), cover(ACME, status="left")]}
    publish(store, "20261104T020000Z-000004", at(4), empty)

    assert intervals(store_url) == [("0", "restricted", 1, 4), ("1", "restricted", 1, 3)]
    assert intervals(store_url, BOND) == [("0", "restricted", 2, None)]
    assert {row["customer_id"] for row in store.arrow("latest_inventory").to_pylist()} == {BOND}


def test_the_known_rows_are_those_that_were_written(store: PostgresStore) -> None:
    given = night(1, "restricted", "unrestricted")
    publish(store, FIRST, at(1), given)
    bucket = bucket_of(ACME, store.buckets)
    partner = "aaaaaaaa-0000-0000-0000-000000000001"
    expected = rows_table("inventory", given["inventory"], FIRST).drop_columns("snapshot_id")

    found = store.known("inventory", bucket, partner)
    assert found.schema == expected.schema
    assert sorted(found.to_pylist(), key=lambda row: row["sku_id"]) == expected.to_pylist()
    assert store.known("inventory", (bucket + 1) % store.buckets, partner).num_rows == 0
    assert store.known("inventory", bucket, "another").num_rows == 0


def test_publishing_again_changes_nothing(store: PostgresStore, store_url: str) -> None:
    """P12."""
    assert publish(store, FIRST, at(1), night(1, "restricted"))
    before = store.arrow("inventory")

    assert not publish(store, FIRST, at(1), night(1, "unrestricted"))
    assert store.arrow("inventory") == before
    assert count(store_url, "staged_inventory_interval") == 0
    with pytest.raises(StoreError, match="another configuration"):
        publish(store, FIRST, at(1), night(1, "restricted"), config_hash="other")


def test_the_same_event_is_stored_once(store: PostgresStore) -> None:
    """P7."""
    event: Row = {"event_id": "e", "kind": "newly_restricted", "customer_id": ACME}
    for number, one in enumerate((FIRST, SECOND), start=1):
        publish(store, one, at(number), {**night(number, "restricted"), "change": [event]})

    assert store.arrow("change").column("snapshot_id").to_pylist() == [FIRST]


def test_rows_of_a_cell_that_is_not_covered_are_refused(store: PostgresStore) -> None:
    with pytest.raises(Bug, match="not covered"):
        publish(store, FIRST, at(1), {"inventory": [stock(ACME, "1", "restricted", at(1))]})
    assert store.published() == ()


@pytest.fixture
def store(postgres_store: PostgresStore) -> PostgresStore:
    return postgres_store


@contextlib.contextmanager
def ready(store: PostgresStore, snapshot_id: str, verdict: str) -> Iterator[PostgresPublication]:
    """Hold the lock with a snapshot that is ready to commit."""
    with store.publishing(5.0) as publication:
        stage(publication, store, snapshot_id, verdict)
        yield publication


def stage(
    publication: PostgresPublication, store: PostgresStore, snapshot_id: str, verdict: str
) -> None:
    publication.stage(snapshot_id)
    for relation, rows in night(1, verdict).items():
        publication.write(
            relation, bucket_of(ACME, store.buckets), rows_table(relation, rows, snapshot_id)
        )


def end_lock_holder(url: str) -> None:
    with as_superuser(url) as con:
        con.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks"
            " WHERE locktype = 'advisory' AND granted AND database ="
            " (SELECT oid FROM pg_database WHERE datname = current_database())"
        )


@pytest.fixture(params=[transaction.AT_ONCE, 1])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Move nothing before the end, or everything as soon as possible."""
    monkeypatch.setattr(transaction, "AT_ONCE", request.param)


@pytest.mark.usefixtures("at_once")
def test_no_reader_sees_rows_that_are_not_committed(store: PostgresStore, store_url: str) -> None:
    """P10: many changed rows are moved while the rest is compared."""
    publish(store, FIRST, at(1), night(1, "restricted"))
    with ready(store, SECOND, "unrestricted"):
        staged = count(store_url, "staged_inventory_interval")
        assert [row[1:] for row in intervals(store_url)] == [("restricted", 1, None)]
        assert store.arrow("latest_inventory").column("verdict").to_pylist() == ["restricted"]
    assert count(store_url, "staged_inventory_interval") == staged == 2
    assert [row[1:] for row in intervals(store_url)] == [("restricted", 1, None)]

    publish(store, SECOND, at(2), night(2, "unrestricted"))
    assert [row[1:] for row in intervals(store_url)] == [
        ("restricted", 1, 2),
        ("unrestricted", 2, None),
    ]
    assert count(store_url, "staged_inventory_interval") == 0


def test_a_bucket_that_was_moved_is_not_written_to_again(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "AT_ONCE", 1)
    of = {f"c{n}": bucket_of(f"c{n}", store.buckets) for n in range(20)}
    first, again = [name for name in of if of[name] == of["c0"]][:2]
    other = next(name for name in of if of[name] != of["c0"])
    with store.publishing(5.0) as publication:
        publication.stage(FIRST)
        for name in (first, other, again):
            covered = rows_table("coverage", [cover(name, "DE"), cover(name)], FIRST)
            publication.write("coverage", of[name], covered)
            rows = rows_table("inventory", [stock(name, "1", "restricted", at(1))], FIRST)
            publication.write("inventory", of[name], rows)
        with pytest.raises(Bug, match="is written twice"):
            publication.commit(snapshot_row(FIRST, at(1)), "c")


def test_a_publisher_waits_a_bounded_time(store: PostgresStore) -> None:
    """P14."""
    with store.publishing(0.0):
        for timeout_s in (0.0, 0.05):
            with pytest.raises(Locked) as caught, store.publishing(timeout_s):
                pass
            assert caught.value.exit_status == 75
    with store.publishing(0.0):
        pass


@pytest.mark.usefixtures("at_once")
def test_a_publisher_that_lost_the_lock_publishes_nothing(
    store: PostgresStore, store_url: str
) -> None:
    """P14: the publisher's session and lock ended, while its process lived on."""
    with contextlib.suppress(StoreUnreachable), ready(store, FIRST, "restricted") as zombie:
        end_lock_holder(store_url)
        publish(store, SECOND, at(2), night(2, "unrestricted"))
        with pytest.raises(StoreUnreachable):
            zombie.commit(snapshot_row(FIRST, at(1)), "c")

    assert store.published() == (SECOND,)
    assert [row[1] for row in intervals(store_url)] == ["unrestricted"]


@pytest.mark.usefixtures("at_once")
def test_a_publisher_with_an_older_token_is_refused(store: PostgresStore, store_url: str) -> None:
    """P14: not even if the server gave the lock to both."""
    with ready(store, FIRST, "restricted") as zombie:
        with as_superuser(store_url) as con:
            con.execute("UPDATE store SET epoch = epoch + 1")
        with pytest.raises(Locked, match="taken the publish lock meanwhile"):
            zombie.commit(snapshot_row(FIRST, at(1)), "c")

    assert store.published() == ()
    assert intervals(store_url) == []


def test_staged_rows_that_a_crash_removed_are_noticed(store: PostgresStore, store_url: str) -> None:
    """P10: the tables of staged rows are not logged, so a crash of the server empties them."""
    with ready(store, FIRST, "restricted") as publication:
        with as_superuser(store_url) as con:
            con.execute("TRUNCATE staged_inventory_interval")
        with pytest.raises(StoreFailed, match="rows were staged"):
            publication.commit(snapshot_row(FIRST, at(1)), "c")

    assert store.published() == ()
    assert count(store_url, "coverage") == 0


def test_recovery_removes_what_a_killed_publisher_staged(
    store: PostgresStore, store_url: str
) -> None:
    with ready(store, FIRST, "restricted"):
        pass
    assert count(store_url, "staged_inventory_interval") == 1

    store.recover()
    assert count(store_url, "staged_inventory_interval") == 0


def test_an_empty_store_gives_empty_results_of_the_usual_types(store: PostgresStore) -> None:
    assert store.latest_cells("nobody").num_rows == 0
    assert store.last_published_at() is None
    assert isinstance(store.arrow("latest_inventory"), pa.Table)


def test_a_store_goes_on_after_its_connections_were_ended(
    store: PostgresStore, store_url: str
) -> None:
    """P31: the running statement fails, and the next one opens a new connection."""
    publish(store, FIRST, at(1), night(1, "restricted"))
    with as_superuser(store_url) as con:
        con.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    with pytest.raises(StoreUnreachable) as caught:
        store.arrow("snapshot")

    assert caught.value.exit_status == 75
    assert store.arrow("snapshot").num_rows == 1
