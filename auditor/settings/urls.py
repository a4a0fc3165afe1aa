"""Rules for references to secrets, servers and stores. Values that may be secrets are not shown."""

import re
import urllib.parse

from auditor.database_url import Unreadable, read
from auditor.https import is_loopback
from auditor.object_url import UnreadableObjectUrl, is_object_url
from auditor.object_url import read as read_object_url
from auditor.settings.problems import INSECURE_URL, Wrong
from auditor.settings.rules import required_text, shown, text

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")


def reference(value: object) -> str:
    """Accept a reference to a secret. The value is not shown: it may be the secret itself."""
    given = value if isinstance(value, str) else ""
    kind, _, rest = given.partition(":")
    match kind:
        case "env":
            is_good = bool(_ENVIRONMENT_NAME.fullmatch(rest))
        case "credential":
            is_good = bool(_CREDENTIAL_NAME.fullmatch(rest))
        case "file":
            is_good = bool(rest) and rest.isprintable()
        case "keyvault":
            parts = rest.removeprefix("https://").split("/")
            is_good = rest.startswith("https://") and len(parts) == 2 and all(parts)  # noqa: PLR2004 - vault and name
            is_good = is_good and rest.isprintable()
        case _:
            is_good = False
    if not is_good:
        raise Wrong(
            "must say where the secret is: env:NAME, file:PATH, credential:NAME"
            " or keyvault:https://VAULT/NAME (the value is not shown)",
            hint="put the secret into an environment variable or a file, and name that here",
        )
    return given


def writable_reference(value: object) -> str:
    """Accept a reference to a secret whose renewed value can be written to the same place."""
    given = reference(value)
    if given.startswith(("env:", "credential:")):
        raise Wrong(
            "must be file:PATH or keyvault:…: a renewed token is written back",
            hint="an environment variable or a credential of systemd cannot be written back",
        )
    return given


def base_url(value: object) -> str:
    """Accept https, or http to this machine: bearer tokens never cross a network unencrypted."""
    given = required_text(value)
    try:
        parts = urllib.parse.urlsplit(given)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Wrong("is not a URL", hint="as in https://host") from None
    if parts.username is not None or parts.password is not None:
        raise Wrong("must not hold a user or a password (the value is not shown)")
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise Wrong(f"must be a URL that begins with https://, got {shown(given)}")
    if parts.query or parts.fragment:
        raise Wrong(f"must be a URL without ? and #, got {shown(given)}")
    if parts.scheme == "http" and not is_loopback(host):
        raise Wrong(
            f"must begin with https://, got {shown(given)}",
            code=INSECURE_URL,
            hint="http is only for this machine itself, as in http://127.0.0.1:8080",
        )
    return given.rstrip("/")


def proxy(value: object) -> str:
    """Accept a proxy's URL; '' is no proxy. The value is not shown: it may hold a password."""
    given = text(value)
    if not given:
        return given
    try:
        parts = urllib.parse.urlsplit(given)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise Wrong("must be a URL that begins with http:// or https:// (the value is not shown)")
    return given


def store(value: object) -> str:
    """Accept a folder, file:FOLDER, postgresql://…, or object storage.

    The loader makes a folder absolute.
    """
    given = required_text(value)
    scheme, separator, rest = given.partition("://")
    if given.startswith("file:"):
        folder = given.removeprefix("file:")
        if folder.startswith("//"):
            folder = folder.removeprefix("//").removeprefix("localhost")
            if not folder.startswith("/"):
                raise Wrong("must name a folder of this machine, as in file:///srv/lake")
        return required_text(urllib.parse.unquote(folder))
    if not separator:
        return given
    if is_object_url(given):
        try:
            return read_object_url(given).shown
        except UnreadableObjectUrl as error:
            raise Wrong(error.reason, hint=error.hint) from None
    if scheme == "postgres":
        raise Wrong("must begin with postgresql://", hint="postgresql://, with `ql`")
    if scheme.partition("+")[0] != "postgresql":
        raise Wrong(
            f"must be a folder, postgresql://…, s3://…, az://… or abfss://…, got {scheme}://…",
            hint='as in "./lake", "postgresql://auditor@db/audit" or "s3://bucket/prefix"',
        )
    if not rest:
        raise Wrong("must name a host or a database, as in postgresql://auditor@db/audit")
    _check(given)
    return given


def shared(value: object) -> str:
    """Accept how limits are shared: "local", "none", or the URL of a database."""
    given = required_text(value)
    if given in {"local", "none"}:
        return given
    scheme, _, rest = given.partition("://")
    if scheme not in {"postgresql", "redis", "rediss"} or not rest:
        raise Wrong("must be local, none, postgresql://… or redis://… (the value is not shown)")
    _check(given)
    return given


def masked(url: str) -> str:
    """Return a proxy's URL without its password. For a database use `database_url.shown`."""
    if "://" not in url:
        return url
    url = re.sub(r"(?<=://)([^/?#@:]*):[^/?#]*@", r"\1:***@", url)
    return re.sub(r"(?i)([?&][^=&]*(?:password|secret|token|key)[^=&]*)=[^&#]*", r"\1=***", url)


def has_password(url: str) -> bool:
    """Return whether a URL holds a password."""
    try:
        return read(url).has_password
    except Unreadable:  # not the URL of a database
        return masked(url) != url


def _check(url: str) -> None:
    try:
        read(url)
    except Unreadable as error:
        raise Wrong(error.reason, hint=error.hint) from None
