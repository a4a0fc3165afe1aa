"""P42: what divided runs share goes too; a header stays unless it names the customer."""

from pathlib import Path

from auditor.store import erasure
from tests.builders.store_lake import ACME, make


def test_shared_files_go_and_a_header_that_names_nobody_stays(tmp_path: Path) -> None:
    files = make(tmp_path).shared_files()
    for name, text in (
        ("a/run", ACME),
        ("b/run", "x"),
        ("b/journal/1", "?"),
        ("b/claims/1/2", "?"),
    ):
        files.put_if_absent(name, text.encode())
    traces = erasure.Traces(customer_id=ACME)
    planned = erasure.shared(files, traces, apply=False)
    assert planned == [{"what": "shared_files", "files": 3, "bytes": 38}]
    assert len(files.names("")) == 4
    assert erasure.shared(files, traces, apply=True) == planned
    assert files.names("") == ["b/run"]
    assert erasure.shared(files, traces, apply=True) == []
