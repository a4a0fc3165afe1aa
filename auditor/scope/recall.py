"""Reads what the store knows about a partner, in the form that discovery needs."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from auditor.model import (
    AzureSubscription,
    Cell,
    CommerceSubscription,
    Customer,
    RememberedListing,
    RememberedReturn,
    Sku,
    bucket_of,
)
from auditor.scope.known import AtStart, Known, Previous
from auditor.store.interface import Store

Noun = TypeVar("Noun", bound=msgspec.Struct)
# One row of a relation by column name, as Arrow returns it.
StoredRow = Mapping[str, Any]

_LISTING = ("customer_id", "country", "reservation_scope", "product_id", "sku_id")
_NOTHING = RememberedListing()
# Made here, by one thread: two partners' threads that prepared the same type at once have crashed.
_listing = msgspec.json.Decoder(RememberedListing)
_return = msgspec.json.Decoder(RememberedReturn)
_texts = msgspec.json.Decoder(tuple[str, ...])


def at_start(store: Store, partner_tenant_id: str) -> AtStart:
    """Return what the store holds about a partner now."""
    cells = published(store, partner_tenant_id)
    return AtStart(cells=cells, known=recall(store, partner_tenant_id, cells))


def published(store: Store, partner_tenant_id: str) -> dict[Cell, Previous]:
    """Return the published state of each cell of a partner."""
    return {
        Cell(
            partner_tenant_id=partner_tenant_id,
            customer_id=row["customer_id"],
            country=row["country"],
        ): Previous(snapshot_id=row["snapshot_id"], status=row["status"], scope=row["scope"])
        for row in _rows(store.latest_cells(partner_tenant_id))
    }


def _rows(table: pa.Table) -> Iterator[StoredRow]:
    """Yield rows in which equal texts are one object: most texts repeat, so this saves memory."""
    columns = [_shared(column) for column in table.columns]
    for row in zip(*columns, strict=True):
        yield dict(zip(table.column_names, row, strict=True))


def _shared(column: pa.ChunkedArray) -> list[Any]:  # Any: cells of a table
    if not pa.types.is_dictionary(column.type):
        return list(column.to_pylist())
    whole = column.unify_dictionaries().combine_chunks()
    texts = whole.dictionary.to_pylist()
    return [None if at is None else texts[at] for at in whole.indices.to_pylist()]


def recall(store: Store, partner_tenant_id: str, cells: Mapping[Cell, Previous]) -> Known:
    """Return everything that discovery compares its listings with."""
    rows = _Rows(store, partner_tenant_id)
    remembered = list(rows.plain("remembered"))
    listings = {_name(row): _listing_of(row) for row in remembered if row["what"] == "listed"}
    known = Known(
        partner_tenant_id=partner_tenant_id,
        cells=frozenset(cell for cell, before in cells.items() if before.status != "left"),
        customers={row.customer_id: row for row in rows.of("customer", Customer)},
    )
    for azure in rows.of("azure_subscription", AzureSubscription):
        of = known.azure_subscriptions.setdefault(azure.customer_id, {})
        of[azure.azure_subscription_id] = azure
    for held in rows.of("commerce_subscription", CommerceSubscription):
        name = held.commerce_subscription_id
        types = listings.get((held.customer_id, "", "", "", ""), _NOTHING).product_types
        if name in types:
            held = msgspec.structs.replace(held, product_type=types[name])  # noqa: PLW2901 - whole
        known.commerce_subscriptions.setdefault(held.customer_id, {})[name] = held
    for sku in rows.of("sku", Sku):
        where = (sku.country, sku.reservation_scope)
        known.skus.setdefault(where, {})[sku.name] = _in_its_case(sku, listings)
    return _with_listings(_with_remembered(known, remembered), remembered)


def has_moved(store: Store, partner_tenant_id: str) -> bool:
    """Return True if a partner has moved to the newer inventory API: `Known.is_route_gone`."""
    rows = store.known("remembered", bucket_of("", store.buckets), partner_tenant_id)
    return "route_gone" in rows.column("what").to_pylist()


def _name(row: StoredRow) -> tuple[str, ...]:
    return tuple(row[column] for column in _LISTING)


def _listing_of(row: StoredRow) -> RememberedListing:
    return _listing.decode(row["detail"])


def _in_its_case(sku: Sku, listings: Mapping[tuple[str, ...], RememberedListing]) -> Sku:
    """Return a SKU with its region in the catalog's own letter case."""
    name = sku.region
    for sku_id in ("", sku.sku_id):
        listing = ("", sku.country, sku.reservation_scope, sku.product_id, sku_id)
        name = listings.get(listing, _NOTHING).arm_region_names.get(sku.sku_id, name)
    return msgspec.structs.replace(sku, arm_region_name=name)


class _Rows:
    def __init__(self, store: Store, partner_tenant_id: str) -> None:
        self._store = store
        self._partner_tenant_id = partner_tenant_id

    def plain(self, relation: str) -> Iterator[StoredRow]:
        for bucket in range(self._store.buckets):
            yield from _rows(self._store.known(relation, bucket, self._partner_tenant_id))

    def of(self, relation: str, noun: type[Noun]) -> Iterator[Noun]:
        for row in self.plain(relation):
            yield noun(**row)


def _with_remembered(known: Known, remembered: Iterable[StoredRow]) -> Known:
    """Return `known` with the facts from the relation `remembered`."""
    gone: dict[tuple[str, str, str, str], datetime] = {}
    returned: dict[tuple[str, str, str, str], datetime] = {}
    returned_at: dict[tuple[str, str, str, str], datetime] = {}
    left: set[tuple[str, str]] = set()
    unlisted: set[tuple[str, str, str, str]] = set()
    views: dict[tuple[str, str], dict[str, str]] = {}
    learned: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    is_route_gone = False
    for row in remembered:
        where = (row["country"], row["reservation_scope"])
        name = (row["product_id"], row["sku_id"])
        match row["what"]:
            case "gone":
                gone[*where, *name] = row["since_at"]
            case "returned":
                returned[*where, *name] = row["since_at"]
                at = _return.decode(row["detail"]).returned_at
                returned_at |= {(*where, *name): at} if at else {}
            case "left_subscription":
                left.add((row["customer_id"], row["azure_subscription_id"]))
            case "view":
                views.setdefault(where, {})[row["product_id"]] = row["detail"]
            case "learned":
                variables = _texts.decode(row["detail"])
                learned.setdefault(where, {})[row["product_id"]] = variables
            case "route_gone":
                is_route_gone = True
            case "unlisted":
                listing = row["product_id"] or row["azure_subscription_id"]
                unlisted.add((row["customer_id"], *where, listing))
            case _:
                pass  # `_with_listings` reads `listed`; only the diff reads `awaited`
    return msgspec.structs.replace(
        known,
        gone=gone,
        returned=returned,
        returned_at=returned_at,
        left_subscriptions=frozenset(left),
        unlisted=frozenset(unlisted),
        views=views,
        learned=learned,
        is_route_gone=is_route_gone,
    )


def _with_listings(known: Known, remembered: Iterable[StoredRow]) -> Known:
    """Return `known` with the times of its listings."""
    customers: dict[str, datetime] = {}
    countries: dict[str, datetime] = {}
    catalog: dict[tuple[str, str], dict[tuple[str, str], tuple[datetime, RememberedListing]]] = {}
    for row in remembered:
        match row["what"]:
            case "listed" if row["customer_id"]:
                customers[row["customer_id"]] = row["since_at"]
            case "listed":
                of = catalog.setdefault((row["country"], row["reservation_scope"]), {})
                of[row["product_id"], row["sku_id"]] = (row["since_at"], _listing_of(row))
            case "country_read":
                countries[row["customer_id"]] = row["since_at"]
            case _:
                pass
    return msgspec.structs.replace(
        known, customers_listed=customers, countries_read=countries, catalog_listed=catalog
    )
