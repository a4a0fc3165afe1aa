"""Discovers customers and their subscriptions: the first half of wave 1.

The subscriptions are Azure plans, Azure subscriptions and licences. An answered listing may have
been cut off. So an item that the listing no longer names is asked for by id before it is dropped
(docs/contract.md, "Leaving").
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing

import msgspec

from auditor.concurrency import fan_out
from auditor.errors import (
    Does,
    Forbidden,
    NotFound,
    PartnerCenterError,
    UnexpectedReply,
)
from auditor.model import CommerceSubscription, Customer, Reason, RememberedListing
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.decoding import Listed, Spoiled
from auditor.partner_center.failed_listings import Subject
from auditor.scope import cached, from_wire
from auditor.scope.azure_subscriptions import Azure, one, some
from auditor.scope.customer_list import CustomerList, CustomerRules
from auditor.scope.found import CustomerFound
from auditor.scope.known import Known
from auditor.scope.offers import (
    AZURE_PLAN,
    REGISTRATION_UNKNOWN,
    is_active,
    is_other_by_type,
    licences,
)

RESELLER = "reseller"


class CustomerDiscovery:
    """Reads everything about each customer, many at once."""

    def __init__(
        self, api: PartnerCenter, known: Known, rules: CustomerRules, *, at_once: int
    ) -> None:
        self._api = api
        self._known = known
        self._rules = rules
        self._at_once = at_once
        self._subscriptions_due = rules.subscriptions_due.among(known.customers_listed)
        self._country_due = rules.country_due.among(known.countries_read)
        self.refusal: PartnerCenterError | None = None
        """The last error from looking up a customer by id."""

    async def find(self, customers: CustomerList) -> AsyncGenerator[CustomerFound | None]:
        """Yield each customer as it is found; None for a customer of another country."""
        for customer_id in customers.unreached:
            yield self._failed(self._stub(customer_id), Reason.LISTING_FAILED)
        for customer_id, name in customers.set_apart.items():
            yield self._failed(self._stub(customer_id, name), Reason.LISTING_FAILED)
        todo: list[wire.Customer | str] = [*customers.listed, *customers.unconfirmed]
        async with aclosing(fan_out(todo, self._find, at_once=self._at_once)) as results:
            async for found in results:
                yield found

    async def _find(self, entry: wire.Customer | str) -> CustomerFound | None:
        """Read one customer, from its list item or by its id."""
        is_country_read = isinstance(entry, str)
        if isinstance(entry, str):
            try:
                read = await self._api.customer(entry)
            except (Forbidden, NotFound) as refusal:
                return self._refused(entry, refusal)
            except PartnerCenterError as refusal:
                if not isinstance(refusal, UnexpectedReply):  # a retry would get the same reply
                    self.refusal = refusal
                return self._failed(self._stub(entry), Reason.LISTING_FAILED)
            customer = from_wire.customer(self._known.partner_tenant_id, read)
        else:
            country = self._known.country_of(entry.id.lower())
            customer = from_wire.customer(self._known.partner_tenant_id, entry, country)
            if self._rules.own_country and customer.relationship in {"", RESELLER}:
                before = cached.country(self._known, customer.customer_id, self._country_due)
                if before is not None:
                    return await self._in_scope(_filled(customer, before))
                try:
                    read = await self._api.customer(customer.customer_id)
                except PartnerCenterError as refusal:
                    if Does.LEFT in refusal.does:  # but the customer list names the customer
                        self._api.failed.doubt(refusal)
                    return self._failed(customer, Reason.COUNTRY_UNREADABLE)
                customer = from_wire.customer(self._known.partner_tenant_id, read)
                customer = _filled(
                    customer, from_wire.customer(self._known.partner_tenant_id, entry)
                )
                is_country_read = True
        found = await self._in_scope(customer)
        return found and msgspec.structs.replace(found, is_country_read=is_country_read)

    async def _in_scope(self, customer: Customer) -> CustomerFound | None:
        countries = self._rules.countries
        if customer.relationship not in {"", RESELLER}:
            reason = Reason.RELATIONSHIP_NOT_RESELLER
            return CustomerFound(customer=customer, ineligible=reason)
        if self._rules.own_country:
            if not customer.country:
                about: Subject = {"customer_id": customer.customer_id}
                self._api.failed.note_unusable("customer", Reason.COUNTRY_UNREADABLE, about)
                return self._failed(customer, Reason.COUNTRY_UNREADABLE)
            countries = (customer.country,)
        if self._rules.narrowed_to:
            countries = tuple(c for c in countries if c in self._rules.narrowed_to)
            if not countries:
                return None
        return await self._subscriptions(customer, countries)

    def _refused(self, customer_id: str, refusal: PartnerCenterError) -> CustomerFound | None:
        """Return a customer whose look-up by id was refused; None if it was never known.

        403 20002 and 404 prove that the customer has left. Another refusal proves nothing.
        """
        if customer_id not in self._known.customers and not self._known.holds(customer_id, ""):
            return None
        stub = self._stub(customer_id)
        if Does.LEFT in refusal.does:
            return CustomerFound(customer=stub, left=True)
        return self._failed(stub, Reason.LISTING_FAILED)

    def _stub(self, customer_id: str, company_name: str = "") -> Customer:
        return self._known.customers.get(customer_id) or Customer(
            partner_tenant_id=self._known.partner_tenant_id,
            customer_id=customer_id,
            company_name=company_name,
            domain="",
            country="",
            relationship="",
            reseller_id="",
        )

    def _failed(
        self, customer: Customer, reason: str, countries: tuple[str, ...] = ()
    ) -> CustomerFound:
        """Return a customer whose listing failed, with everything that is known about it."""
        held = sorted(c.country for c in self._known.cells if c.customer_id == customer.customer_id)
        azure = self._known.azure_subscriptions.get(customer.customer_id, {})
        commerce = self._known.commerce_subscriptions.get(customer.customer_id, {})
        asked_before = customer.customer_id in self._known.customers
        return CustomerFound(
            customer=customer,
            countries=countries or tuple(c for c in held if c) or self._guess(customer),
            failed=reason,
            azure_subscriptions=tuple(azure.values()),
            commerce_subscriptions=tuple(commerce.values()),
            carried=frozenset(azure),
            unlisted=self._still_unlisted(customer.customer_id, "", known=asked_before),
        )

    def _guess(self, customer: Customer) -> tuple[str, ...]:
        return (customer.country,) if customer.country in self._rules.countries else ()

    def _still_unlisted(self, customer_id: str, listing: str, *, known: bool) -> frozenset[str]:
        """Return the failed listing if it has never been answered, else nothing.

        The first answer of such a listing will be a baseline.
        """
        before = (customer_id, "", "", listing) in self._known.unlisted
        return frozenset({listing}) if before or not known else frozenset()

    async def _subscriptions(self, customer: Customer, countries: tuple[str, ...]) -> CustomerFound:
        customer_id = customer.customer_id
        remembered = cached.subscriptions(
            self._known,
            customer,
            countries,
            self._subscriptions_due,
            check_registration=self._rules.check_registration,
        )
        if remembered is not None:
            return remembered
        try:
            answer = await self._api.subscriptions(customer_id)
        except PartnerCenterError:
            return self._failed(customer, Reason.LISTING_FAILED, countries)
        before = self._known.commerce_subscriptions.get(customer_id, {})
        azure = Azure(self._known, customer_id)
        listed, carried_plans = await self._confirmed(customer_id, answer, before, azure)
        held = [
            from_wire.commerce_subscription(self._known.partner_tenant_id, customer_id, read)
            for read in listed
        ]
        for plan, read in zip(held, listed, strict=True):
            await self._azure_of(plan, read, azure)
        for plan_id in carried_plans:
            azure.carry(plan_id)
        azure.end_the_rest(carried_plans)
        held += [before[plan_id] for plan_id in sorted(carried_plans)]
        return CustomerFound(
            customer=one(customer, self._known.customers.get(customer_id)),
            countries=countries,
            azure_subscriptions=tuple(azure.found.values()),
            commerce_subscriptions=tuple(
                one(plan, before.get(plan.commerce_subscription_id)) for plan in held
            ),
            carried=some(azure.carried),
            ended=some(azure.ended),
            unheld=some(licences(before.values()) - licences(held)),
            new=some(azure.new),
            unlisted=some(azure.unlisted),
            listed=_listing_of(held) if azure.is_whole else None,
        )

    async def _confirmed(
        self,
        customer_id: str,
        answer: Listed[wire.Subscription],
        before: Mapping[str, CommerceSubscription],
        azure: Azure,
    ) -> tuple[list[wire.Subscription], set[str]]:
        """Return the listed subscriptions, and the ids of the known subscriptions to carry.

        A known subscription is asked for by id if the list lacks it or if its item was set apart.
        An item that was set apart shows that its subscription exists, whatever the reply by id.
        """
        listed = {read.id.lower(): read for read in answer.items}
        set_apart = answer.spoiled_ids
        carried: set[str] = set()
        for missing in sorted((before.keys() | set_apart) - listed.keys()):
            try:
                listed[missing] = await self._api.subscription(customer_id, missing)
            except PartnerCenterError as refusal:
                if missing not in before:
                    azure.unlisted.add(missing)
                elif missing in set_apart or not isinstance(refusal, NotFound):
                    carried.add(missing)
        if answer.has_nameless:
            known = customer_id in self._known.customers
            azure.unlisted |= self._still_unlisted(customer_id, "", known=known)
        azure.is_whole = not (answer.has_nameless or set_apart - listed.keys())
        return list(listed.values()), carried

    async def _azure_of(
        self, plan: CommerceSubscription, read: wire.Subscription, azure: Azure
    ) -> None:
        """Add the Azure subscriptions of a commerce subscription, if it is an Azure offer."""
        legacy = from_wire.legacy_azure_subscription(plan, read)
        if legacy is not None:
            azure.add(plan, [legacy])
            return
        if plan.product_id != AZURE_PLAN:
            return
        plan_id = plan.commerce_subscription_id
        before = azure.before_of(plan_id)
        known = plan_id in azure.plans_before or azure.has_baseline
        try:
            entitlements, spoiled = await self._entitlements(plan, before)
        except PartnerCenterError:
            azure.carry(plan_id)
            azure.unlisted |= self._still_unlisted(plan.customer_id, plan_id, known=known)
            return
        status = await self._registration(plan) if entitlements else ""
        found = [from_wire.azure_subscription(plan, e, status) for e in entitlements.values()]
        azure.add(plan, found)
        if spoiled:
            ids = {one.id.lower() for one in spoiled}
            azure.carry_some(before if "" in ids else ids.intersection(before))
            azure.unlisted |= self._still_unlisted(plan.customer_id, plan_id, known=known)

    async def _entitlements(
        self, plan: CommerceSubscription, before: Iterable[str]
    ) -> tuple[dict[str, wire.AzureEntitlement], tuple[Spoiled, ...]]:
        """Return a plan's Azure subscriptions, and the items that cannot be used.

        A list that became shorter is asked once more.
        """
        listed = await self._api.azure_entitlements(plan.customer_id, plan.commerce_subscription_id)
        found = {e.id.lower(): e for e in listed.items}
        if set(before) - found.keys():
            listed = await self._api.azure_entitlements(
                plan.customer_id, plan.commerce_subscription_id, round=1
            )
            found |= {e.id.lower(): e for e in listed.items}
        return found, tuple(one for one in listed.spoiled if one.id.lower() not in found)

    async def _registration(self, plan: CommerceSubscription) -> str:
        rules = self._rules
        if not (rules.check_registration and is_active(plan.status)):
            return ""
        try:
            read = await self._api.registration_status(
                plan.customer_id, plan.commerce_subscription_id
            )
        except PartnerCenterError:
            return REGISTRATION_UNKNOWN
        return read.status


def _listing_of(held: Iterable[CommerceSubscription]) -> RememberedListing:
    return RememberedListing(
        product_types={
            h.commerce_subscription_id: h.product_type for h in held if is_other_by_type(h)
        }
    )


def _filled(customer: Customer, listed: Customer) -> Customer:
    """Return a customer as read by id, with the fields that only its list item has."""
    empty = {
        name: getattr(listed, name)
        for name in ("company_name", "domain", "relationship", "reseller_id")
        if not getattr(customer, name)
    }
    return msgspec.structs.replace(customer, **empty)
