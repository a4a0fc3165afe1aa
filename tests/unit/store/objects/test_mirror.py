"""The copies of a store's objects: what is copied, what is removed, and what is never trusted."""

import os
import shutil
from pathlib import Path

import pytest

from auditor.errors import InputMissing, StoreCorrupt, StoreFailed
from auditor.model import bucket_of
from auditor.store.objects.mirror import Mirror
from auditor.store.objects.store import ObjectStore
from tests.builders.objects import (
    Ending,
    copied,
    in_memory,
    machine,
    made,
    publish,
    record_attempt,
    state,
    two_nights,
    verdicts,
)
from tests.builders.store_lake import ACME, BOND, Q


def names(requests: list[str], what: str) -> list[str]:
    return [name for name in requests if what in name]


def copies(root: Path, relation: str) -> list[Path]:
    return sorted(root.glob(f"snapshot=*/{relation}/*.parquet"))


def test_only_the_files_that_a_reader_needs_are_copied(tmp_path: Path) -> None:
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    counting = Ending(objects)
    reader = machine(counting, tmp_path / "reader")
    assert len(reader.published()) == 2
    assert names(counting.requests, "get snapshot=") == []
    assert names(counting.requests, "get manifest/") == [], "the shared index is enough"
    table = reader.arrow("latest_inventory", customer=ACME)
    assert table.num_rows == 2
    read = names(counting.requests, "get snapshot=")
    rows = names(read, "/inventory/")
    assert rows
    assert not names(rows, f"/{bucket_of(BOND, reader.buckets):02d}.parquet")
    assert not names(read, "/check_outcome/")
    del counting.requests[:]
    assert reader.arrow("latest_inventory", customer=ACME).equals(table)
    assert set(counting.requests) == {"list manifest"}


def test_a_statement_reads_every_relation_that_it_reaches(tmp_path: Path) -> None:
    """Also one whose name is made by the statement; others are listed without being copied."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    reader = machine(objects, tmp_path / "reader")
    tables = reader.sql("SELECT count(*) AS n FROM information_schema.tables")
    assert tables.column("n").to_pylist()[0] > 40
    assert copies(tmp_path / "reader", "sku") == []
    for query in (
        "SELECT count(*) AS n FROM inventory",
        "SELECT count(*) AS n FROM query_table('inv' || 'entory')",
    ):
        assert reader.sql(query).column("n").to_pylist() == [4]


def test_attempts_are_read_by_every_machine(tmp_path: Path) -> None:
    objects = in_memory()
    writer = made(objects, tmp_path / "writer")
    reader = machine(objects, tmp_path / "reader")
    assert reader.arrow("attempt").num_rows == 0
    record_attempt(writer, "run-1", 1)
    record_attempt(writer, "run-2", 2)
    assert reader.arrow("attempt").column("run_id").to_pylist() == ["run-1", "run-2"]
    record_attempt(machine(objects, tmp_path / "another"), "run-1", 3)
    assert reader.sql("SELECT max(run_id) AS run FROM attempt WHERE day(started_at) = 3").column(
        "run"
    ).to_pylist() == ["run-1"]


def test_a_damaged_object_is_refused(tmp_path: Path) -> None:
    objects = in_memory()
    store = two_nights(objects, tmp_path / "writer")
    damaged = next(one.key for one in objects.list("snapshot=first") if "/inventory/" in one.key)
    objects.put(damaged, b"PAR1")
    reader = machine(objects, tmp_path / "reader")
    with pytest.raises(StoreCorrupt, match="is not the file that was published"):
        reader.arrow("inventory")
    (fault,) = store.verify("first")
    assert damaged in fault.message
    objects.delete([damaged])
    with pytest.raises(StoreFailed, match="has been removed"):
        reader.arrow("inventory")
    (fault,) = reader.verify("first")
    assert damaged in fault.message
    objects.put(f"{damaged.rpartition('/')[0]}/99.parquet", b"")
    assert len(reader.verify("first")) == 2


def test_copies_that_something_removed_are_made_again(tmp_path: Path) -> None:
    """As by a program that cleans the folder for temporary files."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    root = tmp_path / "reader"
    reader = machine(objects, root)
    expected = state(reader)
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.suffix in {".parquet", ".json"}:
            kept = path.read_bytes()
            path.unlink()
            assert state(machine(objects, root)) == expected, path
            if not path.exists():
                path.write_bytes(kept)
    for path in root.glob("snapshot=*"):
        shutil.rmtree(path)
    assert state(reader) == expected
    (root / "latest.parquet").write_bytes(b"PAR1 damaged")
    assert state(machine(objects, root)) == expected


def test_after_a_restart_of_the_machine_nothing_is_trusted(tmp_path: Path) -> None:
    """Copies are written without waiting for the disk, so a power cut may leave empty files."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    root = tmp_path / "reader"
    expected = state(machine(objects, root))
    for path in copies(root, "*"):
        path.write_bytes(b"")
    (root / ".boot").write_text("before")
    assert state(machine(objects, root)) == expected


def test_a_store_made_anew_at_the_same_place_is_not_mixed_with_the_old_one(tmp_path: Path) -> None:
    old, new = in_memory(), in_memory(writes=500)
    two_nights(old, tmp_path / "old")
    publish(made(new, tmp_path / "new"), "first", 3, "unrestricted", partner_tenant_id=Q)
    root = tmp_path / "reader"
    assert len(verdicts(machine(old, root))) == 4
    reader = machine(new, root)
    assert reader.published() == ("first",)
    assert set(verdicts(reader).values()) == {"unrestricted"}
    assert {partner for partner, _ in verdicts(reader)} == {Q}


def test_a_shared_index_of_another_state_is_not_used(tmp_path: Path) -> None:
    objects, other = in_memory(), in_memory(writes=500)
    store = two_nights(objects, tmp_path / "writer")
    publish(made(other, tmp_path / "other"), "else", 1, "restricted")
    for strange in (other.get("latest.parquet"), objects.get("store.json")):
        assert strange is not None
        objects.put("latest.parquet", strange.data)
        assert state(machine(objects, tmp_path / strange.etag.strip('"'))) == state(store)


def test_a_shared_index_that_is_old_is_completed(tmp_path: Path) -> None:
    objects = in_memory()
    store = two_nights(objects, tmp_path / "writer")
    old = objects.get("latest.parquet")
    assert old is not None
    publish(store, "second", 2, "unrestricted")
    objects.put("latest.parquet", old.data)
    counting = Ending(objects)
    reader = machine(counting, tmp_path / "reader")
    assert reader.published() == store.published()
    assert names(counting.requests, "get manifest/") == ["get manifest/000000000003.json"]
    assert state(reader) == state(store)


def test_the_least_recently_used_copies_are_removed(tmp_path: Path) -> None:
    """Never while a reader may open them; a copy that was removed is copied again."""
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    root = tmp_path / "reader"
    root.mkdir()
    mirror = Mirror(root, objects, cache_bytes=1)
    mirror.open()
    store = ObjectStore(mirror, 4)
    with store.connect(query="sku customer") as con:
        assert store.arrow("inventory").num_rows == 4
        assert copies(root, "sku")
        assert copies(root, "inventory")
        assert con.sql("SELECT count(*) FROM sku").fetchall() == [(2,)]
    assert copies(root, "*") == []
    assert store.arrow("inventory").num_rows == 4


def test_copies_used_last_are_kept(tmp_path: Path) -> None:
    objects = in_memory()
    two_nights(objects, tmp_path / "writer")
    root = tmp_path / "reader"
    reader = machine(objects, root)
    assert reader.arrow("sku").num_rows == 2
    for path in copies(root, "*"):
        os.utime(path, (1, 1))
    assert reader.arrow("inventory").num_rows == 4
    kept = copies(root, "inventory")
    size = sum(path.stat().st_size for path in kept)
    store = ObjectStore(Mirror(root, objects, cache_bytes=size), 4)
    assert store.arrow("customer").num_rows == 4
    assert copies(root, "sku") == []


def test_no_store_is_said_as_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(InputMissing, match="no store at s3://memory"):
        machine(in_memory(), tmp_path / "reader")
    assert copied(in_memory()).list("") == []
