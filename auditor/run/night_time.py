"""Predicts how long a night takes at the quota: the first one, and one with cached listings.

Gates of different API classes are waited for side by side, so the slowest class counts. Checks
begin when most listings have ended, so the times of the two waves are added.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from auditor.scope.found import Found
from auditor.settings import Cache, CustomerCountry, Limits, Partner, Settings

_NIGHT_H = 24.0


class NightTime(msgspec.Struct, frozen=True, kw_only=True):
    """How long the calls of one partner take at its limits."""

    partner: str
    first_minutes: float
    """A night that asks every listing."""
    later_minutes: float
    """A night that asks the listings that are due when a run is made each 24 hours."""


class Checks(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of wave 2."""

    inventory: int
    availability: int
    most_of_one_customer: int
    """The calls of the customer with the most, in the API class in which it has the most."""


def night_time(
    settings: Settings, partner: Partner, found: Found, calls: Mapping[str, int], checks: Checks
) -> NightTime:
    """Return the times of a partner. `calls` are those of the listings just made, by endpoint."""
    limits = partner.limits
    every, due = _listings(settings, found, calls)
    checking = max(
        checks.inventory / limits.inventory,
        checks.availability / limits.catalog,
        checks.most_of_one_customer / limits.per_customer,
    )
    return NightTime(
        partner=partner.name,
        first_minutes=round(_listing(every, limits) + checking, 1),
        later_minutes=round(_listing(due, limits) + checking, 1),
    )


def _listing(calls: Mapping[str, float], limits: Limits) -> float:
    return max(calls["customers"] / limits.customers, calls["catalog"] / limits.catalog)


def _listings(
    settings: Settings, found: Found, made: Mapping[str, int]
) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the listing calls of a first night and of a later one, by API class.

    The calls just made are no measure of either: an unknown share of the listings was cached.
    """
    scope, cache = settings.scope, settings.cache
    sold_to = [one for one in found.customers if not one.ineligible and not one.left]
    plans = sum(len({each.plan_id for each in one.azure_subscriptions} - {""}) for one in sold_to)
    listings = {
        "subscriptions": len(sold_to) + plans * (1 + scope.check_registration),
        "billing_country": len(sold_to) if scope.customer_country is CustomerCountry.OWN else 0,
        "catalog": max(_catalog(found), made.get("list_products", 0) + made.get("list_skus", 0)),
    }
    every: Counter[str] = Counter(customers=max(made.get("list_customers", 0), 1))
    due: Counter[str] = Counter(every)
    for name, count in listings.items():
        of = "catalog" if name == "catalog" else "customers"
        every[of] += count
        due[of] += round(count * _share(name, cache))
    return every, due


def _catalog(found: Found) -> int:
    """Return how many product lists and SKU lists the catalogs have."""
    return sum(len(each.views) + len(set(each.views.values())) for each in found.catalogs)


def _share(name: str, cache: Cache) -> float:
    """Return the share of a kind of listings that is due each night."""
    hours: float = getattr(cache, name)
    return min(1.0, _NIGHT_H / hours) if hours else 1.0


def sentences(found: Iterable[NightTime]) -> list[str]:
    """Return a line for people for each partner."""
    return [
        f"{one.partner}: a first night takes {_spoken(one.first_minutes)} at the quota,"
        f" a later one {_spoken(one.later_minutes)}"
        for one in found
    ]


def _spoken(minutes: float) -> str:
    if minutes < 1:
        return "less than a minute"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest} min" if hours else f"{rest} min"
