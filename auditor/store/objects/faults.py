"""Turns the errors of an object storage service into errors of ours; no secret gets into a text."""

import re

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from auditor.errors import AuditorError, SettingsError, StoreFailed, StoreRefused, StoreUnreachable
from auditor.object_url import ObjectUrl

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_NO_BUCKET = {"NoSuchBucket", "ContainerNotFound", "FilesystemNotFound"}
_SIGNING_IN = ("token request", "169.254.169.254", "169.254.170.", "credential")
"""Words in the texts for a sign-in that failed. Without any credential in the environment, the
client asks the machine's identity service, at the first of these addresses."""
UNREACHABLE = "E_OBJECT_STORE"
REFUSED = "E_OBJECT_STORE_REFUSED"


def translated(error: Exception, url: ObjectUrl, key: str = "") -> AuditorError:
    """Return our error for an error of obstore. Its own text may hold a signed URL: not shown."""
    text = str(error).partition("Debug source")[0]
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    code = _code(text)
    place = f"{url.shown}/{key}" if key else url.shown
    if code in _NO_BUCKET:
        return no_bucket(url)
    if any(words in text.lower() for words in _SIGNING_IN):
        return StoreRefused(
            f"{place}: no credentials were found, or they are refused",
            code=REFUSED,
            hint=credentials(url),
        )
    said = " ".join(str(part) for part in (status or "", code) if part)
    is_refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    if is_refused or status in {401, 403}:
        return StoreRefused(
            f"{place}: refused ({said or 'no access'})", code=REFUSED, hint=credentials(url)
        )
    if not status and isinstance(error, BaseError):
        return StoreUnreachable(f"{url.shown} does not answer", code=UNREACHABLE, hint=_AGAIN)
    if status >= 500 or status in {408, 429}:  # noqa: PLR2004 - the server's own fault
        return StoreUnreachable(f"{place}: {said}", code=UNREACHABLE, hint=_AGAIN)
    return StoreFailed(f"{place}: {said or type(error).__name__}", hint=_settings(url))


def is_missing(error: FileNotFoundError) -> bool:
    """Return True if only the object is missing, not its bucket."""
    return _code(str(error)) not in _NO_BUCKET


def _code(text: str) -> str:
    found = _CODE.search(text)
    return found[1] if found else ""


def no_bucket(url: ObjectUrl) -> SettingsError:
    """Return the error for a bucket or container that does not exist."""
    kind = "bucket" if url.scheme == "s3" else "container"
    return SettingsError(
        f"store: there is no {kind} {url.bucket}", hint=f"make the {kind}, or correct `store`"
    )


def not_usable(url: ObjectUrl) -> SettingsError:
    """Return the error for a client that cannot be made of the URL and the environment."""
    return SettingsError(
        f"store: {url.shown} cannot be used with the present environment", hint=_settings(url)
    )


_AGAIN = "check the network and the service; then `auditor run --resume`"


def credentials(url: ObjectUrl) -> str:
    """Return the hint that names the variables with credentials."""
    if url.scheme == "s3":
        return (
            "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role that may"
            " list, read, write and delete objects there"
        )
    return (
        "set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET, or"
        " AZURE_STORAGE_ACCOUNT_KEY, or give the machine's identity the role Storage Blob Data"
        " Contributor"
    )


def _settings(url: ObjectUrl) -> str:
    if url.scheme == "s3":
        return "check AWS_REGION, AWS_ENDPOINT_URL and `store`"
    return "check AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ENDPOINT and `store`"
