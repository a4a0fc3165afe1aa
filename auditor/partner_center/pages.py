"""Follows the links of the customer list from page to page."""

from collections.abc import Iterable
from typing import Generic, TypeVar
from urllib.parse import parse_qsl, urlsplit

import msgspec

from auditor.errors import PartnerCenterError
from auditor.model import Request
from auditor.partner_center import wire
from auditor.partner_center.decoding import Spoiled

T = TypeVar("T")
MOST_PAGES = 10_000
TOKEN_HEADER = "MS-ContinuationToken"  # noqa: S105 - a header's name
LONGEST_TOKEN = 8192


class Pages(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """The items of the pages that were read."""

    items: tuple[T, ...]
    spoiled: tuple[Spoiled, ...] = ()
    """The items that cannot be used, with the names that could be read."""
    complete: bool
    error: PartnerCenterError | None = None
    """Why the list is not complete."""


class BadLink(ValueError):
    """A link to the next page that must not be followed."""


class Trail:
    """Remembers which pages of a list were read, so that a circle of links ends."""

    def __init__(self, base_url: str, first: Request) -> None:
        self._base_url = base_url
        self._first = first
        self._requests = {(first.params, first.headers)}
        self._ids: set[str] = set()

    def new_items(self, ids: Iterable[str]) -> bool:
        """Record a page's ids; return whether any of them is new."""
        known = len(self._ids)
        self._ids.update(item.lower() for item in ids)
        return len(self._ids) > known

    def next_request(self, link: wire.Link) -> Request:
        """Return the request for the next page. A link that leads elsewhere raises `BadLink`.

        The URI may lack the leading /v1: that changed once, and SDKs that added a second /v1 lost
        every page but the first.
        """
        request = msgspec.structs.replace(
            self._first, params=self._params(link), headers=_headers(link)
        )
        if (request.params, request.headers) in self._requests:
            raise BadLink("the link to the next page leads back")
        if len(self._requests) >= MOST_PAGES:
            raise BadLink(f"more than {MOST_PAGES} pages")
        self._requests.add((request.params, request.headers))
        return request

    def _params(self, link: wire.Link) -> tuple[tuple[str, str], ...]:
        uri = link.uri
        if link.method.upper() != "GET" or not uri.isascii() or not uri.isprintable():
            raise BadLink("not a link to a page")
        if "\\" in uri or "#" in uri or " " in uri:
            raise BadLink(f"not a link to a page: {uri[:200]}")
        try:
            parts, base = urlsplit(uri), urlsplit(self._base_url)
            same_place = (parts.scheme, parts.netloc) in {("", ""), (base.scheme, base.netloc)}
            params = parse_qsl(
                parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)
            )
        except ValueError as exc:
            raise BadLink(f"not a link to a page: {uri[:200]}") from exc
        path = parts.path if parts.path.startswith("/") else "/" + parts.path
        if not path.startswith("/v1/"):
            path = "/v1" + path
        # Compare the path unchanged, so that no `..`, %2e or second slash passes.
        if not same_place or uri.startswith("//") or path != self._first.path:
            raise BadLink(f"a link that leaves the list: {uri[:200]}")
        if all(name.lower() != "seekoperation" for name, _ in params):
            params.append(("seekOperation", "Next"))
        return tuple(params)


def _headers(link: wire.Link) -> tuple[tuple[str, str], ...]:
    """Return the continuation token; no other header of a request comes from a reply."""
    for header in link.headers:
        if header.key.lower() == TOKEN_HEADER.lower():
            token = header.value
            fits = token.isascii() and token.isprintable() and 0 < len(token) <= LONGEST_TOKEN
            if not fits:
                raise BadLink("a continuation token that fits no header")
            return ((TOKEN_HEADER, token),)
    return ()
