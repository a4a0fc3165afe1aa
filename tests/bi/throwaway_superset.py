"""A throwaway Superset in a separate process, with temporary data, key and user."""

import io
import os
import secrets
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.bi.expected import BUNDLE
from tests.builders.throwaway import free_port

BIN = Path(__file__).parents[2] / ".venv-bi" / "bin"
USER = "admin"
URI = "postgresql+psycopg2://bi_reader:XXXXXXXXXX@localhost:5432/audit"
"""The connection in the bundle; its password is masked: Superset asks for it at import."""
_STARTING_S = 180.0


class Superset:
    """A client of a running Superset's API, signed in as its user."""

    def __init__(self, url: str, password: str) -> None:
        self.url = url
        self.password = password
        self._session = requests.Session()
        reply = self._session.post(
            f"{url}/api/v1/security/login",
            json={"username": USER, "password": password, "provider": "db", "refresh": False},
            timeout=60,
        )
        reply.raise_for_status()
        self._session.headers["Authorization"] = f"Bearer {reply.json()['access_token']}"

    def ask(self, method: str, path: str, **more: Any) -> Any:  # whatever the API answers
        """Send a request and return the JSON of its reply."""
        reply = self._session.request(method, f"{self.url}/api/v1/{path}", timeout=120, **more)
        if not reply.ok:
            raise SystemExit(f"superset: {method} {path}: {reply.status_code} {reply.text[:2000]}")
        return reply.json()

    def ids(self, kind: str) -> dict[str, int]:
        """Return the number of each chart, dashboard or database by its name."""
        query = "(page_size:100)"
        found = self.ask("GET", f"{kind}/", params={"q": query})["result"]
        name = {"chart": "slice_name", "dashboard": "dashboard_title"}.get(kind, "database_name")
        return {each[name]: each["id"] for each in found}

    def chart(self, number: int) -> list[dict[str, Any]]:
        """Return the rows that a chart shows, queried anew without Superset's cache."""
        reply = self.ask("GET", f"chart/{number}/data/", params={"force": "true"})
        rows: list[dict[str, Any]] = reply["result"][0]["data"]
        return rows


def bundle(uri: str) -> bytes:
    """Return the bundle as a zip file for Superset, with this connection."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as into:
        for path in sorted(BUNDLE.rglob("*.yaml")):
            text = path.read_text().replace(URI, uri)
            into.writestr(f"superset/{path.relative_to(BUNDLE)}", text)
    return packed.getvalue()


@contextmanager
def running(folder: Path, uri: str) -> Iterator[Superset]:
    """Set up a Superset in a folder, import the bundle and serve it on a free port."""
    password, port = secrets.token_urlsafe(), free_port()
    config = folder / "superset_config.py"
    config.write_text(
        f"SECRET_KEY = {secrets.token_urlsafe(48)!r}\n"
        f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{folder}/superset.db'\n"
        "WTF_CSRF_ENABLED = False\n"
        "TALISMAN_ENABLED = False\n"
        "RATELIMIT_ENABLED = False\n"
    )
    packed = folder / "superset.zip"
    packed.write_bytes(bundle(uri))
    who = ("--username", USER, "--firstname", "A", "--lastname", "B", "--email", "a@b.example")
    for command in (
        ("db", "upgrade"),
        ("init",),
        ("fab", "create-admin", *who, "--password", password),
        ("import-dashboards", "-p", str(packed), "-u", USER),
    ):
        if _started(folder, *command).wait():
            tail = (folder / "superset.log").read_text()[-3000:]
            raise SystemExit(f"superset {command[0]} failed:\n{tail}")
    serving = _started(folder, "run", "-p", str(port), "--with-threads")
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, serving)
        yield Superset(url, password)
    finally:
        serving.terminate()
        serving.wait()


def _started(folder: Path, *command: str) -> "subprocess.Popen[bytes]":
    """Start a Superset command; append its output to `superset.log` in the folder."""
    own = {
        "SUPERSET_CONFIG_PATH": str(folder / "superset_config.py"),
        "SUPERSET_HOME": str(folder),
        "PYTHONPATH": "",
    }
    with (folder / "superset.log").open("a") as log:
        return subprocess.Popen(
            [str(BIN / "superset"), *command],
            env=os.environ | own,
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait(url: str, serving: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _STARTING_S
    while time.monotonic() < until and serving.poll() is None:
        try:
            if requests.get(f"{url}/health", timeout=5).ok:
                return
        except requests.ConnectionError:
            time.sleep(0.5)
    raise SystemExit("superset does not answer")
