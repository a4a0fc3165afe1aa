"""A real manager of systemd for tests, in a mount namespace of its own."""

import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MANAGER = Path("/lib/systemd/systemd")
# The manager refuses to start where systemd did not boot the machine, and looks for this folder.
_START = (
    "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system"
    f" && exec {MANAGER} --user --unit=basic.target"
)


@dataclass(frozen=True)
class Manager:
    """A running manager. Units below `units` can write lines to the pipe `notes`."""

    folder: Path

    @property
    def units(self) -> Path:
        """Where the units are."""
        return self.folder / "units"

    @property
    def notes(self) -> Path:
        """The pipe."""
        return self.folder / "notes"

    @property
    def environ(self) -> dict[str, str]:
        """The environment of the manager and of `systemctl`."""
        return {
            "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.folder),
            "XDG_RUNTIME_DIR": str(self.folder),
            "SYSTEMD_UNIT_PATH": f"{self.units}:",  # then the units of the system
            "SYSTEMD_LOG_TARGET": "console",
        }

    def wait_until_ready(self, pid: int) -> None:
        """Wait for the first note; raise AssertionError if the manager ends before it."""
        pipe, ended = os.open(self.notes, os.O_RDWR), os.pidfd_open(pid)
        try:
            readable, _, _ = select.select([pipe, ended], [], [])
            assert pipe in readable, "the manager of systemd ended at once"
            assert os.read(pipe, 100) == b"ready\n"
        finally:
            os.close(pipe)
            os.close(ended)

    def systemctl(self, *words: str) -> None:
        """Ask the manager."""
        subprocess.run(["systemctl", "--user", *words], env=self.environ, check=True)


def can_start() -> bool:
    """Return whether systemd is installed, and this process may mount what a manager needs."""
    mount = ["unshare", "--mount", "--cgroup", "mount", "-t", "tmpfs", "tmpfs", "/run"]
    return (
        MANAGER.exists()
        and subprocess.run(mount, stderr=subprocess.DEVNULL, check=False).returncode == 0
    )


@contextmanager
def manager() -> Iterator[Manager]:
    """Start a manager; a socket's path is short, so its folder is not that of the test."""
    with tempfile.TemporaryDirectory() as folder:
        started = Manager(Path(folder))
        started.units.mkdir()
        os.mkfifo(started.notes)
        (started.units / "basic.target").write_text(
            "[Unit]\nDescription=Ready\nWants=ready.service\n"
        )
        (started.units / "ready.service").write_text(
            f"[Service]\nExecStart=/bin/sh -c 'echo ready > {started.notes}'\n"
        )
        process = subprocess.Popen(
            ["unshare", "--mount", "--cgroup", "sh", "-c", _START],
            env=started.environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            started.wait_until_ready(process.pid)
            yield started
        finally:
            process.terminate()
            process.wait()
