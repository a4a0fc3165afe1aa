"""Plans the availability checks: reservations by country, all other SKUs by customer. Pure.

See `docs/decisions/0003-availability-by-customer-or-country.md`.
"""

from collections.abc import Iterable, Iterator, Mapping

from auditor.model import Check, CheckKind, Outcome, Question, Reason, Sku, Unasked
from auditor.plan.rules import Rules
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.offers import is_active, is_legacy_licence, is_licence, is_reservation

NONPROFIT = "nonprofit"


class AvailabilityPlan:
    """The availability half of a plan; `catalogs` are by country and reservation scope."""

    def __init__(self, rules: Rules, catalogs: Mapping[tuple[str, str], CatalogFound]) -> None:
        self._rules = rules
        self._catalogs = catalogs

    def _check(self, customer_id: str, country: str = "", **part: str) -> Check:
        return Check(
            kind=CheckKind.AVAILABILITY,
            partner_tenant_id=self._rules.partner_tenant_id,
            customer_id=customer_id,
            country=country,
            **part,
        )

    def of_customer(self, found: CustomerFound) -> Iterator[Question | Unasked]:
        """Yield the questions about one customer, and its licences that cannot be asked about."""
        customer_id = found.customer.customer_id
        if found.failed:
            check = self._check(customer_id)
            yield Unasked(check=check, outcome=Outcome.SKIPPED, reason=found.failed)
            return
        wanted: dict[tuple[str, str], None] = {}
        for held in found.commerce_subscriptions:
            if not is_licence(held):
                continue
            if is_active(held.status) and held.sku_id:
                wanted[held.product_id, held.sku_id] = None
        if self._rules.availability != "held":
            for country in found.countries:
                wanted |= dict.fromkeys(self._by_customer_skus(country))
        wanted |= dict.fromkeys(self._always(found.countries))
        for product_id, sku_id in sorted(wanted):
            part = {"product_id": product_id, "sku_id": sku_id}
            check = self._check(customer_id, **part)
            yield Question(checks=(check,))
        yield from self._not_held(found, wanted)

    def _not_held(
        self, found: CustomerFound, wanted: Mapping[tuple[str, str], None]
    ) -> Iterator[Unasked]:
        """Yield a customer's licences that cannot be asked about."""
        reasons: dict[tuple[str, str], Reason] = {}
        for held in found.commerce_subscriptions:
            name = (held.product_id, held.sku_id)
            if is_legacy_licence(held):
                reasons["", ""] = Reason.OFFER_IS_LEGACY
            elif is_licence(held) and name not in wanted:
                reasons[name] = Reason.SUBSCRIPTION_INACTIVE
        for (product_id, sku_id), reason in sorted(reasons.items()):
            part = {"product_id": product_id, "sku_id": sku_id}
            check = self._check(found.customer.customer_id, **part)
            yield Unasked(check=check, outcome=Outcome.NOT_ELIGIBLE, reason=reason)

    def _by_customer_skus(self, country: str) -> Iterator[tuple[str, str]]:
        """Yield the catalog SKUs whose availability depends on the customer.

        A reservation is not yielded: its inventory check answers for the customer, and its
        availability is the same for all customers of a country.
        """
        for (where, _), catalog in self._catalogs.items():
            if where == country:
                for sku in catalog.skus:
                    if self._is_wanted(sku, catalog) and not is_reservation(sku):
                        yield sku.name

    def _is_wanted(self, sku: Sku, catalog: CatalogFound) -> bool:
        if self._rules.availability == "all":
            return True
        return not catalog.named.isdisjoint({sku.name, (sku.product_id, "")})

    def _always(self, countries: Iterable[str]) -> Iterator[tuple[str, str]]:
        products = {name for name in self._rules.availability_always if ":" not in name}
        for name in self._rules.availability_always:
            product_id, _, sku_id = name.partition(":")
            if sku_id:
                yield product_id, sku_id
        for (country, _), catalog in self._catalogs.items():
            if country in countries:
                yield from (sku.name for sku in catalog.skus if sku.product_id in products)

    def by_country(self) -> Iterator[Question]:
        """Yield the questions whose answer is the same for every customer of a country."""
        if self._rules.availability == "held":
            return
        for (country, scope), catalog in self._catalogs.items():
            for sku in catalog.skus:
                if not (self._is_wanted(sku, catalog) and is_reservation(sku)):
                    continue
                part = {"product_id": sku.product_id, "sku_id": sku.sku_id}
                check = self._check("", country, reservation_scope=scope, **part)
                for segment in self._segments_asked():
                    yield Question(checks=(check,), segment=segment)

    def _segments_asked(self) -> Iterator[str]:
        """Yield the segments to ask for: '' and nonprofit, each only if configured.

        The server answers '' with all segments except nonprofit, which must be asked for by name.
        """
        if any(segment != NONPROFIT for segment in self._rules.segments):
            yield ""
        if NONPROFIT in self._rules.segments:
            yield NONPROFIT
