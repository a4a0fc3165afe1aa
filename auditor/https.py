"""Blocking HTTPS for work in a thread: signing in, and a key vault.

Each request is sent once, without redirect, retry, or proxy or certificate from the environment,
because these requests carry secrets. Every fault is `Unreachable`.
"""

import ipaddress
import json
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import msgspec
import urllib3
from urllib3 import exceptions

from auditor.errors import SettingsError, Unreachable, Untrusted

CONNECT_S = 5.0
SILENCE_S = 8.0
"""The longest silence of the server. A signal must end a run within fifteen seconds, and a thread
cannot be stopped, so `CONNECT_S` and `SILENCE_S` together must be shorter."""
TOTAL_S = 60.0
_LARGEST = 1 << 20
_CHUNK = 1 << 14


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """A server's response."""

    status: int
    body: bytes
    headers: dict[str, str]

    def json(self) -> dict[str, Any]:  # Any: the server may send anything
        """Return the object in the body; empty if there is none."""
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}


def trusted(ca_file: Path | str | None) -> ssl.SSLContext:
    """Return a context that trusts the system's certificates, and those in `ca_file`.

    It is shared: reading the system's certificates takes longer than many calls. A changed
    `ca_file` is read anew. Raises SettingsError if it holds no certificate.
    """
    changed_at = 0
    if ca_file:
        with suppress(OSError):  # reading it says what is wrong
            changed_at = Path(ca_file).stat().st_mtime_ns
    return _trusted(ca_file, changed_at)


@lru_cache(maxsize=2)
def _trusted(ca_file: Path | str | None, changed_at: int) -> ssl.SSLContext:
    del changed_at  # a part of the key
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except (OSError, ssl.SSLError) as exc:
            says = exc.strerror if type(exc) in {FileNotFoundError, PermissionError} else ""
            raise SettingsError(
                f"network.ca_file {ca_file}: {says or 'holds no certificate'}",
                hint="a PEM file with the certificates to trust beside the system's",
            ) from exc
    return context


class Https:
    """Sends one request at a time, through a proxy if one is given."""

    def __init__(
        self,
        *,
        proxy: str = "",
        ca_file: Path | str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        context = trusted(ca_file)
        self._clock = clock
        timeout = urllib3.Timeout(connect=CONNECT_S, read=SILENCE_S)
        self._pool: urllib3.PoolManager
        if proxy:
            parts = urlsplit(proxy)
            user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            headers = urllib3.make_headers(proxy_basic_auth=user) if parts.username else None
            self._pool = urllib3.ProxyManager(
                f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}",
                proxy_headers=headers,
                proxy_ssl_context=context,
                ssl_context=context,
                timeout=timeout,
            )
        else:
            self._pool = urllib3.PoolManager(ssl_context=context, timeout=timeout)

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> HttpResponse:
        """Send a form or a body, and return the answer whatever its status.

        Raises:
            Untrusted: the server cannot prove its identity; a retry does not help.
            Unreachable: no answer in time, or none in HTTP.
        """
        where = address(url)
        sent = dict(headers or {})
        if form is not None:
            body = urlencode(form).encode()
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            return self._exchange(method, url, sent, body)
        except (exceptions.HTTPError, OSError, ValueError) as exc:
            if check := failed_check(exc):
                raise Untrusted(f"{where}: TLS: {check}") from exc
            raise Unreachable(f"{where}: {_cause(exc)}") from exc
        finally:
            self._pool.clear()  # the next request is an hour away

    def _exchange(
        self, method: str, url: str, headers: dict[str, str], body: bytes | None
    ) -> HttpResponse:
        ends_at = self._clock() + TOTAL_S
        response = self._pool.request(
            method,
            url,
            body=body,
            headers=headers,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        try:
            received = bytearray()
            while chunk := response.read1(_CHUNK):
                received += chunk
                if len(received) > _LARGEST or self._clock() > ends_at:
                    raise exceptions.ProtocolError("an endless answer")
            return HttpResponse(
                status=response.status, body=bytes(received), headers=dict(response.headers)
            )
        finally:
            response.close()


def address(url: str) -> str:
    """Return host and port of a URL, for messages."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine: plain http to it crosses no network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def failed_check(error: BaseException | None) -> str:
    """Return which check of TLS failed; '' if the error is not from TLS."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message.rstrip(".")
        if isinstance(error, ssl.SSLError):
            return (error.reason or "no TLS spoken there").replace("_", " ").lower()
        error = error.__cause__ or error.__context__
    return ""


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (exceptions.ProxyError, "the proxy cannot be reached or refuses"),
    (exceptions.NameResolutionError, "the name cannot be resolved"),
    (exceptions.NewConnectionError, "the connection is refused"),
    (exceptions.TimeoutError, "no answer in time"),
    (exceptions.HTTPError, "the connection was cut, or did not speak HTTP"),
    (OSError, "the connection was cut"),
)
"""The first match counts: some are subclasses of others."""


def _cause(error: Exception) -> str:
    return next((says for kind, says in _CAUSES if isinstance(error, kind)), "cannot be sent to")
