"""An HTTP server on loopback that keeps what a monitoring client sends to it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes


@dataclass
class MonitoringServer:
    """What was sent, and how it is answered."""

    url: str = ""
    status: int = 200
    sent: list[Sent] = field(default_factory=list)
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Answers wait for it; it is set at first."""


@contextmanager
def monitoring_server() -> Iterator[MonitoringServer]:
    """Serve while the block runs; requests that still wait are then answered."""
    found = MonitoringServer()
    found.may_answer.set()

    class Handler(BaseHTTPRequestHandler):
        def _keep(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.sent.append(Sent(self.command, self.path, headers, body))
            found.may_answer.wait(30)
            self.send_response(found.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_PUT = do_POST = _keep  # noqa: N815 - the names that the base class calls

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        found.may_answer.set()
        server.shutdown()
        thread.join()
        server.server_close()
