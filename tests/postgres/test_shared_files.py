"""The shared files of each kind of store: put once, whole, by one writer."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from auditor.store.folder.shared_files import FolderSharedFiles
from auditor.store.objects.client import Objects
from auditor.store.objects.create import new_token
from auditor.store.objects.shared_files import ObjectSharedFiles
from auditor.store.postgres.store import PostgresStore
from auditor.store.shared_files import SharedFiles


@pytest.fixture(params=["folder", "database", "s3"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> SharedFiles:
    if request.param == "folder":
        return FolderSharedFiles(tmp_path)
    if request.param == "s3":
        return ObjectSharedFiles(Objects.open(request.getfixturevalue("s3_url")), new_token)
    store: PostgresStore = request.getfixturevalue("postgres_store")
    return store.shared_files()


def test_the_first_content_stays(files: SharedFiles) -> None:
    assert files.get("r/t/a") is None
    assert files.put_if_absent("r/t/a", b"\0first\xff")
    assert not files.put_if_absent("r/t/a", b"second")
    assert files.get("r/t/a") == b"\0first\xff"


def test_names_are_those_below_a_folder_in_order(files: SharedFiles) -> None:
    for name in ("r/b/2", "r/b/10", "r/bc/1", "r/a", "s/b/1", "r_/x", "r%/x"):
        files.put_if_absent(name, b"")
    assert files.names("r/b") == ["r/b/10", "r/b/2"]
    assert files.names("r") == ["r/a", "r/b/10", "r/b/2", "r/bc/1"]
    assert files.names("r/nothing") == []


def test_deleting_takes_a_folder_or_a_file_and_nothing_else(files: SharedFiles) -> None:
    for name in ("r/b/1", "r/b/c/2", "r/bc", "r/run"):
        files.put_if_absent(name, b"x")
    files.delete("r/b")
    assert files.names("r") == ["r/bc", "r/run"]
    files.delete("r/run")
    files.delete("r/run")
    assert files.names("r") == ["r/bc"]


def test_of_eight_writers_at_once_one_succeeds(files: SharedFiles) -> None:
    for name in map(str, range(5)):
        with ThreadPoolExecutor(8) as pool:
            contents = [bytes([n]) * 10_000 for n in range(8)]
            was_put = list(pool.map(lambda data, at=name: files.put_if_absent(at, data), contents))
        assert was_put.count(True) == 1
        assert files.get(name) == contents[was_put.index(True)]
