"""The server that the other tests use: it ends with the process it was started for."""

import os
import select
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.builders import throwaway


def test_the_server_ends_with_the_process_it_was_started_for() -> None:
    if throwaway.binaries() is None:
        pytest.fail("no PostgreSQL server is installed")
    with subprocess.Popen(["sleep", "600"]) as other:
        command = [sys.executable, throwaway.__file__, str(other.pid)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as keeper:
            assert keeper.stdout
            url = keeper.stdout.readline().strip()
            with psycopg.connect(url) as con:
                row = con.execute("SHOW data_directory").fetchone()
            assert row
            other.kill()
            ended = select.poll()
            ended.register(os.pidfd_open(keeper.pid), select.POLLIN)
            assert ended.poll(30_000)

    assert keeper.returncode == 0
    assert not Path(row[0]).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
