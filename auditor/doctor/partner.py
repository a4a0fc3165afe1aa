"""The doctor's checks of one partner: its credential, and what it may read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from auditor.doctor.finding import Finding, State, exit_status_of, meaning_of
from auditor.errors import AuditorError, PartnerCenterError, UnexpectedReply
from auditor.login.sign_in import Login
from auditor.model import CheckKind
from auditor.partner_center import decoding, requests, wire
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.clouds import CLOUDS
from auditor.partner_center.decoding import MOST_TOLD, Listed
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import TokenSource
from auditor.partner_center.transport import Transport
from auditor.settings import AuthKind, InventoryApi, Partner, Settings

_A_NIGHT_MINUTES = 8 * 60
_DOCUMENTED = 500
"""Calls a minute that Microsoft allows a tenant for customers and subscriptions."""
_GENTLY = PaceLimits(
    per_minute={"customers": 60, "catalog": 120, "inventory": 60}, per_customer=60, concurrency=4
)
_SIGNED_IN = {
    AuthKind.APP: "signs in as an app",
    AuthKind.APP_USER: "signs in as app and user; the refresh token can be written back",
    AuthKind.WORKLOAD_IDENTITY: "signs in as this workload",
    AuthKind.TOKEN: "has a token made elsewhere: the auditor cannot renew it",
}
_SHARED = {
    "local": "shared by the processes of this machine",
    "none": "not shared: two runs at once send twice as many calls",
}


class PartnerExamination:
    """Examines one partner."""

    def __init__(self, partner: Partner, settings: Settings) -> None:
        self._partner = partner
        self._settings = settings

    def _finding(
        self, check: str, message: str, hint: str = "", state: State = State.OK, status: int = 0
    ) -> Finding:
        return Finding(
            check=check,
            partner=self._partner.name,
            state=state,
            message=message,
            hint=hint,
            exit_status=status,
        )

    def _fault(self, check: str, error: AuditorError) -> Finding:
        return Finding.fault(check, error, partner=self._partner.name)

    def quota(self) -> Finding:
        """Return how many calls the limits allow in one night."""
        limits = self._partner.limits
        message = (
            f"in eight hours the limits allow {limits.customers * _A_NIGHT_MINUTES:,} calls about"
            " customers,"
            f" {limits.catalog * _A_NIGHT_MINUTES:,} about the catalog and"
            f" {limits.inventory * _A_NIGHT_MINUTES:,} inventory checks; "
            + _SHARED.get(limits.shared, "shared through a database")
        )
        if limits.customers > _DOCUMENTED:
            hint = f"Microsoft documents {_DOCUMENTED} a minute: lower partner.limits.customers"
            return self._finding("quota", message, hint, State.WARNING)
        return self._finding("quota", message)

    async def api(self, login: Login) -> list[Finding]:
        """Sign in, and read one page of each listing; without a token nothing is read."""
        try:
            tokens = await login.tokens()
            await tokens.token()
        except AuditorError as error:
            return [self._fault("credential", error)]
        found = [self._finding("credential", _SIGNED_IN[self._partner.auth])]
        async with self._opened(tokens) as api:
            found.append(await self._customers(api))
            for view in self._settings.scope.target_views:
                found += await self._view(api, view)
        return found

    @asynccontextmanager
    async def _opened(self, tokens: TokenSource) -> AsyncIterator[PartnerCenter]:
        network = self._settings.network
        base_url = self._partner.base_url or CLOUDS[self._partner.cloud].base_url
        async with (
            Pacer(_GENTLY) as pacer,
            Transport(
                base_url,
                tokens,
                pacer,
                proxy=network.proxy,
                ca_file=str(network.ca_file) if network.ca_file else "",
            ) as transport,
        ):
            yield PartnerCenter(transport.send, base_url)

    async def _customers(self, api: PartnerCenter) -> Finding:
        request = requests.customers()
        try:
            reply = await api.ask(request)
            page = decoding.collection(reply.body, wire.Customer)
        except PartnerCenterError as error:
            return self._refused("customers", error)
        except decoding.Malformed as exc:
            return self._refused("customers", UnexpectedReply(f"the list is garbled: {exc}"))
        if page.spoiled and not page.items:
            garbled = f"the list is garbled: {page.spoiled[0].reason}"
            return self._refused("customers", UnexpectedReply(garbled))
        if not page.items:
            hint = "does the app belong to the tenant that has the customers?"
            return self._finding("customers", "the list is empty", hint, State.WARNING)
        more = " or more" if page.links.next else ""
        return self._listed("customers", f"{len(page.items)}{more} can be listed", page)

    async def _view(self, api: PartnerCenter, view: str) -> list[Finding]:
        """List a view's products in each country; countries with one result share a finding."""
        countries = self._partner.countries
        listed = await asyncio.gather(*(self._products(api, c, view) for c in countries))
        alike: dict[tuple[str, str], list[str]] = {}
        findings: dict[tuple[str, str], Finding] = {}
        for country, (finding, _) in zip(countries, listed, strict=True):
            key = (finding.message.partition(" (correlation")[0], finding.hint)
            alike.setdefault(key, []).append(country)
            findings.setdefault(key, finding)
        return [
            msgspec.structs.replace(
                finding, message=f"{view} in {', '.join(alike[key])}: {finding.message}"
            )
            for key, finding in findings.items()
        ] + self._without_type(view, {product for _, products in listed for product in products})

    async def _products(
        self, api: PartnerCenter, country: str, view: str
    ) -> tuple[Finding, tuple[str, ...]]:
        scope = self._settings.scope
        try:
            found = await api.products(
                country, view, scope.segments[0], scope.reservation_scopes[0]
            )
        except PartnerCenterError as error:
            return self._refused("products", error), ()
        if not found.count:
            hint = "nothing of this view is sold there: remove it, or check scope.segments"
            return self._finding("products", "the list is empty", hint, State.WARNING), ()
        finding = self._listed("products", f"{len(found.items)} can be listed", found)
        return finding, tuple(product.id for product in found.items)

    def _listed(self, check: str, message: str, listed: Listed[Any]) -> Finding:  # Any: items
        if not listed.spoiled:
            return self._finding(check, message)
        names = "; ".join(one.shown for one in listed.spoiled[:MOST_TOLD])
        hint = f"report them to Microsoft: {names}"
        message = f"{message}, {len(listed.spoiled)} cannot be used"
        return self._finding(check, message, hint, State.WARNING)

    def _refused(self, check: str, error: PartnerCenterError) -> Finding:
        meaning = meaning_of(error)
        traced = f" (correlation {error.correlation_id})" if error.correlation_id else ""
        message = meaning.message if "correlation" in meaning.message else meaning.message + traced
        return self._finding(check, message, meaning.hint, State.FAULT, exit_status_of(error))

    def _without_type(self, view: str, products: set[str]) -> list[Finding]:
        """Return a warning for products that only one of the two inventory APIs can check."""
        scope = self._settings.scope
        if (
            not products
            or "Reservations" not in view
            or view in scope.resource_types
            or CheckKind.INVENTORY not in scope.checks
            or scope.inventory_api is InventoryApi.CHECK_INVENTORY
        ):
            return []
        message = (
            f"{len(products)} product(s) of {view} have no resource type:"
            " only checkInventory knows them"
        )
        hint = (
            f'set scope.resource_types = {{ {view} = "…" }}, or they are skipped'
            " once checkInventory is gone"
        )
        return [self._finding("resource types", message, hint, State.WARNING)]
