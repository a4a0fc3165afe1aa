"""Why no reply came, in one word.

The library's errors do not leave this module, because some of them hold the token.
"""

import errno
import os
import resource

import aiohttp

from auditor.errors import TOO_MANY_OPEN, StoreFailed

UNSENDABLE = "unsendable"
"""The fault lies in the request, not in the server."""


class NoReply(Exception):
    """The connection ended before a reply. aiohttp does not retry on this error."""


async def once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Prevent aiohttp's own retry on a kept-alive connection: nobody would count that retry."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as exc:
        raise NoReply from exc


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "timeout"),
    (aiohttp.ClientSSLError, "tls"),
    (aiohttp.ClientProxyConnectionError, "proxy"),
    (aiohttp.ClientHttpProxyError, "proxy"),
    (aiohttp.ClientConnectorDNSError, "dns"),
    (aiohttp.ClientConnectorError, "refused"),
    (aiohttp.ClientPayloadError, "cut"),
    (aiohttp.InvalidURL, UNSENDABLE),
    (aiohttp.ClientResponseError, "garbled"),
    (aiohttp.ClientError, "reset"),
    (OSError, "reset"),
    (NoReply, "reset"),
    (ValueError, UNSENDABLE),
)
"""The first match counts: some are subclasses of others."""
FAULTS = (aiohttp.ClientError, OSError, NoReply, ValueError)
"""All errors of an attempt."""


def cause_of(exc: Exception) -> str:
    """Return the cause, in one word.

    Raises:
        StoreFailed: this process may open no more files, so no more connections.
    """
    if isinstance(exc, OSError) and _is_out_of_files(exc):
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise StoreFailed(
            f"too many open files: {allowed} are allowed", hint=TOO_MANY_OPEN
        ) from exc
    return next((cause for kind, cause in _CAUSES if isinstance(exc, kind)), UNSENDABLE)


def _is_out_of_files(exc: OSError) -> bool:
    if isinstance(exc, aiohttp.ClientConnectorDNSError):  # the resolver reads files
        try:
            os.close(os.open(os.devnull, os.O_RDONLY))
        except OSError as refused:
            exc = refused
    return exc.errno in {errno.EMFILE, errno.ENFILE}
