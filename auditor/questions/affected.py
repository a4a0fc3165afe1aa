"""Who cannot buy a SKU, a product or a size, and of whom is that not known?"""

import msgspec
import pyarrow as pa

from auditor.questions import skus
from auditor.questions.asking import answer, asking
from auditor.questions.skus import AskedSku
from auditor.store.interface import Store

_KEY = "read/affected/key"
_COUNT = "read/affected/count"
_AFFECTED = "read/affected/affected"


class Affected(msgspec.Struct, frozen=True, kw_only=True):
    """Who is affected by some SKUs. The counts are of customers."""

    table: pa.Table
    """One row for each key that is not a yes, and for each check without an answer."""
    asked: int
    """Customers that were asked about, answered or not: the denominator of the other counts."""
    affected: int
    restricted: int
    not_in_catalog: int
    not_purchasable: int
    unknown: int
    """Customers with a check without an answer, or with an answer that is stale."""


def affected(store: Store, asked: AskedSku) -> Affected:
    """Return who is affected by the SKUs that `asked` names.

    Raises UsageError if the store knows no such SKU.
    """
    found = skus.find(store, asked)
    with asking(store, _KEY, products=found.products) as con:
        binds = {**asked.binds, "products": found.products}
        keys = answer(con, _KEY, binds, asked_sku=found.table)
        [counts] = answer(con, _COUNT, affected_key=keys).to_pylist()
        return Affected(table=answer(con, _AFFECTED), **counts)
