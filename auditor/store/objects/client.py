"""Reads and writes the objects below one URL of an object storage service.

Two of the operations are conditional. They replace the locks and renames of a folder.
"""

import os
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PreconditionError
from obstore.store import ObjectStore, from_url

from auditor.errors import SettingsError, StoreFailed
from auditor.https import is_loopback
from auditor.object_url import ObjectUrl, UnreadableObjectUrl, read
from auditor.store.objects import faults

Item = TypeVar("Item")
Result = TypeVar("Result")

AT_ONCE = 16
"""Objects that are sent or received at the same time."""
RETRIES = 5
"""A refused connection is tried again for about three seconds."""
_S3_ENDPOINT = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_AZURE_ENDPOINT = ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT")
_ACCOUNT = ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME")
_DIRECT = {"proxy_url": "http://127.0.0.1:9", "proxy_excludes": "localhost,127.0.0.0/8,::1"}
"""Options for a service on this machine. Without a proxy among its options, the client takes the
proxy of the environment. This one excludes every address of this machine, so it is never used."""


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One object, as a listing shows it."""

    key: str
    etag: str
    modified_at: datetime


class Content(msgspec.Struct, frozen=True):
    """The bytes of an object, and the ETag of this version."""

    data: bytes
    etag: str


class Objects:
    """The objects below one URL. Keys are relative to it. All calls block: use a thread.

    A missing object is no error. Every fault of the service is a StoreUnreachable, StoreRefused or
    StoreFailed; a missing bucket is a SettingsError.
    """

    def __init__(self, url: ObjectUrl, service: ObjectStore, *, identity: str = "") -> None:
        self.url = url
        self.identity = identity or url.shown
        """Differs for two places with the same URL, at two services or in two accounts."""
        self._service = service

    @classmethod
    def open(
        cls, url: str, environ: Mapping[str, str] = os.environ, *, retries: int = RETRIES
    ) -> "Objects":
        """Return the objects below a URL. Nothing is sent yet.

        The client itself reads credentials from the process's variables AWS_… or AZURE_…. Raises
        SettingsError if the URL or these variables cannot be used.
        """
        try:
            parts = read(url)
        except UnreadableObjectUrl as error:
            raise SettingsError(f"store: {error.reason}", hint=error.hint) from None
        names = (*_endpoints(parts), *(_ACCOUNT if parts.scheme == "az" else ()))
        identity = "\n".join([parts.shown, *(environ.get(name, "") for name in names)])
        return cls(parts, _service(parts, environ, retries), identity=identity)

    def get(self, key: str) -> Content | None:
        """Return an object; None if it does not exist."""
        try:
            found = obstore.get(self._service, key)
            return Content(bytes(found.bytes()), _quoted(found.meta["e_tag"]))
        except FileNotFoundError as error:
            if faults.is_missing(error):
                return None
            raise faults.no_bucket(self.url) from None
        except BaseError as error:
            raise faults.translated(error, self.url, key) from None

    def etag(self, key: str) -> str | None:
        """Return the ETag of an object; None if it does not exist."""
        try:
            return _quoted(obstore.head(self._service, key)["e_tag"])
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise faults.translated(error, self.url, key) from None

    def list(self, prefix: str) -> list[Listed]:
        """Return all objects whose keys begin with `prefix` and a `/`; '' lists all objects."""
        try:
            return [
                Listed(
                    key=one["path"], etag=_quoted(one["e_tag"]), modified_at=one["last_modified"]
                )
                for page in obstore.list(self._service, prefix or None, chunk_size=1000)
                for one in page
            ]
        except (FileNotFoundError, BaseError) as error:
            raise faults.translated(error, self.url, prefix) from None

    def put(self, key: str, data: bytes | Path) -> None:
        """Write an object, or replace it: all of the bytes, or none."""
        self._put(key, data, "overwrite")

    def put_if_absent(self, key: str, data: bytes) -> str | None:
        """Write an object unless it exists. Return its ETag; None if another was there first.

        If a reply is lost, the client asks again, and is then refused because of its own object. So
        an object with exactly these bytes counts as written: let them be unique to the writer.
        """
        return self._conditional(key, data, "create")

    def replace(self, key: str, data: bytes, etag: str) -> str | None:
        """Replace the version `etag` of an object. Return the new ETag; None if it has changed.

        As with `put_if_absent`, an object with exactly these bytes counts as replaced.
        """
        return self._conditional(key, data, {"e_tag": etag})

    def _conditional(self, key: str, data: bytes, mode: "obstore.PutMode") -> str | None:
        try:
            return self._put(key, data, mode)
        except (AlreadyExistsError, PreconditionError):
            found = self.get(key)
            return found.etag if found is not None and found.data == data else None

    def _put(self, key: str, data: bytes | Path, mode: "obstore.PutMode") -> str:
        try:
            return _quoted(obstore.put(self._service, key, data, mode=mode)["e_tag"])
        except (AlreadyExistsError, PreconditionError):
            raise
        except (FileNotFoundError, BaseError) as error:
            raise faults.translated(error, self.url, key) from None

    def delete(self, keys: Iterable[str]) -> None:
        """Remove objects; those that do not exist are no error."""
        at_once(self._delete, keys)

    def _delete(self, key: str) -> None:
        try:
            obstore.delete(self._service, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise faults.translated(error, self.url, key) from None

    def try_out(self, key: str, data: bytes) -> None:
        """Write an object, fail to write it again, read it, and remove it.

        Raises StoreFailed if the service has no conditional writes: each of two publishers could
        then believe that its snapshot is the published one.
        """
        self.put(key, data)
        try:
            if self.put_if_absent(key, data + b"again") is not None:
                raise StoreFailed(
                    f"{self.url.shown}: the service has no conditional writes (If-None-Match)",
                    hint="use a service that has them, a folder or PostgreSQL",
                )
            found = self.get(key)
            if found is None or found.data != data:
                raise StoreFailed(f"{self.url.shown}: an object is not read as it was written")
        finally:
            self.delete([key])


def at_once(work: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Return the results of `work`, in the order of the items; some items at the same time."""
    todo = list(items)
    if len(todo) <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(AT_ONCE, len(todo))) as pool:
        return list(pool.map(work, todo))


def _quoted(etag: str | None) -> str:
    """Return an ETag as conditions need it: a listing of Azure leaves its quotes out."""
    return etag if etag is None or etag.endswith('"') else f'"{etag}"'  # type: ignore[return-value] # both services send one


def _service(url: ObjectUrl, environ: Mapping[str, str], retries: int) -> ObjectStore:
    is_local = _is_local(_endpoints(url), environ)
    options: dict[str, Any] = {  # Any: obstore's options
        # Given always, so that no variable turns TLS or the check of certificates off.
        "allow_http": is_local,
        "allow_invalid_certificates": False,
        "connect_timeout": "5s",
        "read_timeout": "60s",
        "timeout": "15m",
        **(_DIRECT if is_local else {}),
    }
    waits: dict[str, Any] = {"max_retries": retries, "retry_timeout": timedelta(seconds=60)}
    if url.scheme == "az" and not any(environ.get(name) for name in _ACCOUNT):
        raise SettingsError(
            f"store: {url.shown} names no storage account",
            hint="set AZURE_STORAGE_ACCOUNT_NAME, or use abfss://container@account.dfs.core.windows.net/…",
        )
    encoded = f"{url.shown.partition('/')[0]}//" + urllib.parse.quote(
        url.shown.partition("//")[2], safe="/@"
    )
    try:
        found = from_url(encoded, client_options=options, retry_config=waits)  # type: ignore[call-overload] # one overload for each scheme
    except BaseError:  # its text may quote a variable
        raise faults.not_usable(url) from None
    service: ObjectStore = found
    return service


def _endpoints(url: ObjectUrl) -> tuple[str, ...]:
    return _S3_ENDPOINT if url.scheme == "s3" else _AZURE_ENDPOINT


def _is_local(names: Iterable[str], environ: Mapping[str, str]) -> bool:
    """Return True if the environment names a service on this machine.

    Raises SettingsError for another one without TLS.
    """
    for name in names:
        if endpoint := environ.get(name, ""):
            parts = urllib.parse.urlsplit(endpoint)
            is_local = is_loopback(parts.hostname or "")
            if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
                raise SettingsError(
                    f"{name} must begin with https://",
                    hint="http is only for this machine itself, as in http://127.0.0.1:9000",
                )
            return is_local
    return False
