"""Returns the facts that a run proved besides its answers: what ended, is new, or is remembered.

They are small Arrow tables. The SQL in `sql/steps/` and `sql/relations/` joins them with the
answers and with the known rows. A table names only what is proven: a key in no table is carried
forward.
"""

import json
from collections.abc import Collection, Container, Iterable, Iterator
from datetime import datetime

import msgspec
import pyarrow as pa

from auditor.model import CheckKind, EndedBy, RememberedListing, RememberedReturn
from auditor.normalize.settled import RowValues, asked_segment, table_of
from auditor.plan.plan import Plan
from auditor.plan.targets import CUSTOMER, SUBSCRIPTION
from auditor.scope.found import CatalogFound, CustomerFound, Found, Gone
from auditor.store.compare import FACTS

ANY = "*"


def tables(
    found: Found,
    plan: Plan,
    superseded: Collection[tuple[str, str]] = (),
    *,
    listed_later: Container[str] = (),
    not_asked_later: Iterable[RowValues] = (),
) -> dict[str, pa.Table]:
    """Return the facts of a run, one table for each name in `FACTS`.

    `superseded` are the (customer, country) pairs that another run published after this run began.
    A cached listing of such a pair may be older than the rows of that run, so it proves nothing.
    Nor does any listing of the customers `listed_later`: a run that began later has listed them.
    `not_asked_later` are the rows of the fact with this name.
    """
    rows: dict[str, list[RowValues]] = {name: [] for name in FACTS}
    rows["not_asked_later"] += not_asked_later
    for customer in found.customers:
        customer_id = customer.customer.customer_id
        is_older = customer.is_cached and (customer_id, "") in superseded
        if not (is_older or customer_id in listed_later):
            _of_customer(customer, found, plan, rows)
    for catalog in plan.catalogs.values():
        rows["new_sku"] += [(*_where(catalog), *name) for name in sorted(catalog.new)]
        rows["cached_sku"] += [(*_where(catalog), *name) for name in sorted(catalog.cached)]
        is_superseded = ("", catalog.country) in superseded
        _asked(catalog, plan, rows, unproven=catalog.cached if is_superseded else ())
        if found.covers_catalog:
            _of_catalog(catalog, found, plan, rows)
            rows["still_gone"] += _still_gone(catalog, found, is_superseded=is_superseded)
    rows["catalog_absence"] = _absences(found)
    return {
        **{name: table_of(FACTS[name], rows[name]) for name in FACTS},
        "asked_segment": asked_segment(plan),
    }


def _where(catalog: CatalogFound) -> tuple[str, str]:
    return catalog.country, catalog.reservation_scope


def _of_customer(
    found: CustomerFound, run: Found, plan: Plan, rows: dict[str, list[RowValues]]
) -> None:
    customer_id = found.customer.customer_id
    if found.left:
        return
    if found.ineligible:
        rows["ended"].append((customer_id, ANY, ANY, EndedBy.NOT_ELIGIBLE))
        rows["remember"].append(_remembered(customer_id, "unlisted", run))
        _listed(found, run, rows)
        return
    for name in sorted(found.unlisted):
        rows["remember"].append(_remembered(customer_id, "unlisted", run, subscription=name))
    if found.failed:
        return
    _listed(found, run, rows)
    rows["forget"] += [
        _remembered(customer_id, "unlisted", run, subscription=name)
        for c, _, _, name in sorted(run.known.unlisted)
        if c == customer_id and name not in found.unlisted
    ]
    rows["ended"] += [
        (customer_id, country, ANY, EndedBy.NOT_ELIGIBLE)
        for country in found.countries
        if plan.no_market(country)
    ]
    rows["ended"] += [(customer_id, ANY, name, EndedBy.LEFT) for name in sorted(found.ended)]
    rows["ended"] += [
        (customer_id, ANY, name, EndedBy.NOT_ELIGIBLE) for name in plan.not_eligible(found)
    ]
    rows["unheld"] += [(customer_id, *name) for name in sorted(found.unheld)]
    rows["new_subscription"] += [(customer_id, name) for name in sorted(found.new)]
    for name in sorted(found.ended):
        rows["remember"].append(
            _remembered(customer_id, "left_subscription", run, subscription=name)
        )
    for subscription in found.azure_subscriptions:
        name = subscription.azure_subscription_id
        if (customer_id, name) in run.known.left_subscriptions:
            rows["forget"].append(
                _remembered(customer_id, "left_subscription", run, subscription=name)
            )


def _listed(found: CustomerFound, run: Found, rows: dict[str, list[RowValues]]) -> None:
    """Remember when all listings of a customer were answered; some answers do not count."""
    customer_id = found.customer.customer_id
    if found.is_country_read:
        rows["remember"].append(_remembered(customer_id, "country_read", run))
    if found.listed is not None:
        detail = _detail(found.listed)
        rows["remember"].append(_remembered(customer_id, "listed", run, detail=detail))
    elif not found.is_cached and customer_id in run.known.customers_listed:
        rows["forget"].append(_remembered(customer_id, "listed", run))


def _asked(
    catalog: CatalogFound,
    plan: Plan,
    rows: dict[str, list[RowValues]],
    *,
    unproven: Collection[tuple[str, str]],
) -> None:
    """Record which SKUs are checked and how, and for which SKUs the run could decide that."""
    if CheckKind.INVENTORY not in plan.rules.checks:
        return
    where = _where(catalog)
    undecided = {sku.name for sku in plan.without_region[where]}.union(unproven)
    regions = plan.rules.arm_regions
    rows["settled_sku"] += [
        (*where, *sku.name)
        for sku in catalog.skus
        if sku.name not in undecided and (regions is None or sku.region in {"", *regions})
    ]
    for target in plan.targets[where]:
        by_subscription = SUBSCRIPTION in target.variables
        by_customer = by_subscription or CUSTOMER in target.variables
        for sku_id in target.skus:
            name = (target.product_id, sku_id)
            rows["asked_sku"].append((*where, *name, target.region, by_customer, by_subscription))


def _of_catalog(
    catalog: CatalogFound, run: Found, plan: Plan, rows: dict[str, list[RowValues]]
) -> None:
    where = _where(catalog)
    for product_id, view in sorted(catalog.views.items()):
        row = _remembered("", "view", run, where=where, name=(product_id, ""), detail=view)
        rows["remember"].append(row)
    for name, when in sorted(catalog.listed.items()):
        row = _remembered("", "listed", run, where=where, name=name, detail=_detail(when))
        rows["remember"].append(row)
    for listing in sorted(catalog.unlisted):
        row = _remembered("", "unlisted", run, where=where, name=(listing, ""))
        rows["remember"].append(row)
    answered = catalog.answered | {f"view:{view}" for view in catalog.views.values()}
    for _, country, scope, listing in sorted(run.known.unlisted):
        if (country, scope) == where and listing in answered - catalog.unlisted:
            row = _remembered("", "unlisted", run, where=where, name=(listing, ""))
            rows["forget"].append(row)
    for product_id, variables in sorted(catalog.learned.items()):
        detail = msgspec.json.encode(variables).decode()
        name = (product_id, "")
        row = _remembered("", "learned", run, where=where, name=name, detail=detail)
        rows["remember"].append(row)
    if plan.rules.is_route_gone != run.known.is_route_gone:
        which = "remember" if plan.rules.is_route_gone else "forget"
        rows[which].append(_remembered("", "route_gone", run, where=where))
    for gone in catalog.gone:
        _gone(gone, where, run, rows)
    listed = {s.name for s in catalog.skus} | {(p, "") for p in catalog.views}
    _returned(listed, where, run, rows)


def _gone(gone: Gone, where: tuple[str, str], run: Found, rows: dict[str, list[RowValues]]) -> None:
    """Record that a product or SKU left the catalog, and remember its titles."""
    name = (gone.product_id, gone.sku_id)
    known = run.known.skus.get(where, {})
    of = known.get(name) or next(
        (sku for sku in known.values() if sku.product_id == gone.product_id), None
    )
    titles = {
        "product_title": of.product_title if of else "",
        "title": of.title if of and gone.sku_id else "",
        "arm_sku_name": of.arm_sku_name if of and gone.sku_id else "",
    }
    detail = json.dumps(titles, ensure_ascii=False)
    if gone.sku_id:
        rows["gone"].append((*where, *name, gone.at))
    else:
        rows["forget"].append(_remembered("", "view", run, where=where, name=name))
    rows["forget"].append(_remembered("", "returned", run, where=where, name=name))
    rows["forget"].append(_remembered("", "listed", run, where=where, name=name))
    row = _remembered("", "gone", run, where=where, name=name, detail=detail, since=gone.at)
    rows["remember"].append(row)
    if not gone.with_product:
        rows["catalog_event"].append((*where, *name, "left_catalog", detail, None, gone.at))


def _still_gone(catalog: CatalogFound, run: Found, *, is_superseded: bool) -> Iterator[RowValues]:
    """Yield the SKUs that are proven not to be in the catalog, each with the time of the proof."""
    for name, cached_at in sorted(catalog.still_gone.items()):
        if cached_at is None or not is_superseded:
            yield *_where(catalog), *name, cached_at or run.started_at
    for gone in catalog.gone:
        if gone.sku_id:
            yield *_where(catalog), gone.product_id, gone.sku_id, run.started_at


def _absences(run: Found) -> list[RowValues]:
    """Return the time span in which each product or SKU was not in the catalog: from and until.

    For one that is still gone, the span lasts until this run began. An older store did not record
    when an item came back; both ends are then the time at which the item left.
    """
    known = run.known
    until = {**known.returned, **known.returned_at, **dict.fromkeys(known.gone, run.started_at)}
    absences = {**known.returned, **known.gone}
    return [(*key, at, until[key]) for key, at in sorted(absences.items())]


def _returned(
    listed: Container[tuple[str, str]],
    where: tuple[str, str],
    run: Found,
    rows: dict[str, list[RowValues]],
) -> None:
    """Record the products and SKUs that had left the catalog and are listed now.

    A SKU returns with its product, or later, when the product's SKU list is answered.
    """
    for key, since in sorted(run.known.gone.items()):
        name = key[2:]
        if key[:2] != where or name not in listed:
            continue
        rows["forget"].append(_remembered("", "gone", run, where=where, name=name))
        detail = _detail(RememberedReturn(returned_at=run.started_at))
        row = _remembered("", "returned", run, where=where, name=name, detail=detail, since=since)
        rows["remember"].append(row)
        product = (*where, name[0], "")
        with_product = product in run.known.gone or run.known.returned.get(product) == since
        if not (name[1] and with_product):
            event = ("entered_catalog", "{}", since, run.started_at)
            rows["catalog_event"].append((*where, *name, *event))


def _detail(remembered: RememberedListing | RememberedReturn) -> str:
    return msgspec.json.encode(remembered, order="sorted").decode()


def _remembered(
    customer_id: str,
    what: str,
    run: Found,
    *,
    subscription: str = "",
    where: tuple[str, str] = ("", ""),
    name: tuple[str, str] = ("", ""),
    detail: str = "{}",
    since: datetime | None = None,
) -> RowValues:
    country, scope = where
    at = since or run.started_at
    return (customer_id, country, subscription, "", scope, *name, what, detail, at)
