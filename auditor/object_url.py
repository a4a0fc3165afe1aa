"""Reads the URL of a store on an object storage service. Such a URL never holds a credential."""

import re
import urllib.parse

import msgspec

_SCHEMES = ("s3", "az", "abfss")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_ACCOUNT = re.compile(r"[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){2,6}")
_EXAMPLE = (
    'as in "s3://bucket/prefix", "az://container/prefix" or'
    ' "abfss://container@account.dfs.core.windows.net/prefix"'
)


class UnreadableObjectUrl(ValueError):
    """The URL is not understood. The text does not quote it: it may hold a secret."""

    def __init__(self, reason: str, hint: str = _EXAMPLE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class ObjectUrl(msgspec.Struct, frozen=True):
    """The parts of a URL."""

    scheme: str
    bucket: str
    """The bucket, or the container."""
    account: str
    """The host of an `abfss://` URL; '' for the other schemes."""
    prefix: str
    """What the names of all objects begin with; '' for the whole bucket."""

    @property
    def shown(self) -> str:
        """The URL in its one normal form."""
        place = f"{self.bucket}@{self.account}" if self.account else self.bucket
        return f"{self.scheme}://{place}" + (f"/{self.prefix}" if self.prefix else "")


def is_object_url(url: str) -> bool:
    """Return True if a store's URL names an object storage service."""
    return url.partition("://")[0] in _SCHEMES and "://" in url


def read(url: str) -> ObjectUrl:
    """Return the parts of a URL. Raises UnreadableObjectUrl."""
    scheme, _, rest = url.partition("://")
    if scheme not in _SCHEMES:
        raise UnreadableObjectUrl("is not the URL of an object storage service")
    if "?" in rest or "#" in rest:
        raise UnreadableObjectUrl(
            "must be a URL without ? and # (the value is not shown)",
            "credentials come from the environment: AWS_… or AZURE_… variables",
        )
    place, _, prefix = rest.partition("/")
    bucket, at, account = place.partition("@")
    if scheme == "abfss" and not at:
        raise UnreadableObjectUrl("must name a container and the account's host")
    if (at and scheme != "abfss") or ":" in place:
        raise UnreadableObjectUrl("must hold no credentials (the value is not shown)")
    if not _NAME.fullmatch(bucket) or (at and not _ACCOUNT.fullmatch(account)):
        raise UnreadableObjectUrl("must name a bucket or a container (the value is not shown)")
    return ObjectUrl(scheme, bucket, account.lower(), _prefix(prefix))


def _prefix(text: str) -> str:
    parts = urllib.parse.unquote(text).rstrip("/").split("/")
    if parts == [""]:
        return ""
    if any(part in {"", ".", ".."} or not part.isprintable() for part in parts):
        raise UnreadableObjectUrl("must have a prefix without empty parts, . and ..")
    return "/".join(parts)
