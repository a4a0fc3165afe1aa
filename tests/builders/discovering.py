"""Discovers the sandbox's world as a run does, and keeps the findings as the store does."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime

import msgspec

from auditor.errors import PartnerCenterError
from auditor.model import ApiClass, Cell
from auditor.partner_center.breaker import Patience
from auditor.partner_center.client import PartnerCenter
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.pacing.rates import PaceLimits
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.sandbox import Fault, Faults, Sandbox, World, WorldSize
from auditor.sandbox.server.log import Record
from auditor.sandbox.world.state import NightState
from auditor.scope.buyers import Buyers
from auditor.scope.catalog import CatalogDiscovery, CatalogRules
from auditor.scope.customer_list import CustomerRules, list_customers
from auditor.scope.customers import CustomerDiscovery
from auditor.scope.due import EVERY_RUN, Due
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.known import Known
from auditor.secret import Secret

SMALL = WorldSize(
    partners=1, customers=12, products=3, regions=2, sizes_per_product=2, licence_products=3
)
VIEW = "AzureReservationsVM"
LIMITS = PaceLimits(per_minute=dict.fromkeys(ApiClass, 600_000), per_customer=1e5, concurrency=16)
AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)


class Discovery:
    """One partner of a sandbox, and a client for it."""

    def __init__(self, sandbox: Sandbox, api: PartnerCenter) -> None:
        self.sandbox = sandbox
        self.world = sandbox.world
        self.api = api
        self.partner = sandbox.world.partners()[0]
        self.nothing = Known(partner_tenant_id=self.partner.partner_tenant_id)
        self.refusal: PartnerCenterError | None = None
        """The refusal of the last discovery of customers."""

    def faults(self, *faults: Fault) -> None:
        """Inject these faults from now on."""
        self.sandbox.faults = Faults(faults)

    def quiet_night(self) -> NightState:
        """Go to a second night that only the test changes."""
        quiet = self.world.state(1).following()
        second = self.world.state(2)
        for field in dataclasses.fields(NightState):
            setattr(second, field.name, getattr(quiet, field.name))
        self.world.night = 2
        self.sandbox.log.clear()
        self.faults()
        return second

    def asked(self, *endpoints: str) -> list[Record]:
        return self.sandbox.log.of(*endpoints)

    def customer_rules(self, **given: object) -> CustomerRules:
        plain: dict[str, object] = {"countries": self.partner.countries}
        return CustomerRules(**{**plain, **given})  # type: ignore[arg-type] # a test names them

    async def customers(
        self, known: Known | None = None, **rules: object
    ) -> dict[str, CustomerFound]:
        """Discover the customers; return the findings by customer id."""
        known, wanted = known or self.nothing, self.customer_rules(**rules)
        listed = await list_customers(self.api, known, wanted)
        discovery = CustomerDiscovery(self.api, known, wanted, at_once=8)
        found = {}
        async with aclosing(discovery.find(listed)) as customers:
            async for each in customers:
                if each is None:
                    continue
                assert each.customer.customer_id not in found
                found[each.customer.customer_id] = each
        self.refusal = discovery.refusal
        return found

    async def catalog(
        self,
        known: Known | None = None,
        *,
        scope: str = "AzurePlan",
        target_views: tuple[str, ...] = (VIEW,),
        segments: tuple[str, ...] = ("commercial",),
        products: tuple[str, ...] = (),
        also_listed: tuple[str, ...] = (),
        customers: Iterable[CustomerFound] = (),
        due: Due = EVERY_RUN,
    ) -> CatalogFound:
        """Discover the catalog of the partner's first country."""
        rules = CatalogRules(
            target_views=target_views,
            segments=segments,
            products=products,
            also_listed=also_listed,
            due=due,
        )
        return await CatalogDiscovery(
            self.api,
            known or self.nothing,
            rules,
            country=self.country,
            reservation_scope=scope,
            at_once=8,
            buyers=Buyers(self.api, customers, self.country),
        ).find()

    @property
    def country(self) -> str:
        return self.partner.countries[0]

    def remembered(
        self,
        customers: Iterable[CustomerFound] = (),
        catalog: CatalogFound | None = None,
        before: Known | None = None,
    ) -> Known:
        """Return what the next run knows after a run with these findings has published."""
        known = _with_customers(before or self.nothing, customers)
        return known if catalog is None else _with_catalog(known, catalog)


def _with_customers(known: Known, customers: Iterable[CustomerFound]) -> Known:
    tenant = known.partner_tenant_id
    cells = set(known.cells)
    people = dict(known.customers)
    azure, commerce = dict(known.azure_subscriptions), dict(known.commerce_subscriptions)
    left, unlisted = set(known.left_subscriptions), set(known.unlisted)
    listed, read = dict(known.customers_listed), dict(known.countries_read)
    for found in customers:
        name = found.customer.customer_id
        cells |= {
            Cell(partner_tenant_id=tenant, customer_id=name, country=country)
            for country in ("", *found.countries)
        }
        if not found.failed:
            people[name] = found.customer
            azure[name] = {s.azure_subscription_id: s for s in found.azure_subscriptions}
            commerce[name] = {s.commerce_subscription_id: s for s in found.commerce_subscriptions}
            unlisted = {row for row in unlisted if row[0] != name}
            read |= {name: AT} if found.is_country_read else {}
            listed |= {name: AT} if found.listed else {}
            if not (found.listed or found.is_cached):
                listed.pop(name, None)
        left |= {(name, one) for one in found.ended}
        left -= {(name, s.azure_subscription_id) for s in found.azure_subscriptions}
        unlisted |= {(name, "", "", one) for one in found.unlisted}
    return msgspec.structs.replace(
        known,
        cells=frozenset(cells),
        customers=people,
        azure_subscriptions=azure,
        commerce_subscriptions=commerce,
        left_subscriptions=frozenset(left),
        unlisted=frozenset(unlisted),
        customers_listed=listed,
        countries_read=read,
    )


def _with_catalog(known: Known, found: CatalogFound) -> Known:
    where = (found.country, found.reservation_scope)
    cell = Cell(partner_tenant_id=known.partner_tenant_id, customer_id="", country=found.country)
    gone = {(*where, g.product_id, g.sku_id): g.at for g in found.gone}
    listed = {s.name for s in found.skus} | {(p, "") for p in found.views}
    kept = {key: at for key, at in known.gone.items() if key[:2] != where or key[2:] not in listed}
    answered = found.answered | {f"view:{view}" for view in found.views.values()}
    unlisted = {row for row in known.unlisted if row[1:3] != where or row[3] not in answered}
    views: Mapping[str, str] = known.views.get(where, {})
    left = {g.product_id for g in found.gone if not g.sku_id}
    no_more = {(g.product_id, g.sku_id) for g in found.gone}
    before = known.catalog_listed.get(where, {})
    listed_so_far = {name: entry for name, entry in before.items() if name not in no_more}
    listed_so_far |= {name: (AT, entry) for name, entry in found.listed.items()}
    return msgspec.structs.replace(
        known,
        cells=known.cells | {cell},
        skus={**known.skus, where: {s.name: s for s in (*found.skus, *found.carried)}},
        views={
            **known.views,
            where: {p: v for p, v in {**views, **found.views}.items() if p not in left},
        },
        gone={**kept, **gone},
        unlisted=frozenset(unlisted | {("", *where, one) for one in found.unlisted}),
        catalog_listed={**known.catalog_listed, where: listed_so_far},
    )


async def _at_once(_: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def discovering(size: WorldSize = SMALL, seed: int = 1) -> AsyncIterator[Discovery]:
    """Open a sandbox and a client for its first partner; back-off does not wait."""
    async with Sandbox(World(seed, size)) as sandbox, Pacer(LIMITS) as pacer:
        token = GivenToken(Secret(sandbox.world.partners()[0].token))
        patience = Patience(outage_s=0)
        async with Transport(
            sandbox.base_url, token, pacer, sleep=_at_once, patience=patience
        ) as transport:
            yield Discovery(sandbox, PartnerCenter(transport.send, sandbox.base_url))
