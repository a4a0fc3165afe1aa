"""Answers about the catalog: products, SKUs and availabilities, by country and by customer."""

import msgspec

from auditor.sandbox.answers import problems, shapes
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.people import buyer_of
from auditor.sandbox.answers.reply import Reply, collection, whole
from auditor.sandbox.world.offers import country_offers, customer_offers
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import State
from auditor.sandbox.world.things import AZURE_PLAN, LEGACY, Availability, Customer, Product, Sku

VIEWS = frozenset(
    {
        *("Azure", "AzureReservations", "AzureReservationsVM", "AzureReservationsSQL"),
        *("AzureReservationsCosmosDb", "MicrosoftAzure", "OnlineServices", "OnlineServicesNCE"),
        *("Software", "SoftwareSUSELinux", "SoftwarePerpetual", "SoftwareSubscriptions"),
    }
)
"""Views that are allowed. MarketplaceSaaS is documented too; no partner here may look at it."""

SEGMENTS = frozenset({"commercial", "education", "nonprofit"})
"""Segments that every partner may ask for; `government` is for the United States."""


class Shelf:
    """What one caller sees of the catalog, and answers from it; encoded listings are kept."""

    def __init__(self) -> None:
        self._listings: dict[tuple[object, ...], Reply] = {}

    def list_products(self, state: State, call: Call) -> Reply:
        view = _view(call)
        sight = _sight(state, call)
        items = [
            msgspec.json.encode(shapes.product(product, sight.country))
            for product in state.portfolio.products
            if view in product.views and sight.skus(product)
        ]
        # A recorded self link says market where the request said country.
        uri = f"/products?targetView={view}&market={sight.country}"
        return collection(items, {"self": shapes.link(uri)})

    def get_product(self, state: State, call: Call) -> Reply:
        sight = _sight(state, call, is_by_id=True)
        return whole(shapes.product(_product(sight, call), sight.country))

    def list_skus(self, state: State, call: Call) -> Reply:
        sight = _sight(state, call)
        product = _product(sight, call)
        known = (state.night, sight.country, sight.scopes, sight.segment, product.product_id)
        if known not in self._listings:
            items = [
                msgspec.json.encode(shapes.sku(sku, sight.country)) for sku in sight.skus(product)
            ]
            uri = f"/products/{product.product_id}/skus?country={sight.country}"
            self._listings[known] = collection(items, {"self": shapes.link(uri)})
        return self._listings[known]

    def get_sku(self, state: State, call: Call) -> Reply:
        sight = _sight(state, call, is_by_id=True)
        sku = _sku(sight, call)
        if sight.customer and _is_gone(state, sight.customer, sku):
            raise problems.sku_not_found(sku.sku_id)
        return whole(shapes.sku(sku, sight.country))

    def list_availabilities(self, state: State, call: Call) -> Reply:
        sight = _sight(state, call)
        with_life_cycle = call.query.get("includelifecyclestate", "").lower() == "true"
        items = [
            msgspec.json.encode(shapes.availability(one, with_life_cycle=with_life_cycle))
            for one in _offers(sight, call)
        ]
        uri = call.path.removeprefix("/v1")
        return collection(items, {"self": shapes.link(f"{uri}?country={sight.country}")})

    def get_availability(self, state: State, call: Call) -> Reply:
        wanted = call.ids["availability"]
        for one in _offers(_sight(state, call), call):
            if one.availability_id == wanted:
                return whole(shapes.availability(one, with_life_cycle=False))
        raise problems.availability_not_found(wanted)


class _Sight:
    """The country, scope and segment through which a call looks at the catalog."""

    def __init__(
        self,
        state: State,
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

    def sees(self, sku: Sku) -> bool:
        if self.segment and self.segment not in sku.segments:
            return False
        return any(self.state.is_listed(sku, self.country, scope) for scope in self.scopes)

    def skus(self, product: Product) -> list[Sku]:
        if product.kind == "savings_plan" and not self._has_azure_plan():
            return []
        return [sku for sku in product.skus if self.sees(sku)]

    def _has_azure_plan(self) -> bool:
        return self.customer is not None and any(
            held.kind == "azure_plan" and self.state.status(held) == "active"
            for held in self.state.commerce(self.customer)
        )


def _sight(state: State, call: Call, *, is_by_id: bool = False) -> _Sight:
    scope = call.query.get("reservationscope")
    if scope is not None and scope.lower() != AZURE_PLAN.lower():
        raise problems.invalid_property("reservationScope", scope)
    if "customer" in call.ids:
        customer = buyer_of(state, call, call.ids["customer"])
        return _Sight(state, customer, customer.country, (AZURE_PLAN,), "")
    country = read_country(call)
    segment = call.query.get("targetsegment", "").lower()
    allowed = SEGMENTS | {"government"} if country == "US" else SEGMENTS
    if segment and segment not in allowed:
        raise problems.segment_not_allowed(segment)
    if scope is not None:
        scopes: tuple[str, ...] = (AZURE_PLAN,)
    else:
        # The pages of the two by-id calls name no scope: what is in either catalog is found.
        scopes = (LEGACY, AZURE_PLAN) if is_by_id else (LEGACY,)
    return _Sight(state, None, country, scopes, segment)


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


def _product(sight: _Sight, call: Call) -> Product:
    product = sight.state.portfolio.product_by_id.get(call.ids["product"])
    if product is None or not sight.skus(product):
        raise problems.product_not_found(call.ids["product"])
    return product


def _sku(sight: _Sight, call: Call) -> Sku:
    product = _product(sight, call)
    for sku in sight.skus(product):
        if sku.sku_id == call.ids["sku"]:
            return sku
    raise problems.sku_not_found(call.ids["sku"])


def _is_gone(state: State, customer: Customer, sku: Sku) -> bool:
    return state.licence(customer.customer_id, customer.country, sku.key).is_gone


def _offers(sight: _Sight, call: Call) -> tuple[Availability, ...]:
    sku = _sku(sight, call)
    if sight.customer is not None:
        found = customer_offers(sight.state, sight.customer, sku)
    else:
        found = country_offers(sight.state, sight.country, sku, sight.segment)
    if found is None:
        raise problems.sku_not_found(sku.sku_id)
    return found
