"""What is there to know of one customer this morning?"""

from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.questions import alternatives, renewals
from auditor.questions.alternatives import Alternatives
from auditor.questions.asking import answer, asking
from auditor.questions.renewals import Renewals
from auditor.questions.skus import FoundSkus
from auditor.store.interface import Store

_CUSTOMER = "read/show/customer"
_SUBSCRIPTION = "read/show/subscription"
_REFUSED = "read/show/refused"
_SILENT = "read/show/silent"
DAYS = 90


class CustomerPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about one customer."""

    customer_id: str
    customer: pa.Table
    """One row for each partner that has the customer; none if it has left."""
    subscriptions: pa.Table
    refused: pa.Table
    """What cannot be bought now: one row for each key."""
    instead: Alternatives
    """What could be bought in place of what is restricted."""
    renewals: Renewals
    changes: pa.Table
    """What changed since each partner's previous full run."""
    silent: pa.Table
    """Checks and listings without an answer, counted by reason."""

    @property
    def unknown_checks(self) -> int:
        """Checks that failed or were skipped."""
        rows = self.silent.to_pylist()
        return sum(row["checks"] for row in rows if row["outcome"] in {"failed", "skipped"})


def customer_page(store: Store, customer: str, now: datetime) -> CustomerPage:
    """Return what is known of a customer, named by id, domain or exact company name.

    Renewals are those from `now` on. Raises UsageError if there is no such customer.
    """
    customer_id = store.covered_customer(customer)
    given = {"customer_id": customer_id}
    statements = (_CUSTOMER, _SUBSCRIPTION, _REFUSED, _SILENT, renewals.RENEWAL)
    with asking(store, *statements, *alternatives.STATEMENTS, customer_id=customer_id) as con:
        refused = answer(con, _REFUSED, given)
        asked = renewals.binds(now, DAYS, customer_id)
        restricted = refused.filter(pc.equal(refused.column("verdict"), "restricted"))
        skus = restricted.group_by(["product_id", "sku_id"]).aggregate([])
        return CustomerPage(
            customer_id=customer_id,
            customer=answer(con, _CUSTOMER, given),
            subscriptions=answer(con, _SUBSCRIPTION, given),
            refused=refused,
            instead=alternatives.read(con, customer_id, FoundSkus(table=skus), {"region": ""}),
            renewals=renewals.of_rows(answer(con, renewals.RENEWAL, asked), DAYS),
            changes=store.changes(customer=customer_id),
            silent=answer(con, _SILENT, given),
        )
