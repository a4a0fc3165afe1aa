"""A store is created once; a rename replaces nothing, and no link is followed."""

import ctypes
import errno
import os
import shutil
import sys
from pathlib import Path

import pytest

from auditor import disk
from auditor.errors import StoreFailed, StoreUnwritable
from tests.builders.store_lake import ACME, BOND, at, make, publish
from tests.unit.store.folder.test_publication import FIRST, verdicts


def test_rename_never_replaces(tmp_path: Path) -> None:
    """A plain rename silently replaces an empty folder."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(StoreUnwritable):
        disk.rename_new(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "a").is_dir()


class OldLibrary:
    """A C library without `renameat2`."""

    def __init__(self, *_: object, **__: object) -> None: ...


class OldFileSystem(OldLibrary):
    """A file system that does not support `renameat2`."""

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
def test_without_renameat2_a_snapshot_is_published_all_the_same(
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


def test_the_first_of_two_store_files_stays(tmp_path: Path) -> None:
    disk.put_if_absent(tmp_path / "store.json", b"first")
    disk.put_if_absent(tmp_path / "store.json", b"second")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP])
def test_without_hard_links_the_store_file_is_put_by_a_rename(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", link)
    disk.put_if_absent(tmp_path / "store.json", b"first")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"first"]


def test_another_failure_of_the_hard_link_leaves_no_store_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", link)
    with pytest.raises(StoreFailed):
        disk.put_if_absent(tmp_path / "store.json", b"first")
    assert not (tmp_path / "store.json").exists()


def test_trying_to_write_in_a_folder_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk.try_to_write(tmp_path)
    assert [*tmp_path.iterdir()] == []
    disk.try_to_write(Path("/proc"))  # does not support files without a name
    with pytest.raises(StoreUnwritable):
        disk.try_to_write(tmp_path / "nothing")
    monkeypatch.delattr(os, "O_TMPFILE")
    disk.try_to_write(tmp_path / "nothing")


def test_a_full_disk_of_unknown_free_space_is_reported_with_0(
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
    """S12: publishing empties the staging folder, but not a folder that a link points to."""
    store = make(tmp_path)
    victim = tmp_path / "victim"
    (victim / "precious").mkdir(parents=True)
    (store.root / ".staging").rmdir()
    (store.root / ".staging").symlink_to(victim)
    publish(store, "s1", at(1), FIRST)
    assert [path.name for path in victim.iterdir()] == ["precious"]
    assert len(store.index().entries) == 1
