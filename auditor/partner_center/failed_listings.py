"""Which listings of wave 1 got no usable answer.

The client notes every failed call by itself, so that no caller can forget one. A caller takes a
note back only if another call answered the same question.
"""

import hashlib
from collections.abc import Iterable
from typing import TypedDict

from auditor.errors import Does, PartnerCenterError
from auditor.model import FailedListing, Reply, Request
from auditor.partner_center.decoding import Spoiled

_FAILED = frozenset({Does.CUSTOMER_FAILED, Does.CARRIED, Does.PAGES_FAILED})
"""The ends of a question without an answer. The other ends are answers, or end the run."""


SET_APART = "item_set_apart"
"""The reason of an item that cannot be used, in a list whose other items can."""
UNSENDABLE = "unsendable"
"""The reason of a listing that was not sent: an id fits no request."""
_NAMED_BY = {
    "customers": "customer_id",
    "products": "product_id",
    "skus": "sku_id",
    "customer_skus": "sku_id",
}
"""By what is listed: the key column that the id of an item belongs to."""


class Subject(TypedDict, total=False):
    """What a listing is about, as far as the request says."""

    customer_id: str
    country: str
    plan_id: str
    reservation_scope: str
    product_id: str
    sku_id: str


class FailedListings:
    """The failed listings of one partner's run, by the key of their request."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, FailedListing] = {}
        self._answers: dict[bytes, FailedListing] = {}
        """Refusals that are answers, such as "there is no such customer"."""

    def note(self, listing: str, error: PartnerCenterError, subject: Subject) -> None:
        """Add a listing, unless the reply is an answer such as "there is no such customer"."""
        key = error.key or hashlib.sha256(f"{listing} {sorted(subject.items())}".encode()).digest()
        is_answer = bool(error.does) and error.does[-1] not in _FAILED
        (self._answers if is_answer else self._by_key)[key] = FailedListing(
            listing=listing,
            key=key,
            **subject,
            reason=error.reason or UNSENDABLE,
            http_status=error.status,
            error_code=error.error_code_sent,
            request_id=error.request_id,
            correlation_id=error.correlation_id,
            attempts=error.attempts,
            sent_at=error.sent_at,
        )

    def note_unusable(self, listing: str, reason: str, subject: Subject) -> None:
        """Add a listing whose answer lacks what the run needs."""
        self.note(listing, PartnerCenterError(reason, reason=reason), subject)

    def doubt(self, error: PartnerCenterError) -> None:
        """Add a listing whose refusal counted as an answer: another reply contradicts it."""
        self._by_key[error.key] = self._answers[error.key]

    def note_items(
        self,
        listing: str,
        request: Request,
        reply: Reply,
        items: Iterable[Spoiled],
        subject: Subject,
    ) -> None:
        """Add a listing for each item that was set apart, with the id that it still shows."""
        for place, item in enumerate(items):
            about: Subject = {**subject, **_named(listing, item)}
            key = hashlib.sha256(request.key() + str(place).encode()).digest()[:16]
            self._by_key[key] = FailedListing(
                listing=listing,
                key=key,
                **about,
                reason=SET_APART,
                http_status=reply.status,
                error_code="",
                request_id=reply.request_id,
                correlation_id=reply.correlation_id,
                attempts=reply.attempts,
                sent_at=reply.sent_at,
            )

    def take_back(self, *errors: PartnerCenterError) -> None:
        """Remove listings whose question another call has answered."""
        for error in errors:
            self._by_key.pop(error.key, None)

    def all(self) -> tuple[FailedListing, ...]:
        """Return the failed listings, in an order that does not depend on the replies' order."""
        return tuple(self._by_key[key] for key in sorted(self._by_key))


def _named(listing: str, item: Spoiled) -> Subject:
    """Return what an item that was set apart is about."""
    if not item.id:
        return {}
    name = _NAMED_BY.get(listing)
    if name == "customer_id":
        return {"customer_id": item.id.lower()}
    if name == "product_id":
        return {"product_id": item.id}
    return {"sku_id": item.id} if name == "sku_id" else {}


def by_cause(failed: Iterable[FailedListing]) -> list[tuple[FailedListing, int]]:
    """Return the first listing of each cause, and how many listings have that cause."""
    same: dict[tuple[str, str, str], list[FailedListing]] = {}
    for each in failed:
        same.setdefault((each.listing, each.reason, each.error_code), []).append(each)
    return [(of_cause[0], len(of_cause)) for _, of_cause in sorted(same.items())]
