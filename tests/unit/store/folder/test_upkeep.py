"""P15: a snapshot is verified against its manifest. Pruning drops bulk and keeps history."""

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from auditor.errors import StoreCorrupt
from auditor.store import open_store
from auditor.store.folder.index import Index
from auditor.store.folder.store import FolderStore
from auditor.store.interface import Store
from auditor.tables import ATTEMPT, BULKY
from tests.builders.store_lake import (
    ACME,
    BOND,
    P,
    Q,
    at,
    cover,
    listed,
    make,
    publish,
    rows_table,
    stock,
)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """Three nights. The second is the latest of BOND, the third of ACME and the catalog."""
    lake = make(tmp_path)
    for night, customers in ((1, (ACME, BOND)), (2, (BOND,)), (3, (ACME,))):
        rows = {
            "coverage": [*(cover(one, "DE") for one in customers), cover("", "DE")],
            "inventory": [stock(one, "0011", "restricted", at(night)) for one in customers],
            "sku": [listed("0011")],
            "check_outcome": [
                {"check_id": "1", "customer_id": ACME, "country": "DE", "outcome": "answered"}
            ],
            "change": [
                {
                    "event_id": f"e{night}",
                    "customer_id": ACME,
                    "subject": "inventory",
                    "kind": "newly_restricted",
                    "suspect": False,
                    "after_at": at(night),
                }
            ],
        }
        publish(lake, f"s{night}", at(night), rows)
    return lake


def test_a_published_snapshot_verifies(store: FolderStore) -> None:
    assert [store.verify(name) for name in ("s1", "s2", "s3")] == [[], [], []]


def test_a_flipped_byte_is_found_and_named(store: FolderStore) -> None:
    """Fault 7."""
    path = next((store.root / "snapshot=s1" / "inventory").iterdir())
    whole = path.read_bytes()
    for at_byte in range(0, len(whole), 97):
        path.write_bytes(whole[:at_byte] + bytes([whole[at_byte] ^ 1]) + whole[at_byte + 1 :])
        problems = store.verify("s1")
        assert len(problems) == 1
        assert isinstance(problems[0], StoreCorrupt)
        assert str(path) in str(problems[0])
        assert "expected sha256" in str(problems[0])
        assert ", found " in str(problems[0])
        assert problems[0].exit_status == 65


@pytest.mark.parametrize("data", [b"", b"PAR1"])
def test_a_cut_file_is_found(store: FolderStore, data: bytes) -> None:
    path = next((store.root / "snapshot=s1" / "inventory").iterdir())
    path.write_bytes(data)
    assert len(store.verify("s1")) == 1


def test_missing_and_added_files_are_found(store: FolderStore) -> None:
    path = next((store.root / "snapshot=s1" / "inventory").iterdir())
    path.rename(path.with_name("99.parquet"))
    assert len(store.verify("s1")) == 2


def test_a_damaged_manifest_is_found(store: FolderStore) -> None:
    (store.root / "snapshot=s1" / "manifest.json").write_text("{")
    assert len(store.verify("s1")) == 1


def test_pruning_without_apply_only_lists_what_it_would_drop(store: FolderStore) -> None:
    before = sorted(store.root.rglob("*"))
    rows = store.prune(timedelta(days=1), at(4), apply=False).to_pylist()
    assert [(row["what"], row["id"], row["at"]) for row in rows] == [("snapshot", "s1", at(1, 10))]
    assert (rows[0]["files"], rows[0]["rows"]) == (4, 4)
    assert rows[0]["bytes"] > 0
    assert sorted(store.root.rglob("*")) == before
    assert store.prune(timedelta(days=9), at(4), apply=False).num_rows == 0


def test_pruning_keeps_history_and_the_latest_rows(store: FolderStore) -> None:
    reader = open_store(str(store.root))
    assert reader.arrow("inventory").num_rows == 4
    store.prune(timedelta(days=1), at(4), apply=True)
    for lake in (store, reader, open_store(str(store.root))):
        assert lake.arrow("inventory").num_rows == 2
        assert lake.arrow("change").num_rows == 3
        assert lake.arrow("coverage").num_rows == 7
        assert lake.arrow("snapshot").num_rows == 3
        assert lake.arrow("latest_inventory").num_rows == 2
        assert lake.verify("s1") == []
    kept = {path.name for path in (store.root / "snapshot=s1").iterdir()}
    assert kept == {"manifest.json", "pruned.json", "snapshot", "coverage", "change"}
    assert not kept & set(BULKY)
    assert store.prune(timedelta(days=1), at(4), apply=True).num_rows == 0


def attempt(run_id: str, partner: str, kind: str, day: int) -> dict[str, object]:
    return {
        "run_id": run_id,
        "partner_tenant_id": partner,
        "kind": kind,
        "customers": "",
        "started_at": at(day),
        "exit": 0,
    }


def record(store: Store, *attempts: dict[str, object]) -> None:
    store.record_attempts(pa.Table.from_pylist([*attempts], schema=ATTEMPT))


def test_old_attempts_are_pruned_but_not_the_last_of_a_partner(store: FolderStore) -> None:
    """P38: how a partner's last night went stays known."""
    of_runs = [
        [attempt("r1", P, "full", 1), attempt("r1", Q, "full", 1)],
        [attempt("r2", P, "full", 2), attempt("r3", Q, "partial", 2)],
        [attempt("r4", P, "partial", 3)],
        [attempt("r5", P, "partial", 4)],
    ]
    for rows in of_runs:
        record(store, *rows)
    planned = store.prune(timedelta(0), at(4), apply=False)
    rows = [row for row in planned.to_pylist() if row["what"] == "attempt"]
    assert [(row["id"], row["rows"], row["files"]) for row in rows] == [("r1", 1, 0), ("r4", 1, 1)]
    assert store.arrow("attempt").num_rows == 6
    assert store.prune(timedelta(0), at(4), apply=True) == planned
    found = store.arrow("attempt").select(["run_id", "partner_tenant_id"]).to_pylist()
    assert {tuple(row.values()) for row in found} == {("r1", Q), ("r2", P), ("r3", Q), ("r5", P)}
    assert store.prune(timedelta(0), at(4), apply=True).num_rows == 0


def test_a_rebuilt_index_knows_what_was_pruned(store: FolderStore) -> None:
    store.prune(timedelta(days=1), at(4), apply=True)
    (store.root / "latest.parquet").unlink()
    again = open_store(str(store.root))
    assert again.arrow("inventory").num_rows == 2
    again.recover()
    assert open_store(str(store.root)).arrow("inventory").num_rows == 2


def test_a_killed_prune_is_finished_by_the_next(store: FolderStore) -> None:
    """It was killed after it marked the snapshot as pruned and before it removed the files."""
    store.prune(timedelta(days=1), at(4), apply=True)
    left = store.root / "snapshot=s1" / "inventory"
    left.mkdir()
    (left / "00.parquet").write_bytes(b"left behind")
    assert open_store(str(store.root)).arrow("inventory").num_rows == 2
    assert store.verify("s1") == []
    store.prune(timedelta(days=1), at(4), apply=True)
    assert not left.exists()


class Late(FolderStore):
    """A reader whose index is older than a prune."""

    seen: Index | None = None

    def index(self) -> Index:
        seen, self.seen = self.seen, None
        return seen or super().index()


def test_a_reader_reads_again_after_a_prune_removed_its_files(store: FolderStore) -> None:
    """Fault 33: the reader's list of files is older than the prune."""
    reader = Late(store.root, store.buckets)
    reader.seen = store.index()
    store.prune(timedelta(days=1), at(4), apply=True)
    assert reader.arrow("inventory").num_rows == 2


def test_staged_empty_rows_do_not_change_the_known_rows(store: FolderStore) -> None:
    with store.publishing(0.0) as publication:
        publication.stage("s9")
        publication.write("inventory", 0, rows_table("inventory", [], "s9"))
    assert sum(store.known("inventory", b, P).num_rows for b in range(store.buckets)) == 2
