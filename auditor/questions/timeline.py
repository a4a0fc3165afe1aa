"""What was known of one key of a customer over time, and which answers prove it?"""

import msgspec
import pyarrow as pa

from auditor.questions import skus
from auditor.questions.asking import answer, asking
from auditor.questions.skus import AskedSku
from auditor.store.interface import Store

_SPAN = "read/explain/span"


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The past of some keys of one customer."""

    table: pa.Table
    """One row for each interval with one verdict, each gap, and each check without an answer."""


def timeline(store: Store, customer: str, asked: AskedSku) -> Timeline:
    """Return what was known of a customer's keys of the SKUs that `asked` names.

    Raises UsageError if there is no such customer or SKU.
    """
    customer_id = store.covered_customer(customer)
    found = skus.find(store, asked)
    binds = {**asked.binds, "customer_id": customer_id}
    with asking(store, _SPAN, customer_id=customer_id, products=found.products) as con:
        return Timeline(table=answer(con, _SPAN, binds, asked_sku=found.table))
