"""Partner Center's catalog and inventory, one method per endpoint.

A method returns the reply's values or raises a subclass of `PartnerCenterError`; `error_table`
says which. `ask` returns the reply to a check unchanged: `normalize` decides what it means.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar, Unpack

from auditor.errors import PartnerCenterError, UnexpectedReply
from auditor.model import Reply, Request
from auditor.partner_center import decoding, requests, wire
from auditor.partner_center.failed_listings import FailedListings, Subject
from auditor.partner_center.pages import BadLink, Pages, Trail
from auditor.partner_center.replies import error_of, unexpected

T = TypeVar("T")
Send = Callable[[Request], Awaitable[Reply]]
Refuse = Callable[[Request, Reply, str], None]
"""Takes a success whose body cannot be used, and the reason."""


class PartnerCenter:
    """The API as one partner sees it."""

    def __init__(self, send: Send, base_url: str, refuse: Refuse = lambda _, __, ___: None) -> None:
        self._send = send
        self._refuse = refuse
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
        """Return all customers; after a failure, the pages read before it, as not complete."""
        request = requests.customers()
        trail = Trail(self._base_url, request)
        items: dict[str, wire.Customer] = {}
        received = 0
        while True:
            try:
                reply = await self.ask(request)
                page = self._read(request, reply, _customers)
                items |= {item.id.lower(): item for item in page.items}
                received += len(page.items)
                link = page.links.next
                # The count may be that of the page, or of the whole list.
                if link is None and (page.total_count or 0) > received:
                    what = f"short list: {received} of {page.total_count} items"
                    raise self._unexpected(request, reply, what)
                if link is None:
                    return Pages(items=tuple(items.values()), complete=True)
                if not trail.new_items(item.id for item in page.items):
                    raise self._unexpected(request, reply, "a page without a new customer")
                try:
                    request = trail.next_request(link)
                except BadLink as exc:
                    raise self._unexpected(request, reply, str(exc)) from exc
            except PartnerCenterError as exc:
                self.failed.note(request, exc, {})
                return Pages(items=tuple(items.values()), complete=False, error=exc)

    async def customer(self, customer_id: str) -> wire.Customer:
        """Return a customer, with its billing country."""
        return await self._one(
            requests.customer(customer_id), wire.Customer, customer_id=customer_id
        )

    async def subscriptions(self, customer_id: str) -> tuple[wire.Subscription, ...]:
        """Return what a customer holds or has held."""
        return await self._all(
            requests.subscriptions(customer_id), wire.Subscription, customer_id=customer_id
        )

    async def subscription(self, customer_id: str, subscription_id: str) -> wire.Subscription:
        """Return one subscription."""
        return await self._one(
            requests.subscription(customer_id, subscription_id),
            wire.Subscription,
            customer_id=customer_id,
            plan_id=subscription_id,
        )

    async def azure_entitlements(
        self,
        customer_id: str,
        plan_id: str,
        round: int = 0,  # noqa: A002 - as in Request
    ) -> tuple[wire.AzureEntitlement, ...]:
        """Return the Azure subscriptions under an Azure plan."""
        return await self._all(
            requests.azure_entitlements(customer_id, plan_id, round),
            wire.AzureEntitlement,
            customer_id=customer_id,
            plan_id=plan_id,
        )

    async def registration_status(self, customer_id: str, plan_id: str) -> wire.RegistrationStatus:
        """Return whether an Azure plan may buy reservations."""
        return await self._one(
            requests.registration_status(customer_id, plan_id),
            wire.RegistrationStatus,
            customer_id=customer_id,
            plan_id=plan_id,
        )

    async def products(
        self, country: str, target_view: str, segment: str, reservation_scope: str
    ) -> tuple[wire.Product, ...]:
        """Return the products of one target view."""
        return await self._all(
            requests.products(country, target_view, segment, reservation_scope),
            wire.Product,
            country=country,
            reservation_scope=reservation_scope,
        )

    async def product(self, country: str, product_id: str) -> wire.Product:
        """Return a product."""
        return await self._one(
            requests.product(country, product_id),
            wire.Product,
            country=country,
            product_id=product_id,
        )

    async def skus(
        self, country: str, product_id: str, segment: str, reservation_scope: str
    ) -> tuple[wire.Sku, ...]:
        """Return the SKUs of a product."""
        return await self._all(
            requests.skus(country, product_id, segment, reservation_scope),
            wire.Sku,
            country=country,
            reservation_scope=reservation_scope,
            product_id=product_id,
        )

    async def sku(
        self, country: str, product_id: str, sku_id: str, reservation_scope: str
    ) -> wire.Sku:
        """Return a SKU."""
        return await self._one(
            requests.sku(country, product_id, sku_id, reservation_scope),
            wire.Sku,
            country=country,
            reservation_scope=reservation_scope,
            product_id=product_id,
            sku_id=sku_id,
        )

    async def customer_product(self, customer_id: str, product_id: str) -> wire.Product:
        """Return a product as a customer sees it."""
        return await self._one(
            requests.customer_product(customer_id, product_id),
            wire.Product,
            customer_id=customer_id,
            product_id=product_id,
        )

    async def customer_skus(self, customer_id: str, product_id: str) -> tuple[wire.Sku, ...]:
        """Return the SKUs of a product that a customer sees."""
        return await self._all(
            requests.customer_skus(customer_id, product_id),
            wire.Sku,
            customer_id=customer_id,
            product_id=product_id,
        )

    async def customer_sku(self, customer_id: str, product_id: str, sku_id: str) -> wire.Sku:
        """Return a SKU as a customer sees it."""
        return await self._one(
            requests.customer_sku(customer_id, product_id, sku_id),
            wire.Sku,
            customer_id=customer_id,
            product_id=product_id,
            sku_id=sku_id,
        )

    async def _one(self, request: Request, item: type[T], **subject: Unpack[Subject]) -> T:
        with self._noting(request, subject):
            reply = await self.ask(request)
            return self._read(request, reply, lambda body: decoding.one(body, item))

    async def _all(
        self, request: Request, item: type[T], **subject: Unpack[Subject]
    ) -> tuple[T, ...]:
        """Return the items of an unpaged list; such a list was once cut at 50 without notice."""
        with self._noting(request, subject):
            reply = await self.ask(request)
            listed = self._read(request, reply, lambda body: decoding.collection(body, item))
            if listed.links.next is not None or listed.total_count not in (None, len(listed.items)):
                what = f"short list: {len(listed.items)} of {listed.total_count} items"
                raise self._unexpected(request, reply, what)
            return listed.items

    @contextmanager
    def _noting(self, request: Request, subject: Subject) -> Iterator[None]:
        try:
            yield
        except PartnerCenterError as error:
            self.failed.note(request, error, subject)
            raise

    def _read(self, request: Request, reply: Reply, decode: Callable[[bytes], T]) -> T:
        try:
            return decode(reply.body)
        except decoding.Malformed as exc:
            raise self._unexpected(request, reply, str(exc)) from exc

    def _unexpected(self, request: Request, reply: Reply, what: str) -> UnexpectedReply:
        self._refuse(request, reply, what)
        return unexpected(request, reply, what)


def _customers(body: bytes) -> wire.Collection[wire.Customer]:
    return decoding.collection(body, wire.Customer)
