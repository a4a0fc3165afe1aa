"""`snapshots list` for people: the newest first, for whom, and what published nothing."""

import io
import json
from pathlib import Path

import pyarrow as pa

from auditor.report import snapshot_list
from auditor.store.folder.store import FolderStore
from auditor.tables import ATTEMPT
from tests.builders.store_lake import ACME, BOND, P, at, client, cover, make, publish


def partial(lake: FolderStore, name: str, night: int, **scope: object) -> None:
    rows = {"coverage": [cover(ACME, "DE")]}
    publish(
        lake, name, at(night), rows, kind="partial", trigger="ticket-7", scope=json.dumps(scope)
    )


def lake(folder: Path) -> FolderStore:
    made = make(folder)
    people = [client(ACME, "Acme"), client(BOND, "Bond")]
    publish(made, "s1", at(1), {"coverage": [cover(ACME), cover(BOND)], "customer": people})
    partial(made, "s2", 2, only_customers=[BOND], only_countries=[])
    partial(made, "s3", 3, only_customers=[BOND, ACME, "gone"], only_countries=[])
    partial(made, "s4", 4, only_customers=[], only_countries=["DE", "FR"])
    return made


def test_the_newest_is_first_and_a_partial_one_says_whom_it_was_for(tmp_path: Path) -> None:
    published, _ = snapshot_list.tables(lake(tmp_path), "UTC")
    shown = published.select(["snapshot_id", "kind", "asked_for", "trigger"]).to_pylist()
    assert [tuple(row.values()) for row in shown] == [
        ("s4", "partial", "DE, FR", "ticket-7"),
        ("s3", "partial", "Acme and 2 more", "ticket-7"),
        ("s2", "partial", "Bond", "ticket-7"),
        ("s1", "full", "all customers", "cron"),
    ]


def test_times_are_in_the_time_zone_of_runs(tmp_path: Path) -> None:
    store = lake(tmp_path)
    in_utc, _ = snapshot_list.tables(store, "UTC")
    in_tokyo, _ = snapshot_list.tables(store, "Asia/Tokyo")
    at_utc, at_tokyo = (each.column("published")[0].as_py() for each in (in_utc, in_tokyo))
    assert int(at_tokyo[11:13]) - int(at_utc[11:13]) in {9, 9 - 24}


def test_attempts_that_published_nothing_are_listed_below(tmp_path: Path) -> None:
    store = lake(tmp_path)
    of = {"partner_tenant_id": P, "partner_name": "eu", "kind": "full", "customers": ""}
    rows = [
        {"run_id": "r1", "snapshot_id": "s1", "started_at": at(1), "exit": 0},
        *(
            {"run_id": f"r{n}", "snapshot_id": "", "started_at": at(n), "exit": 77, "reason": "no"}
            for n in (2, 3)
        ),
    ]
    table = pa.Table.from_pylist([of | row for row in rows], schema=ATTEMPT)
    store.record_attempts(table)
    _, unpublished = snapshot_list.tables(store, "UTC")
    assert unpublished.column("run_id").to_pylist() == ["r3", "r2"]
    written = io.StringIO()
    snapshot_list.write(store, "UTC", written)
    lines = written.getvalue().splitlines()
    assert lines[5:7] == ["times in UTC", ""]
    assert lines[7] == "Attempts that published nothing:"
    assert "  77  " in lines[9]


def test_an_empty_store_is_an_empty_list(tmp_path: Path) -> None:
    published, unpublished = snapshot_list.tables(make(tmp_path), "UTC")
    assert (published.num_rows, unpublished.num_rows) == (0, 0)
