"""Lists the customers of a partner, and finds the customers that a user names."""

from collections.abc import Iterable

import msgspec

from auditor.customer_names import CustomerName, as_id, matching
from auditor.errors import Forbidden, NotFound, PartnerCenterError, Unauthorized
from auditor.partner_center import wire
from auditor.partner_center.client import PartnerCenter
from auditor.scope.due import EVERY_RUN, Due
from auditor.scope.known import Known


class CustomerRules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that decide which customers are read, and how."""

    countries: tuple[str, ...]
    """The countries of the partner."""
    narrowed_to: frozenset[str] = frozenset()
    """The countries given by `--country`; empty: all."""
    own_country: bool = True
    check_registration: bool = True
    ids: tuple[str, ...] | None = None
    """The customers to read; None: all."""
    subscriptions_due: Due = EVERY_RUN
    """Decides for a customer's subscriptions, entitlements and registrations together."""
    country_due: Due = EVERY_RUN


class CustomerList(msgspec.Struct, frozen=True, kw_only=True):
    """The customers to read, as far as they could be listed."""

    listed: tuple[wire.Customer, ...] = ()
    unconfirmed: tuple[str, ...] = ()
    """Known customers that the listing does not name: they are asked for by id."""
    unreached: tuple[str, ...] = ()
    """Known customers that may be on a page that could not be read: they are `failed`."""
    ended_after: int | None = None
    """How many customers the list named before it failed; None if it was read to its end."""
    set_apart: dict[str, str] = {}
    """Customers, known or not, whose item cannot be used: they are `failed`. Maps the id in each
    item to the name in it."""
    nameless: int = 0
    """The number of items that cannot be used and show no id: each may be about any customer."""

    def __len__(self) -> int:
        count = len(self.listed) + len(self.unconfirmed) + len(self.unreached)
        return count + len(self.set_apart)


async def list_customers(api: PartnerCenter, known: Known, rules: CustomerRules) -> CustomerList:
    """Return the customers to read.

    Raises:
        PartnerCenterError: the customer list is refused or unreadable: the partner is out.
    """
    if rules.ids is not None:
        return CustomerList(unconfirmed=rules.ids)
    pages = await api.customers()
    is_empty = not (pages.items or pages.spoiled)
    if pages.error is not None and (isinstance(pages.error, Unauthorized) or is_empty):
        raise pages.error
    listed = {read.id.lower(): read for read in pages.items}
    set_apart = {one.id.lower(): one.name for one in pages.spoiled if one.id}
    known_ids = {c.customer_id for c in known.cells if c.customer_id}
    missing = sorted(known_ids - listed.keys() - set_apart.keys())
    return CustomerList(
        listed=tuple(listed.values()),
        unconfirmed=tuple(missing) if pages.complete else (),
        unreached=() if pages.complete else tuple(missing),
        ended_after=None if pages.complete else len(listed),
        set_apart=set_apart,
        nameless=sum(not one.id for one in pages.spoiled),
    )


class CustomerMatches(msgspec.Struct, frozen=True, kw_only=True):
    """The customers of one partner that some given names find."""

    ids: dict[str, tuple[str, ...]]
    """By name: the ids of the customers that it finds. A name that finds none is not a key."""
    seen: tuple[CustomerName, ...]
    """All known customers of this partner; an error message suggests the most similar names."""

    @property
    def customers(self) -> tuple[str, ...]:
        """The ids of all customers that the names find."""
        return tuple(dict.fromkeys(one for ids in self.ids.values() for one in ids))


async def match_customers(
    api: PartnerCenter, known: Known, names: Iterable[str]
) -> CustomerMatches:
    """Return the customers that the names find; see `auditor.customer_names`.

    An id is looked up by itself. The customer list is read only if one name is not an id.

    Raises:
        PartnerCenterError: the customer list cannot be read.
    """
    seen = [
        CustomerName(customer_id=one.customer_id, company_name=one.company_name, domain=one.domain)
        for one in known.customers.values()
    ]
    ids: dict[str, tuple[str, ...]] = {}
    others: list[str] = []
    for name in names:
        customer_id = as_id(name)
        if not customer_id:
            others.append(name)
        elif await _is_ours(api, known, customer_id):
            ids[name] = (customer_id,)
    if others:
        pages = await api.customers()
        if pages.error is not None:
            raise pages.error
        listed = [
            CustomerName(
                customer_id=read.id.lower(),
                company_name=read.company_profile.company_name,
                domain=read.company_profile.domain,
            )
            for read in pages.items
        ]
        listed += [
            CustomerName(customer_id=one.id.lower(), company_name=one.name, domain="")
            for one in pages.spoiled
            if one.id
        ]
        seen += listed
        ids |= {name: found for name in others if (found := matching(name, listed))}
    return CustomerMatches(ids=ids, seen=tuple(seen))


async def _is_ours(api: PartnerCenter, known: Known, customer_id: str) -> bool:
    """Return False only if Partner Center refuses the id (403 or 404): it is no customer of ours.

    A known customer is not asked about here. If it has left, discovery finds that out.
    """
    if customer_id in known.customers or known.holds(customer_id, ""):
        return True
    try:
        await api.customer(customer_id)
    except (Forbidden, NotFound):
        return False
    except PartnerCenterError:
        return True
    return True
