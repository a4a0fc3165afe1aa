"""P10, P12, P14, P16: a snapshot is published whole, once, by one publisher, or not at all."""

import errno
import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from auditor import disk
from auditor.errors import Bug, InputMissing, StoreCorrupt, StoreError, StoreTooNew, StoreUnwritable
from auditor.model import bucket_of
from auditor.store import open_store
from auditor.store.folder.store import FolderStore
from auditor.store.interface import Store
from auditor.store.span import EVERYONE, Span
from auditor.tables import SCHEMA_VERSION, SCHEMAS
from tests.builders.store_lake import (
    ACME,
    BOND,
    P,
    at,
    cover,
    listed,
    make,
    publish,
    rows_table,
    snapshot_row,
    stage,
    stock,
)

FIRST = {
    "coverage": [cover(ACME, "DE"), cover(BOND, "DE"), cover("", "DE")],
    "inventory": [
        stock(ACME, "0011", "restricted", at(1)),
        stock(BOND, "0011", "restricted", at(1)),
    ],
    "sku": [listed("0011")],
}
SECOND = {
    "coverage": [cover(ACME, "DE")],
    "inventory": [stock(ACME, "0011", "unrestricted", at(2))],
}


def verdicts(store: Store) -> list[tuple[str, str]]:
    rows = store.arrow("current_inventory").to_pylist()
    return sorted((row["customer_id"], row["verdict"]) for row in rows)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_published_snapshot_is_read_back(tmp_path: Path) -> None:
    store = make(tmp_path)
    assert publish(store, "s1", at(1), FIRST)
    assert verdicts(store) == [(ACME, "restricted"), (BOND, "restricted")]
    assert store.snapshot("latest")["inventory_rows"] == 2
    assert store.snapshot("s1")["started_at"] == at(1)


def test_only_the_newest_snapshot_of_each_cell_is_current(tmp_path: Path) -> None:
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND, kind="partial")
    assert verdicts(store) == [(ACME, "unrestricted"), (BOND, "restricted")]
    assert store.arrow("inventory").num_rows == 3


def test_known_gives_the_current_rows_of_one_bucket(tmp_path: Path) -> None:
    store = make(tmp_path, buckets=1)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND, kind="partial")
    known = store.known("inventory", 0, P)
    assert known.schema == SCHEMAS["inventory"].remove(0)
    found = {row["customer_id"]: row["verdict"] for row in known.to_pylist()}
    assert found == {ACME: "unrestricted", BOND: "restricted"}
    assert store.known("sku", 0, P).num_rows == 1
    assert store.known("inventory", 0, "another-partner").num_rows == 0


def test_latest_cells_give_snapshot_sequence_status_and_scope(tmp_path: Path) -> None:
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), {"coverage": [cover(ACME, "DE", status="left", scope='{"a":1}')]})
    rows = store.latest_cells(P).to_pylist()
    found = {(row["customer_id"], row["country"]): row for row in rows}
    assert found[BOND, "DE"]["snapshot_id"] == "s1"
    left = found[ACME, "DE"]
    assert (left["snapshot_id"], left["sequence"], left["status"]) == ("s2", 2, "left")
    assert left["scope"] == '{"a":1}'
    assert verdicts(store) == [(BOND, "restricted")]


def test_gaps_count_the_later_snapshots_that_covered_the_cell(tmp_path: Path) -> None:
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND)
    publish(store, "s3", at(3), SECOND)
    asked = pa.table(
        {
            "partner_tenant_id": [P, P, P, P],
            "customer_id": [ACME, ACME, BOND, BOND],
            "country": ["DE"] * 4,
            "before_snapshot_id": ["s1", "s2", "s1", "s1"],
        }
    )
    rows = store.gaps(asked).to_pylist()
    found = {(row["customer_id"], row["before_snapshot_id"]): row["gap_snapshots"] for row in rows}
    assert found == {(ACME, "s1"): 2, (ACME, "s2"): 1, (BOND, "s1"): 0}


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    """P12."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    before = files_below(store.root)
    assert not publish(store, "s1", at(1), SECOND)
    assert files_below(store.root) == before


def test_the_same_id_with_another_configuration_is_refused(tmp_path: Path) -> None:
    """P12."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    with pytest.raises(StoreError, match="another configuration"):
        publish(store, "s1", at(1), FIRST, config_hash="other")


def test_a_publisher_killed_before_the_rename_leaves_nothing_visible(tmp_path: Path) -> None:
    """P10, P16."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    with store.publishing(0.0) as publication:
        publication.stage("s2")
        stage(publication.write, store.buckets, "s2", SECOND, {})
    assert (store.root / ".staging" / "s2").is_dir()
    assert verdicts(store) == [(ACME, "restricted"), (BOND, "restricted")]
    store.recover()
    assert not list((store.root / ".staging").iterdir())
    assert publish(store, "s2", at(2), SECOND)


def test_temporary_files_of_a_killed_publisher_are_removed(tmp_path: Path) -> None:
    """P15."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    for name in (".latest.parquet.4711.new", "_schema/.inventory.parquet.4711-1.new"):
        (store.root / name).write_bytes(b"half")
    store.recover()
    assert [path.name for path in (store.root / "_schema").glob(".*")] == []
    assert [path.name for path in store.root.glob(".latest*")] == []
    assert verdicts(store) == [(ACME, "restricted"), (BOND, "restricted")]


@pytest.mark.parametrize("damage", ["older", "missing", "damaged", "cut"])
def test_the_rename_alone_publishes_a_snapshot(tmp_path: Path, damage: str) -> None:
    """P10: the publisher was killed before it rewrote latest.parquet, or that file is damaged."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    latest = store.root / "latest.parquet"
    older = latest.read_bytes()
    publish(store, "s2", at(2), SECOND, kind="partial")
    newer = latest.read_bytes()
    latest.unlink()
    if damage == "older":
        latest.write_bytes(older)
    elif damage == "damaged":
        latest.write_bytes(b"PAR1" + newer[4:100] + b"x" + newer[101:])
    elif damage == "cut":
        latest.write_bytes(newer[:50])
    again = FolderStore.open(str(store.root))
    assert verdicts(again) == [(ACME, "unrestricted"), (BOND, "restricted")]
    again.recover()
    assert not again.index().is_stale
    assert verdicts(open_store(str(store.root))) == [(ACME, "unrestricted"), (BOND, "restricted")]


def test_a_folder_without_a_manifest_is_not_a_snapshot(tmp_path: Path) -> None:
    """The fallback for kernels without renameat2 leaves one if it is killed between its steps."""
    store = make(tmp_path)
    (store.root / "snapshot=s1").mkdir()
    assert store.arrow("snapshot").num_rows == 0
    assert publish(store, "s1", at(1), FIRST)


def test_a_snapshot_removed_by_hand_is_not_the_latest(tmp_path: Path) -> None:
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND)
    shutil.rmtree(store.root / "snapshot=s2")
    assert verdicts(open_store(str(store.root))) == [(ACME, "restricted"), (BOND, "restricted")]


def test_files_hold_only_values_and_nothing_that_a_library_runs(tmp_path: Path) -> None:
    """S11: no pandas metadata for rebuilding objects, and no opaque bytes."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    files = list(store.root.rglob("*.parquet"))
    assert files
    for path in files:
        schema = pq.read_schema(path)
        assert b"pandas" not in (schema.metadata or {})
        assert not [field for field in schema if pa.types.is_binary(field.type)]


def test_reading_opens_no_manifest_of_a_snapshot(tmp_path: Path) -> None:
    """So opening a store of 400 snapshots reads one file."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND)
    for path in store.root.glob("snapshot=*/manifest.json"):
        path.write_text("never read")
    again = open_store(str(store.root))
    assert verdicts(again) == [(ACME, "unrestricted"), (BOND, "restricted")]


def test_old_snapshots_keep_every_byte(tmp_path: Path) -> None:
    """P16."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    before = files_below(store.root / "snapshot=s1")
    publish(store, "s2", at(2), SECOND)
    assert files_below(store.root / "snapshot=s1") == before


def test_plain_strings_and_any_order_of_rows_give_the_same_bytes(tmp_path: Path) -> None:
    """P8."""
    rows = [stock(ACME, f"{n:04d}", "restricted", at(1)) for n in range(50)]
    table = rows_table("inventory", rows, "s1")
    plain = pa.table(
        {
            name: table.column(name).cast(pa.string())
            if pa.types.is_dictionary(table.schema.field(name).type)
            else table.column(name)
            for name in reversed(table.column_names)
        }
    ).take(list(reversed(range(50))))
    written = []
    for number, given in enumerate((table, plain)):
        store = FolderStore.open(str(tmp_path / str(number)), create=True, buckets=1)
        with store.publishing(0.0) as publication:
            publication.stage("s1")
            publication.write("coverage", 0, rows_table("coverage", [cover(ACME, "DE")], "s1"))
            publication.write("inventory", 0, given)
            publication.commit(snapshot_row("s1", at(1)), "c")
        written.append((store.root / "snapshot=s1/inventory/00.parquet").read_bytes())
    assert written[0] == written[1]


def test_a_bucket_is_written_and_read_a_few_customers_at_a_time(tmp_path: Path) -> None:
    """P25: reading some customers does not decode the row groups of others."""
    store = FolderStore.open(str(tmp_path / "lake"), create=True, buckets=1)
    customers = [f"c{n}" for n in range(4)]
    with store.publishing(0.0) as publication:
        publication.stage("s1")
        cells = [cover(customer, "DE") for customer in customers]
        publication.write("coverage", 0, rows_table("coverage", cells, "s1"))
        for some in (customers[:2], customers[2:]):
            rows = [stock(c, f"{n:04}", "restricted", at(1)) for c in some for n in range(3)]
            publication.write("inventory", 0, rows_table("inventory", rows, "s1"))
        with pytest.raises(Bug, match="twice"):
            publication.write("inventory", 0, rows_table("inventory", rows, "s1"))
        publication.commit(snapshot_row("s1", at(1)), "c")
    path = store.root / "snapshot=s1/inventory/00.parquet"
    assert pq.read_metadata(path).num_row_groups == 2
    assert store.verify("s1") == []
    assert pq.read_table(path).column("customer_id").to_pylist() == sorted(customers * 3)
    for span, named in {
        EVERYONE: customers,
        Span("c1", "c3"): ["c1", "c2"],
        Span("c3"): ["c3"],
        Span("", "c1"): ["c0"],
    }.items():
        known = store.known("inventory", 0, P, span=span)
        assert known.column("customer_id").unique().to_pylist() == named
    damaged = bytearray(path.read_bytes())
    part = pq.read_metadata(path).row_group(1).column(SCHEMAS["inventory"].names.index("sku_id"))
    damaged[part.dictionary_page_offset + part.total_compressed_size - 1] ^= 1
    path.write_bytes(damaged)
    assert store.known("inventory", 0, P, span=Span("", "c2")).num_rows == 6
    with pytest.raises(StoreCorrupt):
        store.known("inventory", 0, P)


def test_every_byte_is_synced_before_the_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fault 5: files, then folders, then the rename, then the folder it is in."""
    store = make(tmp_path)
    done: list[str] = []
    real_fsync = os.fsync

    def fsync(handle: int) -> None:
        done.append(os.path.relpath(Path(f"/proc/self/fd/{handle}").readlink(), store.root))
        real_fsync(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    publish(store, "s1", at(1), SECOND)
    bucket = f"{bucket_of(ACME, store.buckets):02d}.parquet"
    staged = [
        ".staging/s1/manifest.json",
        f".staging/s1/inventory/{bucket}",
        ".staging/s1/inventory",
    ]
    commit = done.index(".")
    assert all(done.index(path) < done.index(".staging/s1") < commit for path in staged)


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (errno.ENOSPC, 74, "need 7 bytes, have"),
        (errno.EDQUOT, 74, "have"),
        (errno.EIO, 74, "cannot use"),
        (errno.EACCES, 73, "cannot write"),
        (errno.EROFS, 73, "cannot write"),
    ],
)
def test_a_disk_error_names_the_path(
    tmp_path: Path, number: int, status: int, message: str
) -> None:
    """P30."""
    with pytest.raises(StoreError) as caught, disk.guarded(tmp_path / "x", need=7):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_status == status
    assert message in caught.value.message
    assert str(tmp_path / "x") in caught.value.message


def test_a_timeout_is_not_a_disk_fault(tmp_path: Path) -> None:
    """A TimeoutError is an OSError."""
    with pytest.raises(TimeoutError), disk.guarded(tmp_path):
        raise TimeoutError


def test_a_store_cannot_be_created_in_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(StoreUnwritable):
        open_store(str(tmp_path / "lake"), create=True)


def test_a_store_is_created_only_once(tmp_path: Path) -> None:
    make(tmp_path, buckets=4)
    assert make(tmp_path, buckets=8).buckets == 4


def test_a_missing_store_is_missing_input(tmp_path: Path) -> None:
    with pytest.raises(InputMissing):
        open_store(str(tmp_path / "nothing"))


def test_a_newer_or_damaged_store_file_is_refused(tmp_path: Path) -> None:
    store = make(tmp_path)
    path = store.root / "store.json"
    path.write_text(json.dumps({"schema_version": SCHEMA_VERSION + 1, "buckets": 4, "new": True}))
    with pytest.raises(StoreTooNew) as caught:
        open_store(str(store.root))
    assert caught.value.exit_status == 76
    path.write_text("[")
    with pytest.raises(StoreCorrupt):
        open_store(str(store.root))
