"""Partner Center's catalog and inventory, one method per endpoint.

A method returns the reply's values or raises a subclass of `PartnerCenterError`; `error_table`
says which. `ask` returns the reply to a check unchanged: `normalize` decides what it means.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TypeVar, Unpack

import msgspec

from auditor.errors import PartnerCenterError, UnexpectedReply
from auditor.model import Reply, Request
from auditor.partner_center import decoding, requests, wire
from auditor.partner_center.decoding import Listed, Spoiled
from auditor.partner_center.failed_listings import FailedListings, Subject
from auditor.partner_center.pages import BadLink, Pages, Trail
from auditor.partner_center.replies import error_of, unexpected

T = TypeVar("T")
NOT_ASKED = "an item about something else"
Send = Callable[[Request], Awaitable[Reply]]
Build = partial[Request]
"""Makes a request; `Rejected` if an id fits none."""
Refuse = Callable[[Request, Reply, str], None]
"""Called with each success whose body cannot be used, and with the reason."""
SetApart = Callable[[Request, Reply, Sequence[Spoiled]], None]
"""Called with each success of which only some items can be used, and with the other items."""
Overlook = Callable[[Request, Reply, int], None]
"""Called with each success that has odd fields, and with their number."""


class PartnerCenter:
    """The API as one partner sees it."""

    def __init__(
        self,
        send: Send,
        base_url: str,
        refuse: Refuse = lambda _, __, ___: None,
        set_apart: SetApart = lambda _, __, ___: None,
        overlook: Overlook = lambda _, __, ___: None,
    ) -> None:
        """Each of the last three is called at most once for each reply."""
        self._send = send
        self._refuse = refuse
        self._set_apart = set_apart
        self._overlook = overlook
        self._base_url = base_url
        self.failed = FailedListings()

    async def ask(self, request: Request) -> Reply:
        """Send a request and return its reply; raise if it is not a success."""
        reply = await self._send(request)
        if error := error_of(request, reply):
            if isinstance(error, UnexpectedReply):
                self._refuse(request, reply, error.error_code_sent)
            raise error
        return reply

    async def customers(self) -> Pages[wire.Customer]:
        """Return all customers; after a failure, those on the pages before it, as incomplete."""
        request = requests.customers()
        trail = Trail(self._base_url, request)
        items: dict[str, wire.Customer] = {}
        spoiled: list[Spoiled] = []
        received = 0
        while True:
            try:
                reply = await self.ask(request)
                page = self._list("customers", request, reply, wire.Customer)
                items |= {item.id.lower(): item for item in page.items}
                spoiled += page.spoiled
                received += page.count
                link = page.links.next
                # The count may be that of the page, or of the whole list.
                if link is None and (page.total_count or 0) > received:
                    what = f"short list: {received} of {page.total_count} items"
                    raise self._unexpected(request, reply, what)
                if link is None:
                    return _pages(items, spoiled)
                if not trail.new_items(_shown(page, reply)):
                    raise self._unexpected(request, reply, "a page without a new customer")
                try:
                    request = trail.next_request(link)
                except BadLink as exc:
                    raise self._unexpected(request, reply, str(exc)) from exc
            except PartnerCenterError as exc:
                self.failed.note("customers", exc, {})
                return _pages(items, spoiled, exc)

    async def customer(self, customer_id: str) -> wire.Customer:
        """Return a customer, with its billing country."""
        return await self._one(
            partial(requests.customer, customer_id),
            wire.Customer,
            lambda c: _same(c.id, customer_id),
            customer_id=customer_id,
        )

    async def subscriptions(self, customer_id: str) -> Listed[wire.Subscription]:
        """Return what a customer holds or has held."""
        return await self._all(
            partial(requests.subscriptions, customer_id), wire.Subscription, customer_id=customer_id
        )

    async def subscription(self, customer_id: str, subscription_id: str) -> wire.Subscription:
        """Return one subscription."""
        return await self._one(
            partial(requests.subscription, customer_id, subscription_id),
            wire.Subscription,
            lambda s: _same(s.id, subscription_id),
            customer_id=customer_id,
            plan_id=subscription_id,
        )

    async def azure_entitlements(
        self,
        customer_id: str,
        plan_id: str,
        round: int = 0,  # noqa: A002 - as in Request
    ) -> Listed[wire.AzureEntitlement]:
        """Return the Azure subscriptions under an Azure plan."""
        return await self._all(
            partial(requests.azure_entitlements, customer_id, plan_id, round),
            wire.AzureEntitlement,
            customer_id=customer_id,
            plan_id=plan_id,
        )

    async def registration_status(self, customer_id: str, plan_id: str) -> wire.RegistrationStatus:
        """Return whether an Azure plan may buy reservations."""
        return await self._one(
            partial(requests.registration_status, customer_id, plan_id),
            wire.RegistrationStatus,
            customer_id=customer_id,
            plan_id=plan_id,
        )

    async def products(
        self, country: str, target_view: str, segment: str, reservation_scope: str
    ) -> Listed[wire.Product]:
        """Return the products of one target view."""
        return await self._all(
            partial(requests.products, country, target_view, segment, reservation_scope),
            wire.Product,
            country=country,
            reservation_scope=reservation_scope,
        )

    async def product(self, country: str, product_id: str) -> wire.Product:
        """Return a product."""
        build = partial(requests.product, country, product_id)
        return await self._one(build, wire.Product, country=country, product_id=product_id)

    async def skus(
        self, country: str, product_id: str, segment: str, reservation_scope: str
    ) -> Listed[wire.Sku]:
        """Return the SKUs of a product."""
        return await self._all(
            partial(requests.skus, country, product_id, segment, reservation_scope),
            wire.Sku,
            _of_product(product_id),
            country=country,
            reservation_scope=reservation_scope,
            product_id=product_id,
        )

    async def sku(
        self, country: str, product_id: str, sku_id: str, reservation_scope: str
    ) -> wire.Sku:
        """Return a SKU."""
        return await self._one(
            partial(requests.sku, country, product_id, sku_id, reservation_scope),
            wire.Sku,
            _of_product(product_id, sku_id),
            country=country,
            reservation_scope=reservation_scope,
            product_id=product_id,
            sku_id=sku_id,
        )

    async def customer_product(self, customer_id: str, product_id: str) -> wire.Product:
        """Return a product as a customer sees it."""
        build = partial(requests.customer_product, customer_id, product_id)
        return await self._one(build, wire.Product, customer_id=customer_id, product_id=product_id)

    async def customer_skus(self, customer_id: str, product_id: str) -> Listed[wire.Sku]:
        """Return the SKUs of a product that a customer sees."""
        return await self._all(
            partial(requests.customer_skus, customer_id, product_id),
            wire.Sku,
            _of_product(product_id),
            customer_id=customer_id,
            product_id=product_id,
        )

    async def customer_sku(self, customer_id: str, product_id: str, sku_id: str) -> wire.Sku:
        """Return a SKU as a customer sees it."""
        return await self._one(
            partial(requests.customer_sku, customer_id, product_id, sku_id),
            wire.Sku,
            _of_product(product_id, sku_id),
            customer_id=customer_id,
            product_id=product_id,
            sku_id=sku_id,
        )

    async def _one(
        self,
        build: Build,
        item: type[T],
        is_asked: Callable[[T], bool] = lambda _: True,
        **subject: Unpack[Subject],
    ) -> T:
        with self._noting(build, subject):
            request = build()
            reply = await self.ask(request)
            found, odd_fields = self._read(request, reply, lambda body: decoding.single(body, item))
            if odd_fields:
                self._overlook(request, reply, odd_fields)
            if not is_asked(found):
                raise self._unexpected(request, reply, "an answer about something else")
            return found

    async def _all(
        self,
        build: Build,
        item: type[T],
        is_asked: Callable[[T], bool] = lambda _: True,
        **subject: Unpack[Subject],
    ) -> Listed[T]:
        """Return the items of an unpaged list; such a list was once cut at 50 without notice.

        Items about something else are set apart.
        """
        with self._noting(build, subject):
            request = build()
            reply = await self.ask(request)
            listed = self._list(build.func.__name__, request, reply, item, is_asked, **subject)
            if listed.links.next is not None or listed.total_count not in {None, listed.count}:
                what = f"short list: {listed.count} of {listed.total_count} items"
                raise self._unexpected(request, reply, what)
            return listed

    @contextmanager
    def _noting(self, build: Build, subject: Subject) -> Iterator[None]:
        """Note an error as a failed listing, also if an id fits no request and nothing is sent."""
        try:
            yield
        except PartnerCenterError as error:
            self.failed.note(build.func.__name__, error, subject)
            raise

    def _list(
        self,
        listing: str,
        request: Request,
        reply: Reply,
        item: type[T],
        is_asked: Callable[[T], bool] = lambda _: True,
        **subject: Unpack[Subject],
    ) -> Listed[T]:
        listed = self._read(request, reply, lambda body: decoding.collection(body, item))
        listed = _asked(listed, is_asked)
        if listed.odd_fields:
            self._overlook(request, reply, listed.odd_fields)
        if listed.spoiled:
            self._set_apart(request, reply, listed.spoiled)
            self.failed.note_items(listing, request, reply, listed.spoiled, subject)
        return listed

    def _read(self, request: Request, reply: Reply, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(reply.body)
        except decoding.Malformed as exc:
            raise self._unexpected(request, reply, str(exc)) from exc

    def _unexpected(self, request: Request, reply: Reply, what: str) -> UnexpectedReply:
        self._refuse(request, reply, what)
        return unexpected(request, reply, what)


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower()


def _of_product(product_id: str, sku_id: str = "") -> Callable[[wire.Sku], bool]:
    """Return a test for the SKU that was asked for; without `sku_id`, for any of the product."""
    return lambda sku: _same(sku.product_id, product_id) and (not sku_id or _same(sku.id, sku_id))


def _asked(listed: Listed[T], is_asked: Callable[[T], bool]) -> Listed[T]:
    items = tuple(item for item in listed.items if is_asked(item))
    if len(items) == len(listed.items):
        return listed
    others = (Spoiled(reason=NOT_ASKED),) * (len(listed.items) - len(items))
    return msgspec.structs.replace(listed, items=items, spoiled=(*listed.spoiled, *others))


def _shown(page: Listed[wire.Customer], reply: Reply) -> list[str]:
    """Return the ids of a page. If an item has no id, a hash of the page stands for it."""
    whole = [hashlib.sha256(reply.body).hexdigest()] if page.has_nameless else []
    return [*(item.id for item in page.items), *page.spoiled_ids, *whole]


def _pages(
    items: dict[str, wire.Customer],
    spoiled: Sequence[Spoiled],
    error: PartnerCenterError | None = None,
) -> Pages[wire.Customer]:
    return Pages(
        items=tuple(items.values()),
        # a customer on two pages counts as read if one of the two items was readable
        spoiled=tuple(one for one in spoiled if one.id.lower() not in items),
        complete=error is None,
        error=error,
    )
