"""Answers inventory checks: one item for each target SKU in the context's catalog."""

from dataclasses import dataclass

from auditor.sandbox.answers import problems, shapes
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.catalog import read_country
from auditor.sandbox.answers.customers import buyer_of
from auditor.sandbox.answers.reply import SandboxReply
from auditor.sandbox.world import seeded
from auditor.sandbox.world.model import AZURE_PLAN, AzureSubscription, Customer, Sku, SkuKey
from auditor.sandbox.world.state import NightState, Restrictions

CONTEXT_KEYS = {
    "CustomerId": "customerId",
    "AzureSubscriptionId": "azureSubscriptionId",
    "ArmRegionName": "armRegionName",
}
"""Inventory variable of a SKU to the context key that supplies it."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """One product's SKUs in the catalog of a night, country and scope, with encoded items."""

    skus: tuple[Sku, ...]
    keys: tuple[SkuKey, ...]
    plain: tuple[bytes, ...]
    """The encoded unrestricted item of each SKU."""
    place: dict[str, int]
    variables: frozenset[str]

    @property
    def asks_region(self) -> bool:
        return "ArmRegionName" in self.variables


NOTHING = _Listed((), (), (), {}, frozenset())


@dataclass(frozen=True, slots=True)
class _Context:
    """The context of a check. `azure` is `None` if the request names no Azure subscription."""

    state: NightState
    country: str
    customer: Customer | None
    azure: AzureSubscription | None
    arm_region: str

    @property
    def azure_id(self) -> str:
        return self.azure.azure_subscription_id if self.azure else ""

    @property
    def scope(self) -> str:
        return self.azure.reservation_scope if self.azure else AZURE_PLAN

    @property
    def known(self) -> Restrictions:
        return self.state.restrictions.get(self.azure_id, {})


class InventoryAnswers:
    """Answers inventory checks; keeps the encoded unrestricted items of each night."""

    def __init__(self) -> None:
        self._listed: dict[tuple[int, str, str, str], _Listed] = {}

    def check(self, state: NightState, call: Call) -> SandboxReply:
        """Return items for the targets that the catalog holds; leave the others out silently."""
        if call.body_problem is not None:
            raise call.body_problem
        context = _read_context(state, call)
        targets = call.targets
        if call.endpoint and call.endpoint.name == "by_resource_type":
            targets = _of_type(state, call)
        self._require_variables(context, call, targets)
        _require_permission(context)
        return self._answer(context, targets)

    def _require_variables(
        self, context: _Context, call: Call, targets: tuple[SkuKey, ...]
    ) -> None:
        wanted: set[str] = set()
        for product_id, sku_id in targets:
            listed = self._product(context, product_id)
            if not sku_id:
                wanted |= listed.variables
            elif sku_id in listed.place:
                wanted.update(listed.skus[listed.place[sku_id]].variables)
        for variable, key in CONTEXT_KEYS.items():
            if variable in wanted and not call.context.get(key):
                raise problems.context_missing(variable)

    def _answer(self, context: _Context, targets: tuple[SkuKey, ...]) -> SandboxReply:
        items: list[bytes] = []
        keys: list[SkuKey] = []
        requested = dict.fromkeys(targets)
        for product_id, sku_id in requested:
            if sku_id and (product_id, "") in requested:
                continue  # the target for the whole product includes it
            listed = self._product(context, product_id)
            is_plain = not any(key[0] == product_id for key in context.known)
            if not sku_id and is_plain and not listed.asks_region:
                items += listed.plain
                keys += listed.keys
                continue
            if sku_id:
                places = [listed.place[sku_id]] if sku_id in listed.place else []
            else:
                places = list(range(len(listed.skus)))
            for place in places:
                item = _item(context, listed, place)
                if item is not None:
                    items.append(item)
                    keys.append(listed.keys[place])
        state = context.state
        if seeded.number(state.portfolio.seed, "order", context.azure_id, state.night) % 2:
            items.reverse()
            keys.reverse()
        return SandboxReply(items=items, keys=keys)

    def _product(self, context: _Context, product_id: str) -> _Listed:
        state = context.state
        known = (state.night, context.country, context.scope, product_id)
        if known not in self._listed:
            product = state.portfolio.product_by_id.get(product_id)
            if product is None:
                return NOTHING  # unknown ids are not cached: their number has no bound
            skus = tuple(
                sku for sku in product.skus if state.is_listed(sku, context.country, context.scope)
            )
            has_list = seeded.number(state.portfolio.seed, "empty list", product_id) % 4 != 0
            self._listed[known] = _Listed(
                skus=skus,
                keys=tuple(sku.key for sku in skus),
                plain=tuple(shapes.unrestricted(sku.key, with_empty_list=has_list) for sku in skus),
                place={sku.sku_id: place for place, sku in enumerate(skus)},
                variables=frozenset(name for sku in skus for name in sku.variables),
            )
        return self._listed[known]


def _read_context(state: NightState, call: Call) -> _Context:
    country = read_country(call)
    customer_id = call.context.get("customerId", "")
    azure_id = call.context.get("azureSubscriptionId", "")
    customer = buyer_of(state, call, customer_id) if customer_id else None
    azure = _azure_of(state, customer, azure_id) if customer and azure_id else None
    return _Context(
        state=state,
        country=country,
        customer=customer,
        azure=azure,
        arm_region=call.context.get("armRegionName", "").lower(),
    )


def _azure_of(state: NightState, customer: Customer, azure_id: str) -> AzureSubscription:
    azure = state.portfolio.azure_by_id.get(azure_id.lower())
    if (
        azure is None
        or azure.customer_id != customer.customer_id
        or {azure.azure_subscription_id, azure.commerce_subscription_id} & state.absent
    ):
        raise problems.azure_subscription_unknown(azure_id)
    return azure


def _require_permission(context: _Context) -> None:
    """Refuse countries the partner does not sell in, and subscriptions that cannot reserve."""
    state, azure = context.state, context.azure
    if context.customer is not None:
        partner = state.portfolio.partner_by_id[context.customer.partner_tenant_id]
        if context.country not in partner.countries:
            raise problems.not_sold_in(context.country)
    if azure is None:
        return
    plan = state.portfolio.commerce_by_id[azure.commerce_subscription_id]
    if state.azure_status(azure) != "active" or state.status(plan) != "active":
        raise problems.azure_subscription_inactive(azure.azure_subscription_id)
    if state.registration(plan) != "Registered":
        raise problems.azure_subscription_unregistered(azure.azure_subscription_id)


def _item(context: _Context, listed: _Listed, place: int) -> bytes | None:
    """Return an encoded item; `None` if the SKU is not in the catalog of this context."""
    sku = listed.skus[place]
    if sku.asks_region and context.arm_region != sku.arm_region:
        return None
    why = context.known.get(sku.key, ())
    if why is None:
        return None
    if not why or not sku.asks_inventory:
        return listed.plain[place]
    return shapes.restricted(context.state, context.azure_id, sku.key, why)


def _of_type(state: NightState, call: Call) -> tuple[SkuKey, ...]:
    wanted = call.query.get("resourcetype", "").lower()
    if not wanted:
        raise problems.invalid_property("resourceType", wanted)
    products = state.portfolio.product_by_id
    return tuple(
        (product_id, sku_id)
        for product_id, sku_id in call.targets
        if product_id in products and products[product_id].resource_type.lower() == wanted
    )
