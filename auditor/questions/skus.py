"""Finds the SKUs that a user means by PRODUCT:SKU, by PRODUCT, or by a size."""

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec
import pyarrow as pa

from auditor.errors import UsageError
from auditor.questions.asking import answer, asking
from auditor.store.interface import Store

_BY_ID = "read/asked_sku/by_id"
_BY_SIZE = "read/asked_sku/by_size"
_KNOWN = "read/asked_sku/known"
_NEAR = 0.5
"""How alike a name must be to be offered, from 0 to 1."""


class AskedSku(msgspec.Struct, frozen=True, kw_only=True):
    """A SKU, a product or a size as a user names it; `''` is a part that was not given."""

    product_id: str = ""
    sku_id: str = ""
    """`''` means every SKU of the product."""
    size: str = ""
    """The name of a virtual machine's size: `Standard_D4s_v5`."""
    region: str = ""
    term: str = ""
    """A duration in ISO 8601: `P1Y`."""

    def __str__(self) -> str:
        named = self.size or ":".join(filter(None, (self.product_id, self.sku_id)))
        return " ".join(filter(None, (named, self.region, self.term)))

    @property
    def binds(self) -> dict[str, object]:
        """The parts, as the statements name them."""
        return {
            "product_id": self.product_id.lower(),
            "sku_id": self.sku_id.lower(),
            "size": self.size.lower(),
            "region": self.region.lower(),
            "term": self.term.upper(),
        }


class FoundSkus(msgspec.Struct, frozen=True, kw_only=True):
    """The SKUs that a name means, for the statements that ask about them."""

    table: pa.Table
    """One row for each SKU: ids, titles, size, region and term."""

    @property
    def products(self) -> list[str]:
        """The ids of their products, sorted."""
        return sorted(set(self.table.column("product_id").to_pylist()))

    @property
    def is_empty(self) -> bool:
        """Whether there is no such SKU, because nothing was published yet."""
        return not self.table.num_rows


def find(store: Store, asked: AskedSku) -> FoundSkus:
    """Return the SKUs that a user means.

    They are those of the catalog, of what customers hold, and of every answer that is known now. If
    nothing was ever published, there are none.

    Raises UsageError, with the nearest names, if the store knows no such SKU.
    """
    given = (asked.product_id, asked.product_id.upper()) if asked.product_id else ()
    statement = _BY_SIZE if asked.size else _BY_ID
    with asking(store, statement, products=given) as con:
        found = FoundSkus(table=answer(con, statement, asked.binds))
    if found.is_empty and store.published():
        raise _unknown(store, asked)
    return found


def _unknown(store: Store, asked: AskedSku) -> UsageError:
    with asking(store, _KNOWN) as con:
        known = answer(con, _KNOWN).to_pylist()
    if asked.size:
        of_size = [row for row in known if row["size"].lower() == asked.size.lower()]
        if of_size:
            return _elsewhere(asked, of_size)
        return _error(asked, asked.size, (row["size"] for row in known))
    of_product = [row for row in known if row["product_id"].lower() == asked.product_id.lower()]
    skus = {f"{row['product_id']}:{row['sku_id']}" for row in of_product if row["sku_id"]}
    if str(asked) in skus and (asked.region or asked.term):
        return _elsewhere(asked, of_product)
    if skus:
        return _error(asked, f"{asked.product_id}:{asked.sku_id}", skus)
    named = f"{asked.product_id}:{asked.sku_id}" if asked.sku_id else asked.product_id
    products = {row["product_id"] for row in known}
    near = get_close_matches(asked.product_id, sorted(products), n=3, cutoff=_NEAR)
    return _error(asked, named, near)


def _elsewhere(asked: AskedSku, rows: Iterable[dict[str, str]]) -> UsageError:
    """Return the error for a SKU that is known, but not in this region or term."""
    places = sorted({f"--region {row['region']}" for row in rows if row["region"]})
    terms = sorted({f"--term {row['term']}" for row in rows if row["term"]})
    return UsageError(f"no SKU {asked}", hint=f"known are: {', '.join([*places, *terms])}")


def _error(asked: AskedSku, name: str, known: Iterable[str]) -> UsageError:
    by_lower = {each.lower(): each for each in known if each}
    near = get_close_matches(name.lower(), sorted(by_lower), n=3, cutoff=_NEAR)
    hint = "a SKU is named PRODUCT:SKU, as `auditor changes` shows it, or by --size"
    if near:
        hint = f"did you mean {' or '.join(by_lower[each] for each in near)}?"
    return UsageError(f"no SKU {asked}", hint=hint)
