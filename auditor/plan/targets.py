"""The SKUs of a catalog as target items of inventory checks. Pure.

A SKU's inventory variables say what a check must send. SKUs with the same variables share a
context. If all SKUs of a product share one context, one target item asks for the whole product.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import msgspec

from auditor.model import Check, Sku
from auditor.plan.rules import Rules
from auditor.scope.found import CatalogFound
from auditor.scope.offers import is_reservation

CUSTOMER = "CustomerId"
SUBSCRIPTION = "AzureSubscriptionId"
REGION = "ArmRegionName"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One target item: a whole product (`sku_id` '') or a SKU, and the SKUs it stands for."""

    reservation_scope: str
    product_id: str
    sku_id: str
    skus: tuple[str, ...]
    variables: tuple[str, ...]
    region: str
    """The region in lower case, as in the key; '' if none is sent."""
    region_name: str
    """The region in the letter case in which it is sent."""
    view: str
    why: str


class Checks(Sequence[Check]):
    """The checks of one batch, made on access, because a run has millions of checks."""

    __slots__ = ("_shared", "_targets")

    def __init__(self, shared: Check, targets: Sequence[Target]) -> None:
        """`shared` holds the common fields of the checks; each target makes one check."""
        self._shared = shared
        self._targets = targets

    def __len__(self) -> int:
        return len(self._targets)

    @overload
    def __getitem__(self, which: int) -> Check: ...
    @overload
    def __getitem__(self, which: slice) -> "Checks": ...
    def __getitem__(self, which: int | slice) -> "Check | Checks":
        if isinstance(which, slice):
            return Checks(self._shared, self._targets[which])
        shared, target = self._shared, self._targets[which]
        return Check(
            kind=shared.kind,
            partner_tenant_id=shared.partner_tenant_id,
            customer_id=shared.customer_id,
            country=shared.country,
            azure_subscription_id=shared.azure_subscription_id,
            arm_region=target.region,
            reservation_scope=target.reservation_scope,
            product_id=target.product_id,
            sku_id=target.sku_id,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def targets(catalog: CatalogFound, rules: Rules) -> tuple[list[Target], list[Sku]]:
    """Return the targets of a catalog, and the SKUs that need a region and have none."""
    by_product: dict[str, list[Sku]] = defaultdict(list)
    once: dict[tuple[str, str], Sku] = {}
    for sku in catalog.skus:  # one SKU may come in two letter cases
        once.setdefault((sku.product_id.upper(), sku.sku_id.upper()), sku)
    for sku in once.values():
        by_product[sku.product_id].append(sku)
    found: list[Target] = []
    without_region: list[Sku] = []
    for product_id, skus in sorted(by_product.items()):
        contexts: dict[tuple[tuple[str, ...], str], list[Sku]] = defaultdict(list)
        for sku in (s for s in skus if _is_asked(s, catalog, rules)):
            regions = _regions(sku, catalog, rules)
            if not regions:
                without_region.append(sku)
            for region in regions:
                contexts[variables_of(sku, catalog), region].append(sku)
        for context, asked in contexts.items():
            listed = product_id in catalog.answered
            whole = listed and len(contexts) == 1 and not _needs_more(skus, catalog, context[0])
            found.extend(_targets_of(product_id, asked, context, catalog, whole=whole))
    return found, without_region


def _is_asked(sku: Sku, catalog: CatalogFound, rules: Rules) -> bool:
    named = not catalog.named.isdisjoint({sku.name, (sku.product_id, "")})
    if not named and not is_reservation(sku):
        return False
    in_view = named or bool(catalog.views.get(sku.product_id))
    wanted = rules.arm_regions is None or not sku.region or sku.region in rules.arm_regions
    return in_view and wanted


def variables_of(sku: Sku, catalog: CatalogFound) -> tuple[str, ...]:
    """Return all variables that a check of a SKU must send, from the catalog or learned."""
    named = {v for v in sku.inventory_variables.split(";") if v}
    return tuple(sorted(named.union(catalog.learned.get(sku.product_id, ()))))


def _regions(sku: Sku, catalog: CatalogFound, rules: Rules) -> tuple[str, ...]:
    """Return the regions for which a SKU is checked; only '' if it needs no region."""
    if REGION not in variables_of(sku, catalog):
        return ("",)
    return (sku.region,) if sku.region else (rules.arm_regions or ())


def _needs_more(skus: Iterable[Sku], catalog: CatalogFound, sent: tuple[str, ...]) -> bool:
    """Return True if one of the SKUs needs a variable that is not in `sent` (400026)."""
    return any(not set(variables_of(sku, catalog)) <= set(sent) for sku in skus)


def _targets_of(
    product_id: str,
    asked: Sequence[Sku],
    context: tuple[tuple[str, ...], str],
    catalog: CatalogFound,
    *,
    whole: bool,
) -> Iterator[Target]:
    variables, region = context
    names = {s.sku_id: (s.arm_region_name or region) if region else "" for s in asked}

    def target(sku_id: str, skus: tuple[str, ...], region_name: str, why: str) -> Target:
        return Target(
            reservation_scope=catalog.reservation_scope,
            product_id=product_id,
            sku_id=sku_id,
            skus=skus,
            variables=variables,
            region=region,
            region_name=region_name,
            view=catalog.views.get(product_id, ""),
            why=why,
        )

    if whole:
        why = "whole products: all their SKUs share one context"
        yield target("", tuple(sorted(names)), next(iter(names.values())), why)
        return
    why = f"by SKU: their products' SKUs need different {'regions' if region else 'contexts'}"
    for sku_id, name in sorted(names.items()):
        yield target(sku_id, (sku_id,), name, why)


def resource_type(view: str, rules: Rules) -> str | None:
    """Return the resource type of a target view; None if it is unknown.

    For checkInventory, which takes no resource type, return ''.
    """
    return rules.resource_types.get(view) if rules.by_resource_type else ""


Context = tuple[tuple[str, ...], str, str | None]
"""Variables, region and resource type: the targets of one batch share all three."""


def by_context(found: Iterable[Target], rules: Rules) -> dict[Context, list[Target]]:
    """Group targets that can share a batch."""
    contexts: dict[Context, list[Target]] = defaultdict(list)
    for target in found:
        context = (target.variables, target.region, resource_type(target.view, rules))
        contexts[context].append(target)
    return dict(contexts)
