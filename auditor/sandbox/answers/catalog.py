"""Answers the catalog endpoints: products, SKUs and availabilities, by country and by customer."""

import msgspec

from auditor.sandbox.answers import problems, shapes
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.customers import buyer_of
from auditor.sandbox.answers.reply import SandboxReply, collection, whole
from auditor.sandbox.world.model import AZURE_PLAN, LEGACY, Availability, Customer, Product, Sku
from auditor.sandbox.world.offers import country_offers, customer_offers
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import NightState

VIEWS = frozenset(
    {
        *("Azure", "AzureReservations", "AzureReservationsVM", "AzureReservationsSQL"),
        *("AzureReservationsCosmosDb", "MicrosoftAzure", "OnlineServices", "OnlineServicesNCE"),
        *("Software", "SoftwareSUSELinux", "SoftwarePerpetual", "SoftwareSubscriptions"),
    }
)
"""Allowed target views. MarketplaceSaaS is documented too; here it is refused to every partner."""

SEGMENTS = frozenset({"commercial", "education", "nonprofit"})
"""Segments allowed in every country; `government` is allowed in the United States only."""


class CatalogAnswers:
    """Answers calls about the catalog; keeps encoded SKU lists for reuse."""

    def __init__(self) -> None:
        self._listings: dict[tuple[object, ...], SandboxReply] = {}

    def list_products(self, state: NightState, call: Call) -> SandboxReply:
        view = _view(call)
        catalog = _catalog_view(state, call)
        items = [
            msgspec.json.encode(shapes.product(product, catalog.country))
            for product in state.portfolio.products
            if view in product.views and catalog.skus(product)
        ]
        # In a recorded reply the self link has `market` where the request had `country`.
        uri = f"/products?targetView={view}&market={catalog.country}"
        return collection(items, {"self": shapes.link(uri)})

    def get_product(self, state: NightState, call: Call) -> SandboxReply:
        catalog = _catalog_view(state, call, is_by_id=True)
        return whole(shapes.product(_product(catalog, call), catalog.country))

    def list_skus(self, state: NightState, call: Call) -> SandboxReply:
        catalog = _catalog_view(state, call)
        product = _product(catalog, call)
        known = (state.night, catalog.country, catalog.scopes, catalog.segment, product.product_id)
        if known not in self._listings:
            items = [
                msgspec.json.encode(shapes.sku(sku, catalog.country))
                for sku in catalog.skus(product)
            ]
            uri = f"/products/{product.product_id}/skus?country={catalog.country}"
            self._listings[known] = collection(items, {"self": shapes.link(uri)})
        return self._listings[known]

    def get_sku(self, state: NightState, call: Call) -> SandboxReply:
        catalog = _catalog_view(state, call, is_by_id=True)
        sku = _sku(catalog, call)
        if catalog.customer and _is_gone(state, catalog.customer, sku):
            raise problems.sku_not_found(sku.sku_id)
        return whole(shapes.sku(sku, catalog.country))

    def list_availabilities(self, state: NightState, call: Call) -> SandboxReply:
        catalog = _catalog_view(state, call)
        with_life_cycle = call.query.get("includelifecyclestate", "").lower() == "true"
        items = [
            msgspec.json.encode(shapes.availability(one, with_life_cycle=with_life_cycle))
            for one in _offers(catalog, call)
        ]
        uri = call.path.removeprefix("/v1")
        return collection(items, {"self": shapes.link(f"{uri}?country={catalog.country}")})

    def get_availability(self, state: NightState, call: Call) -> SandboxReply:
        wanted = call.ids["availability"]
        for one in _offers(_catalog_view(state, call), call):
            if one.availability_id == wanted:
                return whole(shapes.availability(one, with_life_cycle=False))
        raise problems.availability_not_found(wanted)


class _CatalogView:
    """The part of the catalog that one call can see: by country, reservation scope and segment."""

    def __init__(
        self,
        state: NightState,
        customer: Customer | None,
        country: str,
        scopes: tuple[str, ...],
        segment: str,
    ) -> None:
        self.state = state
        self.customer = customer
        self.country = country
        self.scopes = scopes
        self.segment = segment

    def includes(self, sku: Sku) -> bool:
        if self.segment and self.segment not in sku.segments:
            return False
        return any(self.state.is_listed(sku, self.country, scope) for scope in self.scopes)

    def skus(self, product: Product) -> list[Sku]:
        if product.kind == "savings_plan" and not self._has_azure_plan():
            return []
        return [sku for sku in product.skus if self.includes(sku)]

    def _has_azure_plan(self) -> bool:
        return self.customer is not None and any(
            held.kind == "azure_plan" and self.state.status(held) == "active"
            for held in self.state.commerce(self.customer)
        )


def _catalog_view(state: NightState, call: Call, *, is_by_id: bool = False) -> _CatalogView:
    scope = call.query.get("reservationscope")
    if scope is not None and scope.lower() != AZURE_PLAN.lower():
        raise problems.invalid_property("reservationScope", scope)
    if "customer" in call.ids:
        customer = buyer_of(state, call, call.ids["customer"])
        return _CatalogView(state, customer, customer.country, (AZURE_PLAN,), "")
    country = read_country(call)
    segment = call.query.get("targetsegment", "").lower()
    allowed = SEGMENTS | {"government"} if country == "US" else SEGMENTS
    if segment and segment not in allowed:
        raise problems.segment_not_allowed(segment)
    if scope is not None:
        scopes: tuple[str, ...] = (AZURE_PLAN,)
    else:
        # The documents of the two by-id calls name no scope parameter: search both catalogs.
        scopes = (LEGACY, AZURE_PLAN) if is_by_id else (LEGACY,)
    return _CatalogView(state, None, country, scopes, segment)


def read_country(call: Call) -> str:
    country = call.query.get("country", "").upper()
    if country not in COUNTRIES:
        raise problems.invalid_property("country", call.query.get("country", ""))
    return country


def _view(call: Call) -> str:
    view = call.query.get("targetview", "")
    if not view:
        raise problems.invalid_property("targetView", view)
    for known in VIEWS:
        if known.lower() == view.lower():
            return known
    raise problems.view_not_allowed(view)


def _product(catalog: _CatalogView, call: Call) -> Product:
    product = catalog.state.portfolio.product_by_id.get(call.ids["product"])
    if product is None or not catalog.skus(product):
        raise problems.product_not_found(call.ids["product"])
    return product


def _sku(catalog: _CatalogView, call: Call) -> Sku:
    product = _product(catalog, call)
    for sku in catalog.skus(product):
        if sku.sku_id == call.ids["sku"]:
            return sku
    raise problems.sku_not_found(call.ids["sku"])


def _is_gone(state: NightState, customer: Customer, sku: Sku) -> bool:
    return state.licence(customer.customer_id, customer.country, sku.key).is_gone


def _offers(catalog: _CatalogView, call: Call) -> tuple[Availability, ...]:
    sku = _sku(catalog, call)
    if catalog.customer is not None:
        found = customer_offers(catalog.state, catalog.customer, sku)
    else:
        found = country_offers(catalog.state, catalog.country, sku, catalog.segment)
    if found is None:
        raise problems.sku_not_found(sku.sku_id)
    return found
