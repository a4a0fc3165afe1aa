"""Turns answered checks into rows of Arrow tables. Pure.

A reply leaves out each SKU that is not in the catalog, instead of reporting it. So each requested
key of an answered check gets a row, and no other key gets one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import ClassVar

import pyarrow as pa

from auditor.model import Check, CheckKind, Settled, Verdict
from auditor.normalize import inventory as inventory_reply
from auditor.normalize.availability import _content, _joined, _terms
from auditor.normalize.rows import RowBuffer
from auditor.partner_center import decoding, wire
from auditor.tables import AVAILABILITY_KEY, INVENTORY_KEY, SCHEMAS

NOTHING = b"[]"
"""An inventory reply that leaves out all requested keys."""


def _answer_schema(relation: str, *columns: str) -> pa.Schema:
    """Return the columns of a relation that an answer fills."""
    return pa.schema([SCHEMAS[relation].field(name) for name in columns])


INVENTORY_ANSWER = _answer_schema(
    "inventory",
    *INVENTORY_KEY,
    "verdict",
    "reason_codes",
    "restriction_values",
    "region",
    "checked_at",
)
RESTRICTION_ANSWER = _answer_schema(
    "restriction",
    *INVENTORY_KEY,
    "ordinal",
    "reason_code",
    "description",
    "type",
    "value",
    "properties",
)
AVAILABILITY_ANSWER = _answer_schema(
    "availability",
    *AVAILABILITY_KEY,
    "verdict",
    "availability_id",
    "catalog_item_id",
    "term_id",
    "market",
    "currency",
    "is_renewable",
    "renew_to",
    "lifecycle",
    "min_commitment",
    "checked_at",
)


class Answers:
    """The rows from the replies of one bucket."""

    SCHEMAS: ClassVar[dict[str, pa.Schema]] = {
        "inventory": INVENTORY_ANSWER,
        "restriction": RESTRICTION_ANSWER,
        "availability": AVAILABILITY_ANSWER,
    }

    def __init__(
        self,
        skus_of: Callable[[Check], Sequence[str]],
        region_of: Callable[[Check, str], str],
        segments: Iterable[str],
    ) -> None:
        """`skus_of` gives the requested SKUs of a check, `region_of` a SKU's catalog region.

        A reply by country has availabilities of every segment; only those of `segments` are used.
        """
        self._segments = frozenset(segments)
        self._skus_of = skus_of
        self._region_of = region_of
        self.inventory = RowBuffer(INVENTORY_ANSWER)
        self.restriction = RowBuffer(RESTRICTION_ANSWER)
        self.availability = RowBuffer(AVAILABILITY_ANSWER)
        self._availability_checks = 0

    @property
    def keys(self) -> int:
        """The number of keys with an answer. An availability check counts as one."""
        return len(self.inventory) + self._availability_checks

    def add(self, settled: Settled, body: bytes) -> None:
        """Add the rows of one answered question."""
        if settled.sent_at is None:
            return
        question = settled.sent or settled.question
        if question.checks[0].kind is CheckKind.INVENTORY:
            reply = NOTHING if settled.not_found else body
            for key in inventory_reply.read(question, reply, self._skus_of).answered:
                self._add_key(key.check, key.sku_id, key.item, settled.sent_at)
            return
        if not settled.not_found:
            self._add_availability(
                question.checks[0], decoding.availabilities(body), settled.sent_at
            )
        self._availability_checks += 1

    def _add_key(
        self, check: Check, sku_id: str, item: wire.InventoryItem | None, at: datetime
    ) -> None:
        key = (
            check.partner_tenant_id,
            check.customer_id,
            check.country,
            check.azure_subscription_id,
            check.arm_region,
            check.reservation_scope,
            check.product_id,
            sku_id,
        )
        region = self._region_of(check, sku_id)
        if item is None:
            self.inventory.add(*key, Verdict.NOT_IN_CATALOG, "", "", region, at)
            return
        if not item.is_restricted:
            self.inventory.add(*key, Verdict.UNRESTRICTED, "", "", region, at)
            return
        parts = inventory_reply.parts(item)
        codes = _joined(part[0] for part in parts)
        values = _joined(part[2].lower() for part in parts)
        self.inventory.add(*key, Verdict.RESTRICTED, codes, values, region, at)
        for ordinal, (code, kind, value, description, properties) in enumerate(parts):
            self.restriction.add(*key, ordinal, code, description, kind, value, properties)

    def _add_availability(
        self, check: Check, found: Iterable[wire.Availability], at: datetime
    ) -> None:
        # Keys are grouped in one letter case, because the comparison matches them in one.
        by_key: dict[tuple[str, ...], list[tuple[tuple[str, ...], tuple[object, ...]]]] = (
            defaultdict(list)
        )
        for availability in found:
            segment = availability.segment.lower()
            if not check.customer_id and segment and segment not in self._segments:
                continue
            for key, row in _terms(check, availability):
                by_key[tuple(part.lower() for part in key)].append((key, row))
        for same in by_key.values():
            key = min(key for key, _ in same)
            for ordinal, row in enumerate(sorted((row for _, row in same), key=_content)):
                self.availability.add(*key, ordinal, *row, at)
