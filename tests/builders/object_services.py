"""Runs a throwaway object storage service while another process lives: moto for S3, or Azurite.

`python object_services.py s3 PID` writes the service's URL to stdout when it is ready; an empty
line means that the service is not installed. It is a separate process so that the service ends even
if the test session is killed.
"""

import base64
import hashlib
import hmac
import os
import select
import subprocess
import sys
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock, Thread
from typing import IO, Any

BUCKET = "lakes"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account that Azurite always has, and its key, which is public."""
_MOTO = Path(sys.prefix) / "moto"
_AZURITE = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"
_READY = ("Running on", "successfully listens")


def environment(service: str, url: str) -> dict[str, str]:
    """Return the variables with which a client finds a service and signs in."""
    if service == "s3":
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "auditor",
            "AWS_SECRET_ACCESS_KEY": "canary-secret-key",
            "AWS_REGION": "us-east-1",
        }
    return {
        "AZURE_STORAGE_ENDPOINT": f"{url}/{ACCOUNT}",
        "AZURE_STORAGE_ACCOUNT_NAME": ACCOUNT,
        "AZURE_STORAGE_ACCOUNT_KEY": KEY,
    }


def _command(service: str, port: int) -> tuple[list[str], dict[str, str]] | None:
    """Return how to start a service, and the variables that it needs; None if it is missing."""
    address = str(port)
    if service == "s3" and _MOTO.exists():
        return [sys.executable, __file__, "moto", address], {"PYTHONPATH": str(_MOTO)}
    if service == "azure" and _AZURITE.exists():
        options = ["--blobPort", address, "--inMemoryPersistence", "--disableTelemetry"]
        return ["node", str(_AZURITE), "--blobHost", "127.0.0.1", *options], {}
    return None


def _make_bucket(service: str, url: str) -> None:
    """Make the bucket of the tests. A proxy of the environment is never asked."""
    place = f"{url}/{BUCKET}" if service == "s3" else f"{url}/{ACCOUNT}/{BUCKET}?restype=container"
    headers = {} if service == "s3" else _signed()
    request = urllib.request.Request(place, method="PUT", headers=headers)  # noqa: S310 - loopback
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request).close()


def _signed() -> dict[str, str]:
    """Return the headers of a request that makes the container."""
    now = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    version = "2021-08-06"
    text = "PUT" + 12 * "\n" + f"x-ms-date:{now}\nx-ms-version:{version}\n"
    text += f"/{ACCOUNT}/{ACCOUNT}/{BUCKET}\nrestype:container"
    digest = hmac.digest(base64.b64decode(KEY), text.encode(), hashlib.sha256)
    signature = base64.b64encode(digest).decode()
    return {
        "x-ms-date": now,
        "x-ms-version": version,
        "Authorization": f"SharedKey {ACCOUNT}:{signature}",
    }


def keep(service: str, pid: int) -> None:
    """Run a service until the process `pid` has ended."""
    from tests.builders.throwaway import free_port  # noqa: PLC0415 - needs the path below

    port = free_port()
    found = _command(service, port)
    if found is None:
        print(flush=True)  # noqa: T201 - its one line of output
        return
    command, more = found
    watched = os.pidfd_open(pid)
    merged = subprocess.STDOUT
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=merged, text=True, env=os.environ | more
    ) as server:
        try:
            assert server.stdout
            for line in server.stdout:
                if any(words in line for words in _READY):
                    break
            Thread(target=_drain, args=(server.stdout,), daemon=True).start()
            url = f"http://127.0.0.1:{port}"
            _make_bucket(service, url)
            print(url, flush=True)  # noqa: T201 - likewise
            ended = select.poll()
            ended.register(watched, select.POLLIN)
            ended.poll()
        finally:
            server.kill()


def serve_moto(port: int) -> None:
    """Run moto, one request at a time.

    moto looks whether an object exists before it reads the body of a conditional put. Of two such
    puts at once it would accept both, which S3 never does.
    """
    import moto.server as moto  # type: ignore[import-not-found] # noqa: PLC0415 - in a folder of its own
    from werkzeug.serving import (  # type: ignore[import-not-found] # noqa: PLC0415 - likewise
        run_simple,
    )

    application, lock = moto.DomainDispatcherApplication(moto.create_backend_app), Lock()

    def one_at_a_time(environ: Any, start_response: Any) -> list[bytes]:  # WSGI's own types
        with lock:
            return [b"".join(application(environ, start_response))]

    run_simple("127.0.0.1", port, one_at_a_time, threaded=True)


def _drain(log: IO[str]) -> None:
    for _ in log:
        pass


if __name__ == "__main__" and sys.argv[1] == "moto":
    serve_moto(int(sys.argv[2]))
elif __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    keep(sys.argv[1], int(sys.argv[2]))
