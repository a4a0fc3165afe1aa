"""`--out` replaces a file; it writes into a device, a pipe or stdout and leaves it in place."""

import io
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import pytest

from auditor.errors import StoreFailed, StoreUnwritable
from auditor.report import output
from tests.builders.report_lake import two_nights

DATA = b"<html>what it found</html>"
PAGE, BOOK = b"<!DOCTYPE html>", b"PK\x03\x04"


def save(path: Path, data: bytes = DATA) -> bytes:
    """Save the data; return what was written to stdout."""
    written = io.BytesIO()
    stdout = io.TextIOWrapper(written, encoding="utf-8")
    output.save(data, path, stdout)
    stdout.flush()
    return written.getvalue()


def test_a_minus_means_stdout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert save(Path("-")) == DATA
    assert not list(tmp_path.iterdir())


def test_a_file_is_created_or_replaced_and_keeps_mode_and_owner(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    save(path, b"old")
    path.chmod(0o644)
    if os.geteuid() == 0:
        os.chown(path, 1234, 1234)
    with path.open("rb") as open_before:
        save(path)
        assert open_before.read() == b"old"  # replaced, not rewritten
    assert path.read_bytes() == DATA
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert path.stat().st_uid == (1234 if os.geteuid() == 0 else os.geteuid())
    assert [found.name for found in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("is_there", [True, False], ids=["to a file", "to a missing file"])
def test_a_link_is_followed_and_stays_a_link(tmp_path: Path, is_there: bool) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "report.html"
    if is_there:
        target.write_bytes(b"old")
    first, second = tmp_path / "first", tmp_path / "second"
    second.symlink_to("far/report.html")
    first.symlink_to(second)
    save(first)
    assert target.read_bytes() == DATA
    assert first.is_symlink()
    assert second.is_symlink()


def test_a_device_is_written_to_and_stays_a_device(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("devices are made by root")
    link = tmp_path / "report.html"
    link.symlink_to(device)
    for path in (device, link):
        save(path)
        assert stat.S_ISCHR(device.stat().st_mode)
    assert {found.name for found in tmp_path.iterdir()} == {"null", "report.html"}


def reading(pipe: Path) -> tuple[Thread, list[bytes]]:
    """Start a thread that reads a pipe to its end."""
    found: list[bytes] = []
    thread = Thread(target=lambda: found.append(pipe.read_bytes()))
    thread.start()
    return thread, found


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread, found = reading(pipe)
    large = DATA * 10_000  # more than a pipe holds
    save(pipe, large)
    thread.join()
    assert found == [large]
    assert pipe.is_fifo()


def test_a_pipe_whose_reader_leaves_is_a_broken_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    thread = Thread(target=read_a_byte, args=(pipe,))
    thread.start()
    with pytest.raises(BrokenPipeError):
        save(pipe, DATA * 10_000)
    thread.join()


def read_a_byte(pipe: Path) -> None:
    """Read one byte and close the pipe while the other end still writes."""
    with pipe.open("rb", buffering=0) as stream:
        stream.read(1)


def folder(path: Path) -> None:
    path.mkdir()


def loop(path: Path) -> None:
    path.symlink_to(path)


def below_a_file(path: Path) -> None:
    path.parent.write_bytes(b"")


def nowhere(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.parametrize("make", [folder, loop, below_a_file, nowhere])
def test_an_unwritable_path_is_named(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "report.html"
    if make in {below_a_file, nowhere}:
        path = tmp_path / "away" / "report.html"
    make(path)
    with pytest.raises(StoreUnwritable, match=r"report\.html") as caught:
        save(path)
    assert caught.value.exit_status == 73
    assert "--out" in caught.value.hint
    with pytest.raises(StoreUnwritable, match=str(path.parent)) as known_before:
        output.check(path, flag="--report")
    assert "--report" in known_before.value.hint


def test_a_path_that_can_be_written_passes_the_check_and_stays_as_it_is(tmp_path: Path) -> None:
    there, pipe = tmp_path / "there", tmp_path / "pipe"
    there.write_bytes(b"old")
    os.mkfifo(pipe)
    for path in (there, pipe, tmp_path / "new", output.STDOUT, Path("/dev/null")):
        output.check(path, flag="--report")
    assert there.read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} == {"there", "pipe"}


def test_a_full_device_is_reported(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    link = tmp_path / "report.html"
    link.symlink_to("/dev/full")
    with pytest.raises(StoreFailed, match=r"report\.html") as caught:
        save(link)
    assert caught.value.exit_status == 74
    assert "--resume" not in caught.value.hint


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a configuration and a store of two nights."""
    made = tmp_path_factory.mktemp("out")
    store = two_nights(made)
    (made / "auditor.toml").write_text(
        f'store = "{store.root}"\nstate_dir = "{made}/state"\n[[partner]]\nname = "contoso"\n'
        'tenant_id = "11111111-1111-1111-1111-111111111111"\ncountries = ["DE"]\n'
        'auth = "token"\ntoken = "env:CONTOSO_TOKEN"\n'
    )
    return made


def shell(lake: Path, folder: Path, line: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a line of shell in which `auditor` runs this package."""
    command = f'auditor() {{ "{sys.executable}" -m auditor "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=os.environ | {"AUDITOR_CONFIG": str(lake / "auditor.toml")},
        capture_output=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "starts"),
    [
        ("auditor report --out /dev/stdout | cat", PAGE),
        ("auditor report --out - | cat", PAGE),
        ("auditor report --out /dev/fd/1 > f; cat f", PAGE),
        ("echo before > f; auditor report --out /dev/stdout >> f; cat f", b"before\n<!DOCTYPE"),
        ("auditor report --out /dev/stderr 2> f; cat f", PAGE),
        ("auditor report --out >(cat)", PAGE),
        ("auditor changes --out - | cat", BOOK),
        ("auditor changes --out /dev/stdout | cat", BOOK),
        ("auditor changes --out /dev/stdout > f; cat f", BOOK),
        ("ln -s /dev/stdout a.xlsx; auditor changes --out a.xlsx | cat", BOOK),
        ("mkfifo a.xlsx; cat a.xlsx & auditor changes --out a.xlsx; wait", BOOK),
    ],
)
def test_output_that_a_shell_redirects_is_written_and_not_replaced(
    lake: Path, tmp_path: Path, line: str, starts: bytes
) -> None:
    ran = shell(lake, tmp_path, f"set -eo pipefail; {line}")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(starts)
    assert {path.name for path in tmp_path.iterdir()} <= {"f", "a.xlsx"}
    named = tmp_path / "a.xlsx"
    assert not named.exists() or named.is_symlink() or named.is_fifo()


def test_a_workbook_is_not_written_to_a_terminal(lake: Path, tmp_path: Path) -> None:
    line = f"script -qec '{sys.executable} -m auditor changes --out -' /dev/null"
    ran = shell(lake, tmp_path, line)
    assert ran.returncode == 64
    assert b"error[E_USAGE]" in ran.stdout
