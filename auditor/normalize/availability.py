"""Reads the reply to an availability check: its terms, or why it is unusable."""

from collections.abc import Iterable

from auditor.model import UNREADABLE, Check, Verdict
from auditor.normalize import inventory as inventory_reply
from auditor.partner_center import decoding, wire

NO_VERDICT = "no_verdict"


def unreadable_availability(body: bytes) -> str:
    """Return why a 2xx reply is no answer to an availability check, '' if it is one."""
    try:
        found = decoding.availabilities(body)
    except decoding.Malformed:
        return UNREADABLE
    return NO_VERDICT if any(a.is_purchasable is None for a in found) else ""


def _joined(values: Iterable[str]) -> str:
    """Return the values sorted and joined with ';'. Letter case makes no second value."""
    once: dict[str, str] = {}
    for value in sorted(v for v in values if v):
        once.setdefault(value.casefold(), value)
    return ";".join(once[folded] for folded in sorted(once))


def _terms(
    check: Check, availability: wire.Availability
) -> Iterable[tuple[tuple[str, ...], tuple[object, ...]]]:
    """Yield key and attributes of each term. An availability without terms gives one row."""
    verdict = Verdict.PURCHASABLE if availability.is_purchasable else Verdict.NOT_PURCHASABLE
    for term in availability.terms or (wire.Term(),):
        key = (
            check.partner_tenant_id,
            check.customer_id,
            check.country,
            check.product_id,
            check.sku_id,
            availability.segment,
            check.reservation_scope,
            term.duration,
            term.billing_cycle,
        )
        row = (
            verdict,
            availability.id,
            availability.catalog_item_id,
            term.id,
            availability.country.upper(),
            availability.currency,
            availability.is_renewable,
            _renew_to(availability, term),
            availability.lifecycle,
            inventory_reply.text(availability.minimum_purchase_commitment),
        )
        yield key, row


def _renew_to(availability: wire.Availability, term: wire.Term) -> str:
    """Return the item that a term can renew to, from the term or else from its availability."""
    options = list(term.renewal_options)
    for instruction in availability.renewal_instructions:
        if term.id in instruction.applicable_term_ids:
            options.extend(instruction.renewal_options)
    return _joined(option.renew_to_id for option in options)


def _content(row: tuple[object, ...]) -> tuple[str, ...]:
    """Return the sort key of a row: first its content, then its ids, which Microsoft reissues."""
    verdict, availability_id, catalog_item_id, term_id, *rest = row
    return tuple(str(part) for part in (verdict, *rest, availability_id, catalog_item_id, term_id))
