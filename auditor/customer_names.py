"""The one rule by which a customer is found: by id, by domain or by exact company name.

Names are compared in the Unicode form NFKC, in folded letter case, without spaces around them. So a
name matches however its accents, wide letters or no-break spaces are encoded, and ß matches SS. The
rule is the same in every language: the Turkish letters İ (with a dot) and U+0131 (without one) are
not I and i, and no accent is left out.

NFKC rather than NFC: two names that only NFKC takes for one are refused with both ids, and an id
always works. With NFC, a name that looks right would not be found.
"""

import difflib
import unicodedata
from collections.abc import Iterable

import msgspec

from auditor.errors import UsageError
from auditor.model import is_guid

UNKNOWN = "E_CUSTOMER_UNKNOWN"
_HINT = "a customer is named by id, domain or exact company name"
_NEAR = 0.5
"""How alike a name must be to be offered, from 0 to 1."""


class CustomerName(msgspec.Struct, frozen=True, kw_only=True):
    """By what a customer can be found."""

    customer_id: str
    company_name: str = ""
    domain: str = ""


def comparable(text: str) -> str:
    """Return the form in which two names are compared; it is its own comparable form."""
    if text.isascii():
        return text.lower().strip()
    # Folding can undo the normal form, and the other way round. In this order each is done when it
    # must be (the Unicode Standard, D146).
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold()).strip()


def as_id(name: str) -> str:
    """Return the customer id that a name is, in lower case; '' if it is no id."""
    given = name.strip()
    return given.lower() if is_guid(given) else ""


def matching(name: str, customers: Iterable[CustomerName]) -> tuple[str, ...]:
    """Return the ids of the customers that a name fits, sorted. An id fits one customer only."""
    if wanted_id := as_id(name):
        return tuple({wanted_id for c in customers if c.customer_id.lower() == wanted_id})
    wanted = comparable(name)
    return tuple(
        sorted(
            {
                customer.customer_id.lower()
                for customer in customers
                if wanted and wanted in _comparables(customer)
            }
        )
    )


def _comparables(customer: CustomerName) -> tuple[str, str]:
    return comparable(customer.company_name), comparable(customer.domain)


def ambiguous(name: str, ids: Iterable[str]) -> UsageError:
    """Return the error for a name that fits several customers."""
    found = sorted(ids)
    return UsageError(
        f"{len(found)} customers are named {name!r}: {', '.join(found)}",
        hint=f"name one by its id: {' or '.join(found)}",
    )


def unknown(names: Iterable[str], customers: Iterable[CustomerName]) -> UsageError:
    """Return the error for names that no customer has, with the names nearest to the first."""
    shown = list(names)
    known = {
        comparable(text): text
        for customer in customers
        for text in (customer.company_name, customer.domain, customer.customer_id)
        if text
    }
    near = difflib.get_close_matches(comparable(shown[0]), sorted(known), n=3, cutoff=_NEAR)
    return UsageError(
        f"no customer {', '.join(map(repr, shown))}",
        code=UNKNOWN,
        hint=f"did you mean {' or '.join(repr(known[each]) for each in near)}?" if near else _HINT,
    )
