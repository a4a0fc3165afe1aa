"""Turns rows into values of a report, with customer names or, if masked, pseudonyms."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from auditor.report.values import Cause, Change, Renewal, Unknown

ReportRow = dict[str, Any]  # a row as Arrow gives it


class Naming:
    """Turns rows into values; `partners` holds partner names by tenant id."""

    def __init__(self, partners: Mapping[str, str], *, is_masked: bool) -> None:
        self._partners = partners
        self._is_masked = is_masked

    def _customer(self, row: ReportRow) -> ReportRow:
        """Return the customer's name and id for a report."""
        customer_id = row["customer_id"]
        if not customer_id:
            return {"customer": "", "customer_id": ""}
        if self._is_masked:
            return {"customer": pseudonym(customer_id), "customer_id": ""}
        return {"customer": row["company_name"] or customer_id, "customer_id": customer_id}

    def change(self, row: ReportRow) -> Change:
        texts = {
            name: "" if row[name] is None and not name.endswith("_at") else row[name]
            for name in Change.__struct_fields__
            if name in row
        }
        counts = {name: row[name] or 0 for name in ("gap_snapshots", "affected_customers")}
        texts["partner"] = self._partners[row["partner_tenant_id"]]
        texts["difference"] = _difference(row)
        if self._is_masked:
            texts["azure_subscription_id"] = ""
        return msgspec.convert(texts | counts | self._customer(row), Change)

    def cause(self, row: ReportRow) -> Cause:
        return msgspec.convert(row | self._customer(row), Cause)

    def unknown(self, row: ReportRow) -> Unknown:
        hidden = {"correlation_id": ""} if self._is_masked else {}
        return msgspec.convert(row | self._customer(row) | hidden, Unknown)

    def renewal(self, row: ReportRow) -> Renewal:
        return msgspec.convert(row | self._customer(row), Renewal)


def pseudonym(customer_id: str) -> str:
    """Return a customer's pseudonym: the same one in every report."""
    return f"customer-{hashlib.sha256(customer_id.encode()).hexdigest()[:10]}"


def _difference(row: ReportRow) -> str:
    """Return what changed besides the verdict, as text."""
    if row["kind"] == "restriction_changed":
        was = f"{row['reason_codes_before']} {row['restriction_values_before']}".split()
        return f"was {', '.join(was).replace(';', ', ')}" if was else ""
    if row["kind"] != "terms_changed":
        return ""
    detail = msgspec.json.decode(row["detail"] or "{}")
    before, after = detail.get("before") or {}, detail.get("after") or {}
    return "; ".join(
        f"{name.replace('_', ' ')}: {_shown(after.get(name))}, was {_shown(before.get(name))}"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    )


def _shown(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case None | "":
            return "nothing"
        case _:
            return str(value)
