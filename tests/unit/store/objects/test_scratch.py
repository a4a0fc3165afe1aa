"""The folder with the copies belongs to this user alone."""

import os
import stat
from pathlib import Path

import pytest

from auditor.errors import StoreUnwritable
from auditor.store.objects.scratch import scratch_folder


def test_each_store_has_a_folder_that_only_this_user_may_use(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    one, two = scratch_folder("s3://one", environ), scratch_folder("s3://two", environ)
    assert one != two
    assert scratch_folder("s3://one", environ) == one
    for folder in (one, two, one.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_without_a_cache_folder_it_is_in_the_folder_for_temporary_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for cache in ({}, {"XDG_CACHE_HOME": "relative"}):
        folder = scratch_folder("s3://one", cache)
        assert folder.parent == tmp_path / f"auditor-{os.geteuid()}"


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    """S10: a file that another user put there would be read as the store's."""
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    folder = scratch_folder("s3://one", environ)
    folder.chmod(0o777)
    with pytest.raises(StoreUnwritable) as caught:
        scratch_folder("s3://one", environ)
    assert "XDG_CACHE_HOME" in caught.value.hint
    folder.rmdir()
    folder.symlink_to(tmp_path)
    with pytest.raises(StoreUnwritable):
        scratch_folder("s3://one", environ)
