"""P42: a customer is erased from a folder store; each snapshot is whole at every moment."""

import ctypes
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest

from auditor import disk
from auditor.errors import StoreCorrupt, UsageError
from auditor.store import erasure as rules
from auditor.store.folder import erasure
from auditor.store.folder.store import FolderStore
from auditor.tables import KEYS
from tests.builders.store_lake import (
    ACME,
    BOND,
    COHO,
    Row,
    at,
    client,
    cover,
    listed,
    make,
    publish,
    stock,
)
from tests.builders.traces import found_in_files
from tests.unit.store.folder.test_create import OldFileSystem, OldLibrary

NAMES = {ACME: "Acme", BOND: "Bond", COHO: "Coho"}


def rows_of(customers: tuple[str, ...], number: int) -> dict[str, list[Row]]:
    """Return the rows of a night in which these customers are asked."""
    return {
        "coverage": [
            *(cover(one, "DE", checks_answered=2, listings_failed=1) for one in customers),
            *(cover(one) for one in customers),
            cover("", "DE"),
        ],
        "customer": [client(one, NAMES[one]) for one in customers],
        "inventory": [
            stock(one, sku, "restricted", at(number)) for one in customers for sku in ("1", "2")
        ],
        "sku": [listed("1"), listed("2")],
        "check_outcome": [
            {"check_id": f"{one}{number}", "customer_id": one, "outcome": "answered"}
            for one in sorted(customers)
        ],
        "change": [
            {"event_id": f"{one}{number}", "customer_id": one, "suspect": False}
            for one in customers
        ],
    }


def night(lake: FolderStore, number: int, customers: tuple[str, ...], **given: Any) -> None:
    given["checks_answered"] = 2 * len(customers)
    given["listings_failed"] = len(customers)
    publish(lake, f"s{number}", at(number), rows_of(customers, number), **given)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Three nights; the second asks about ACME alone."""
    lake = make(tmp_path)
    night(lake, 1, (ACME, BOND))
    night(lake, 2, (ACME,), kind="partial", scope=f'{{"only_customers": ["{ACME}", "x"]}}')
    night(lake, 3, (ACME, BOND, COHO))
    return lake


def forget(store: FolderStore, customer: str = ACME) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store.forget(store.traces(customer), apply=True).to_pylist()
    return found


def all_rows(store: FolderStore) -> dict[str, list[str]]:
    """Return the rows of each relation, and of the latest map."""
    names = (*KEYS, "latest_cell", "latest_inventory")
    return {name: sorted(map(repr, store.arrow(name).to_pylist())) for name in names}


@pytest.mark.parametrize(
    "asked",
    [[()], [(ACME,)], [(ACME, BOND, COHO), (ACME,), (BOND, ACME)], [(BOND,), (COHO, ACME), ()]],
    ids=str,
)
def test_what_is_left_is_what_would_be_without_the_customer(
    tmp_path: Path, asked: list[tuple[str, ...]]
) -> None:
    """P42: against a store that never knew the customer."""
    one, other = make(tmp_path / "one"), make(tmp_path / "other")
    for number, customers in enumerate(asked, start=1):
        night(one, number, customers)
        night(other, number, tuple(c for c in customers if c != ACME))
    forget(one)
    assert all_rows(one) == all_rows(other)
    assert [one.verify(name) for name in one.published()] == [[]] * len(asked)
    assert found_in_files((ACME, "Acme"), one.root) == []


def test_every_snapshot_verifies_and_no_byte_is_left(store: FolderStore) -> None:
    reader = FolderStore.open(str(store.root))
    assert reader.arrow("latest_inventory").num_rows == 6
    planned = store.forget(store.traces(ACME), apply=False).to_pylist()
    rows = forget(store)
    assert rows == planned
    of = {row["what"]: (row["files"], row["rows"]) for row in rows}
    assert of["inventory"] == (3, 6)
    assert of["snapshot"] == (3, 3)
    assert found_in_files((ACME, "Acme", "acme.example"), store.root) == []
    assert [store.verify(name) for name in ("s1", "s2", "s3")] == [[], [], []]
    assert reader.arrow("latest_inventory").num_rows == 4
    assert store.snapshot("s2")["scope"] == '{"only_customers": ["x"]}'
    assert forget(store) == []


def test_counts_are_those_of_the_rows_that_are_left(store: FolderStore) -> None:
    forget(store)
    found = store.snapshots().to_pylist()
    names = ("checks_answered", "listings_failed", "inventory_rows", "changes")
    assert [tuple(row[name] for name in names) for row in found] == [
        (2, 1, 2, 1),
        (0, 0, 0, 0),
        (4, 2, 4, 2),
    ]
    for number, row in enumerate(found, start=1):
        assert store.snapshot(f"s{number}") == row


def test_a_pruned_snapshot_stays_pruned(store: FolderStore) -> None:
    store.prune(at(9) - at(3), at(9), apply=True)
    forget(store)
    assert store.verify("s1") == []
    assert (store.root / "snapshot=s1" / "pruned.json").exists()
    assert found_in_files((ACME, "Acme"), store.root) == []


def test_files_without_the_customer_are_the_same_files(store: FolderStore) -> None:
    path = next((store.root / "snapshot=s1" / "sku").iterdir())
    before = path.stat().st_ino
    forget(store)
    assert path.stat().st_ino == before


def test_an_open_connection_goes_on(store: FolderStore) -> None:
    """Fault 33: its files are exchanged under it. None of them is missing."""
    with store.connect() as con:
        asked = "SELECT count(*), count(*) FILTER (WHERE customer_id = $1) FROM inventory"
        assert con.execute(asked, [ACME]).fetchone() == (12, 6)
        forget(FolderStore.open(str(store.root)))
        assert con.execute(asked, [ACME]).fetchone() == (6, 0)
        assert con.execute("SELECT count(*) FROM latest_inventory").fetchone() == (4,)


def test_a_damaged_file_is_refused_before_anything_is_altered(store: FolderStore) -> None:
    """P15: its damage would pass as intended."""
    path = max((store.root / "snapshot=s3" / "inventory").iterdir(), key=lambda p: p.stat().st_size)
    acme = next(
        p
        for p in (store.root / "snapshot=s3" / "inventory").iterdir()
        if ACME in pq.read_table(p).column("customer_id").to_pylist()
    )
    pq.write_table(pq.read_table(acme, partitioning=None), acme)
    before = {p: p.read_bytes() for p in path.parents[2].rglob("*") if p.is_file()}
    with pytest.raises(StoreCorrupt, match="expected sha256"):
        forget(store)
    store.recover()
    assert {p: p.read_bytes() for p in path.parents[2].rglob("*") if p.is_file()} == before


def test_a_former_name_is_found_and_a_name_of_two_is_refused(store: FolderStore) -> None:
    rows = {"coverage": [cover(ACME)], "customer": [client(ACME, "Apex")]}
    publish(store, "s4", at(4), rows)
    assert store.traces("acme").customer_id == ACME
    assert set(store.traces("Apex").names) == {"Acme", "acme.example", "Apex", "apex.example"}
    rows = {"coverage": [cover(BOND)], "customer": [client(BOND, "Acme")]}
    publish(store, "s5", at(5), rows)
    with pytest.raises(UsageError, match=f"{ACME}, {BOND}"):
        store.traces("acme")
    with pytest.raises(UsageError, match="no customer 'Amce'"):
        store.traces("Amce")


def test_another_customer_of_the_same_name_stays(store: FolderStore) -> None:
    rows = {"coverage": [cover(COHO)], "customer": [client(COHO, "Acme")]}
    publish(store, "s4", at(4), rows)
    forget(store, ACME)
    assert store.find_customer("Acme") == COHO


def killed(store: FolderStore, customer: str) -> None:
    """Leave what an erasure leaves that is killed once it has exchanged the first snapshot."""
    whole = store.root.with_name("whole")
    shutil.copytree(store.root, whole)
    forget(FolderStore.open(str(whole)), customer)
    traces = store.traces(customer)
    disk.replace(store.root / "forgetting.json", msgspec.json.encode(traces))
    shutil.copy(whole / "latest.parquet", store.root / "latest.parquet")
    shutil.rmtree(store.root / "snapshot=s1")
    (whole / "snapshot=s1").rename(store.root / "snapshot=s1")
    (store.root / ".erasing").mkdir()
    shutil.copytree(whole / "snapshot=s2", store.root / ".erasing" / "snapshot=s2")


@pytest.mark.parametrize("name", [ACME, "Acme"])
def test_a_killed_erasure_is_completed_by_a_second_one(store: FolderStore, name: str) -> None:
    """By name too, although no view knows the name any more."""
    killed(store, ACME)
    assert [store.verify(one) for one in ("s1", "s2", "s3")] == [[], [], []]
    forget(store, name)
    assert found_in_files((ACME, "Acme"), store.root) == []
    assert not (store.root / "forgetting.json").exists()


def test_a_killed_erasure_is_completed_before_that_of_another_customer(store: FolderStore) -> None:
    killed(store, ACME)
    forget(store, "Bond")
    assert found_in_files((ACME, "Acme", BOND, "Bond"), store.root) == []


def test_without_an_exchange_a_kill_between_two_renames_loses_nothing(store: FolderStore) -> None:
    """The next publisher puts the new folder of the snapshot in its place."""
    staging = store.root / ".erasing"
    staging.mkdir()
    shutil.copytree(store.root / "snapshot=s2", staging / "snapshot=s2")
    (store.root / "snapshot=s2").rename(staging / "old-snapshot=s2")
    assert store.published() == ("s1", "s3")
    store.recover()
    assert store.published() == ("s1", "s2", "s3")
    assert not staging.exists()


@pytest.mark.parametrize("library", [OldLibrary, OldFileSystem])
def test_without_an_exchange_two_renames_do_it(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, library: type[OldLibrary]
) -> None:
    monkeypatch.setattr(ctypes, "CDLL", library)
    forget(store)
    assert found_in_files((ACME, "Acme"), store.root) == []
    assert [store.verify(name) for name in ("s1", "s2", "s3")] == [[], [], []]


def test_two_folders_change_places(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    disk.exchange(tmp_path / "one", tmp_path / "other", tmp_path / "aside")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()


def test_a_planted_link_is_not_followed(store: FolderStore, tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").touch()
    (store.root / ".erasing").symlink_to(tmp_path / "elsewhere")
    forget(store)
    assert (tmp_path / "elsewhere" / "file").exists()
    assert erasure.unfinished(store.root) is None


TRACES = rules.Traces(
    customer_id=ACME, names=("Acme; Sons", "acme.example"), subscriptions=("sub-1",)
)


@pytest.mark.parametrize(
    ("customers", "left"),
    [
        (f"{ACME};other.example", "other.example"),
        (" ACME.example ;x", "x"),
        ("acme; sons", ""),
        ("notacme", "notacme"),
        (None, ""),
    ],
)
def test_an_attempt_keeps_only_other_customers(customers: str | None, left: str) -> None:
    """A company name may hold the character that separates names."""
    row = {"customers": customers, "reason": f"403 for {ACME.upper()}", "exit": 77}
    assert TRACES.attempt(row) == {"customers": left, "reason": "", "exit": 77}


def test_a_scope_loses_the_customer_and_its_subscriptions() -> None:
    before = f'{{"only_customers":["{ACME}","x"],"azure_subscriptions":["SUB-1","sub-10"]}}'
    after = '{"azure_subscriptions": ["sub-10"], "only_customers": ["x"]}'
    assert TRACES.scope(before) == after
    assert TRACES.scope('{"a":1}') == '{"a":1}'
    assert TRACES.scope(None) is None
