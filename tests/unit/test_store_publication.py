"""P10, P12, P14, P16: a snapshot is published whole, once, by one publisher, or not at all."""

import ctypes
import errno
import fcntl
import json
import multiprocessing
import os
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from store_lake import (
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

from auditor.errors import (
    Bug,
    InputMissing,
    Locked,
    StoreCorrupt,
    StoreError,
    StoreFailed,
    StoreTooNew,
    StoreUnwritable,
    UsageError,
)
from auditor.model import bucket_of
from auditor.store import disk, open_store
from auditor.store.lock import publish_lock
from auditor.store.parquet import FolderStore
from auditor.store.protocol import Store
from auditor.tables import SCHEMAS

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


def test_latest_cells_tell_snapshot_sequence_status_and_scope(tmp_path: Path) -> None:
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


def test_newest_full_skips_partial_snapshots(tmp_path: Path) -> None:
    store = make(tmp_path)
    assert store.newest_full(P) is None
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND, kind="partial")
    newest = store.newest_full(P)
    assert newest is not None
    assert newest["snapshot_id"] == "s1"


def test_gaps_count_the_snapshots_that_covered_a_cell_since(tmp_path: Path) -> None:
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


def test_a_publisher_killed_before_the_rename_leaves_nothing_to_see(tmp_path: Path) -> None:
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


def test_what_a_killed_publisher_was_writing_beside_the_latest_map_goes(tmp_path: Path) -> None:
    """P15."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    (store.root / ".latest.parquet.4711").write_bytes(b"half")
    store.recover()
    assert [path.name for path in store.root.glob(".latest*")] == []
    assert verdicts(store) == [(ACME, "restricted"), (BOND, "restricted")]


@pytest.mark.parametrize("damage", ["older", "missing", "damaged", "cut"])
def test_the_rename_alone_publishes(tmp_path: Path, damage: str) -> None:
    """P10: killed between the rename and the rewrite of latest.parquet, or without it."""
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
    """What the fallback for kernels without renameat2 leaves when killed half-way."""
    store = make(tmp_path)
    (store.root / "snapshot=s1").mkdir()
    assert store.arrow("snapshot").num_rows == 0
    assert publish(store, "s1", at(1), FIRST)


def test_a_snapshot_taken_away_by_hand_is_not_the_latest(tmp_path: Path) -> None:
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    publish(store, "s2", at(2), SECOND)
    shutil.rmtree(store.root / "snapshot=s2")
    assert verdicts(open_store(str(store.root))) == [(ACME, "restricted"), (BOND, "restricted")]


def test_rename_never_replaces(tmp_path: Path) -> None:
    """A plain rename silently replaces an empty folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(StoreUnwritable):
        disk.rename_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").is_dir()


class OldLibrary:
    """A C library that has no such call."""

    def __init__(self, *_: object, **__: object) -> None: ...


class OldFileSystem(OldLibrary):
    """A file system that cannot do it."""

    def renameat2(self, *_: object) -> int:
        ctypes.set_errno(errno.EINVAL)
        return -1


@pytest.mark.parametrize(
    ("module", "name", "value"),
    [
        (sys, "platform", "another"),
        (ctypes, "CDLL", OldLibrary),
        (ctypes, "CDLL", OldFileSystem),
    ],
)
def test_without_a_rename_that_refuses_a_folder_is_made_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, value: object
) -> None:
    store = make(tmp_path)
    monkeypatch.setattr(module, name, value)
    publish(store, "s1", at(1), FIRST)
    assert verdicts(store) == [(ACME, "restricted"), (BOND, "restricted")]
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(StoreUnwritable):
        disk.rename_new(tmp_path / "a", tmp_path / "b")


def test_of_two_makers_the_first_stays(tmp_path: Path) -> None:
    disk.put_if_absent(tmp_path / "store.json", b"first")
    disk.put_if_absent(tmp_path / "store.json", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_where_there_are_no_links_a_store_is_made_by_a_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    disk.put_if_absent(tmp_path / "store.json", b"first")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_a_link_that_fails_otherwise_makes_no_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StoreFailed):
        disk.put_if_absent(tmp_path / "store.json", b"first")
    assert not (tmp_path / "store.json").exists()


def test_whether_a_folder_can_be_written_is_tried_where_that_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.try_to_write(tmp_path)
    assert [*tmp_path.iterdir()] == []
    disk.try_to_write(Path("/proc"))  # knows no files without a name
    with pytest.raises(StoreUnwritable):
        disk.try_to_write(tmp_path / "nothing")
    monkeypatch.delattr(os, "O_TMPFILE")
    disk.try_to_write(tmp_path / "nothing")


def test_a_full_disk_that_tells_nothing_of_itself_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_usage(_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    with pytest.raises(StoreFailed, match=r"\(have 0\)"), disk.guarded(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    with pytest.raises(StoreUnwritable):
        disk.write_new(tmp_path / "link", b"x")
    disk.replace(tmp_path / "link", b"x")
    assert not (tmp_path / "target").exists()


def test_a_planted_staging_folder_is_not_emptied(tmp_path: Path) -> None:
    """S12: what lies in the staging folder is removed, but not what lies behind a link."""
    store = make(tmp_path)
    victim = tmp_path / "victim"
    (victim / "precious").mkdir(parents=True)
    (store.root / ".staging").rmdir()
    (store.root / ".staging").symlink_to(victim)
    publish(store, "s1", at(1), FIRST)
    assert [path.name for path in victim.iterdir()] == ["precious"]
    assert len(store.index().entries) == 1


def test_files_hold_values_and_nothing_for_a_library_to_run(tmp_path: Path) -> None:
    """S11: no notes of pandas on how to rebuild its objects, and no opaque bytes."""
    store = make(tmp_path)
    publish(store, "s1", at(1), FIRST)
    files = list(store.root.rglob("*.parquet"))
    assert files
    for path in files:
        schema = pq.read_schema(path)
        assert b"pandas" not in (schema.metadata or {})
        assert not [field for field in schema if pa.types.is_binary(field.type)]


def test_no_manifest_of_an_old_snapshot_is_opened_to_read(tmp_path: Path) -> None:
    """What 400 snapshots cost to open is one file."""
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


def hold(
    folder: str,
    held: "multiprocessing.synchronize.Event",
    done: "multiprocessing.synchronize.Event",
) -> None:
    with open_store(folder).publishing(0.0):
        held.set()
        done.wait(60)


def test_a_second_publisher_waits_a_bounded_time_and_a_killed_one_frees_the_lock(
    tmp_path: Path,
) -> None:
    """P14."""
    store = make(tmp_path)
    spawn = multiprocessing.get_context("spawn")
    held, done = spawn.Event(), spawn.Event()
    other = spawn.Process(target=hold, args=(str(store.root), held, done))
    other.start()
    assert held.wait(60)
    now = [0.0]
    with (
        pytest.raises(Locked, match="waited 3 s"),
        store.publishing(3.0, lambda: now[0], lambda s: now.__setitem__(0, now[0] + s)),
    ):
        pytest.fail("two publishers at once")
    assert 3.0 <= now[0] < 3.2
    other.kill()
    other.join()
    with store.publishing(0.0) as publication:
        assert publication.sequence == 1


def test_a_lock_file_that_is_taken_away_while_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two publishers would each hold one of them. Another maker's may be in its place already."""
    path = tmp_path / "lock"
    real = fcntl.flock

    def replaced() -> None:
        path.rename(tmp_path / "old")
        path.touch()

    left = [path.unlink, replaced]

    def flock(handle: int, how: int) -> None:
        if left:
            left.pop()()
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    pauses: list[float] = []
    with publish_lock(path, 1.0, lambda: 0.0, pauses.append), path.open() as beside:
        assert len(pauses) == 2
        with pytest.raises(BlockingIOError):
            real(beside, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_disk_without_locks_is_told_and_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handles: list[int] = []

    def flock(handle: int, _: int) -> None:
        handles.append(handle)
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(StoreFailed, match="lock"), publish_lock(tmp_path / "lock", 1.0):
        pytest.fail("locked")
    [handle] = handles
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(handle)


def test_a_taken_away_lock_file_locks_nothing(tmp_path: Path) -> None:
    store = make(tmp_path)
    with store.publishing(0.0):
        (store.root / ".publish.lock").unlink()
        with store.publishing(0.0):
            pass


@pytest.mark.parametrize(
    ("relation", "rows", "said"),
    [
        ("inventory", [stock(ACME, "1", "restricted", at(1))] * 2, "comes twice"),
        ("inventory", [stock(ACME, "1", "restricted", at(1), country=None)], "null"),
        (
            "inventory",
            [stock(ACME, "1", "restricted", at(1), snapshot_id="s0")],
            "another snapshot",
        ),
    ],
)
def test_rows_that_break_the_relation_are_a_bug(
    tmp_path: Path, relation: str, rows: list[dict[str, object]], said: str
) -> None:
    store = make(tmp_path)
    with pytest.raises(Bug, match=said):
        publish(store, "s1", at(1), {"coverage": [cover(ACME, "DE")], relation: rows})


def test_rows_outside_the_coverage_are_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    rows = {"inventory": [stock(ACME, "1", "restricted", at(1))]}
    with pytest.raises(Bug, match="not covered"):
        publish(store, "s1", at(1), {"coverage": [cover(BOND, "DE")], **rows})
    with pytest.raises(Bug, match="has left"):
        publish(store, "s1", at(1), {"coverage": [cover(ACME, "DE", status="left")], **rows})


def test_rows_in_the_wrong_bucket_or_with_other_columns_are_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    table = rows_table("inventory", [stock(ACME, "1", "restricted", at(1))], "s1")
    wrong = (bucket_of(ACME, store.buckets) + 1) % store.buckets
    with store.publishing(0.0) as publication:
        publication.stage("s1")
        with pytest.raises(Bug, match="bucket"):
            publication.write("inventory", wrong, table)
        with pytest.raises(Bug, match="verdict"):
            publication.write("inventory", 0, table.drop_columns("verdict"))


def test_a_snapshot_row_without_a_column_is_a_bug(tmp_path: Path) -> None:
    store = make(tmp_path)
    row = snapshot_row("s1", at(1))
    del row["run_id"]
    with store.publishing(0.0) as publication:
        publication.stage("s1")
        with pytest.raises(Bug, match="run_id"):
            publication.commit(row, "c")


def test_what_is_written_or_published_is_staged_first_and_once(tmp_path: Path) -> None:
    store = make(tmp_path)
    table = rows_table("coverage", FIRST["coverage"][:1], "s1")
    bucket = bucket_of(ACME, store.buckets)
    with store.publishing(0.0) as publication:
        with pytest.raises(Bug, match="write before stage"):
            publication.write("coverage", bucket, table)
        with pytest.raises(Bug, match="commit before stage"):
            publication.commit(snapshot_row("s1", at(1)), "c")
        publication.stage("s1")
        publication.write("coverage", bucket, table)
        with pytest.raises(Bug, match="twice"):
            publication.write("coverage", bucket, table)


def test_a_file_in_the_staging_folder_goes_too(tmp_path: Path) -> None:
    store = make(tmp_path)
    staging = store.root / ".staging"
    (staging / "file").write_text("x")
    (staging / "link").symlink_to(tmp_path)
    (staging / "folder").mkdir()
    with store.publishing(0.0):
        assert [*staging.iterdir()] == []
    assert store.root.is_dir()


@pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "a\0b", "x" * 300, ".hidden"])
def test_a_snapshot_id_is_no_path(tmp_path: Path, name: str) -> None:
    """S9."""
    store = make(tmp_path)
    with store.publishing(0.0) as publication, pytest.raises(UsageError):
        publication.stage(name)


def test_strings_and_any_order_of_rows_and_columns_give_the_same_bytes(tmp_path: Path) -> None:
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
            publication.write("inventory", 0, given)
            written.append((store.root / ".staging/s1/inventory/00.parquet").read_bytes())
    assert written[0] == written[1]


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
    ("number", "status", "said"),
    [
        (errno.ENOSPC, 74, "need 7 bytes, have"),
        (errno.EDQUOT, 74, "have"),
        (errno.EIO, 74, "cannot use"),
        (errno.EACCES, 73, "cannot write"),
        (errno.EROFS, 73, "cannot write"),
    ],
)
def test_what_a_disk_says_names_the_path(
    tmp_path: Path, number: int, status: int, said: str
) -> None:
    """P30."""
    with pytest.raises(StoreError) as caught, disk.guarded(tmp_path / "x", need=7):
        raise OSError(number, os.strerror(number))
    assert caught.value.exit_status == status
    assert said in caught.value.message
    assert str(tmp_path / "x") in caught.value.message


def test_a_timeout_is_not_a_disk_fault(tmp_path: Path) -> None:
    """A TimeoutError is an OSError."""
    with pytest.raises(TimeoutError), disk.guarded(tmp_path):
        raise TimeoutError


def test_a_store_in_the_place_of_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("")
    with pytest.raises(StoreUnwritable):
        open_store(str(tmp_path / "lake"), create=True)


def test_a_store_is_made_once(tmp_path: Path) -> None:
    make(tmp_path, buckets=4)
    assert make(tmp_path, buckets=8).buckets == 4


def test_no_store_is_input_missing(tmp_path: Path) -> None:
    with pytest.raises(InputMissing):
        open_store(str(tmp_path / "nothing"))


def test_a_newer_store_is_refused(tmp_path: Path) -> None:
    store = make(tmp_path)
    path = store.root / "store.json"
    path.write_text(json.dumps({"schema_version": 2, "buckets": 4, "new": True}))
    with pytest.raises(StoreTooNew) as caught:
        open_store(str(store.root))
    assert caught.value.exit_status == 76
    path.write_text("[")
    with pytest.raises(StoreCorrupt):
        open_store(str(store.root))
