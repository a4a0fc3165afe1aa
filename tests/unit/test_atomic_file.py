"""Files that are replaced atomically: leftovers of killed writers are removed and never read."""

import ast
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor import atomic_file, disk
from auditor.journal.journal import Journal
from auditor.journal.quarantine import Quarantine, table
from auditor.login.refresh_token import renewable_file
from auditor.report import output

PACKAGE = Path(atomic_file.__file__).parent
KILLED = """
import os, signal, sys
from pathlib import Path
from auditor import atomic_file

with atomic_file.replacing(Path(sys.argv[1])) as file:
    file.write(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed_writing(path: Path) -> None:
    """Run a writer that is killed before it commits; its temporary file remains."""
    ended = subprocess.run([sys.executable, "-c", KILLED, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert left(path.parent) == 1


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left(folder: Path) -> int:
    return len([name for name in names(folder) if name.endswith(".new")])


def write(path: Path, data: bytes) -> None:
    with atomic_file.replacing(path) as file:
        file.write(data)
        file.commit()


def renew(path: Path) -> None:
    with renewable_file(path) as held:
        held.replace(held.secret)


def forget_failures(path: Path) -> None:
    journal = Journal(path)
    journal.forget_failures()


def quarantined(path: Path) -> None:
    Quarantine().save(path)
    assert table(path.parent, path.stem, "eu", with_bodies=False).num_rows == 0


WRITERS: dict[str, Callable[[Path], object]] = {
    "x.quarantine": quarantined,
    "x.journal": forget_failures,
    "latest.parquet": lambda path: disk.replace(path, b"whole"),
    "pruned.json": lambda path: disk.put_if_absent(path, b"whole"),
    "report.html": lambda path: output.save(b"whole", path, sys.stdout),
    "refresh": renew,
}
"""Every writer except those of `run.json` and of the DuckDB file, which are tested elsewhere."""


@pytest.mark.parametrize("name", WRITERS)
def test_the_next_writer_removes_the_file_of_a_killed_one(name: str, tmp_path: Path) -> None:
    """P11."""
    path = tmp_path / name
    if name == "refresh":
        path.write_text("secret\n")
        path.chmod(0o600)
    killed_writing(path)
    assert path.exists() is (name == "refresh")
    WRITERS[name](path)
    assert path.exists()
    assert left(tmp_path) == 0


def test_only_leftover_files_of_a_folder_are_removed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    for number in (3, 4):
        (tmp_path / f".gone.{number}.new").touch()
    (tmp_path / ".gone.3.new.wal").touch()
    (tmp_path / ".planted.5.new").symlink_to("victim")
    (tmp_path / ".folder.6.new").mkdir()
    mine = (".note.new", "a.4711.new", ".bashrc", ".a.b.new", "victim")
    for name in mine:
        (tmp_path / name).touch()
    with atomic_file.replacing(tmp_path / "at work") as file:
        file.write(b"whole")
        atomic_file.remove_leftovers_in(tmp_path)
        atomic_file.remove_leftovers_in(tmp_path / "not there")
        assert file.temporary.exists(), "its writer is alive"
        file.commit()
    assert names(tmp_path) == sorted([*mine, ".folder.6.new", "at work"])
    assert (tmp_path / "victim").read_text() == "precious"


def test_two_writers_of_one_file_use_different_temporary_files(tmp_path: Path) -> None:
    """Processes in two containers may even have the same process id."""
    path = tmp_path / "file"
    with atomic_file.replacing(path) as one, atomic_file.replacing(path) as other:
        assert one.temporary != other.temporary
        one.write(b"one")
        other.write(b"other")
        one.commit()
        other.commit()
    assert path.read_bytes() == b"other"
    assert names(tmp_path) == ["file"]


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write(path, b"old")
    with pytest.raises(TypeError), atomic_file.replacing(path) as file:
        file.write("text")  # type: ignore[arg-type] # makes the block fail
    assert names(tmp_path) == ["file"]
    assert path.read_bytes() == b"old"


def test_only_this_module_replaces_files() -> None:
    """One module knows the temporary names; other modules only rename to new names."""
    renaming = {
        (path.relative_to(PACKAGE).as_posix(), ast.unparse(call.func))
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("replace", "rename", "NamedTemporaryFile", "mkstemp")
        and len(call.args) < 2
        and not call.keywords
    }
    assert renaming == {
        ("login/sign_in.py", "held.replace"),
        ("normalize/staged.py", "new.replace"),
        ("disk.py", "source.rename"),
        ("disk.py", "one.rename"),  # two renames where the kernel cannot exchange two folders
        ("disk.py", "other.rename"),
        ("store/folder/erasure.py", "(staging / name).rename"),
        ("store/objects/mirror.py", "new.replace"),  # copies of objects, which can be fetched anew
        ("store/objects/mirror.py", "staged.rename"),
        ("atomic_file.py", "self.temporary.replace"),
    }
