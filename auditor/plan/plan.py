"""Plans the fewest calls for a scope: checks with the same context become one batch. Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy

import msgspec

from auditor.model import (
    AzureSubscription,
    Check,
    CheckKind,
    CommerceSubscription,
    Outcome,
    Question,
    Reason,
    Sku,
    Unasked,
)
from auditor.plan.availability import AvailabilityPlan
from auditor.plan.markets import WITHOUT_RESERVATIONS
from auditor.plan.rules import Rules
from auditor.plan.targets import (
    CUSTOMER,
    SUBSCRIPTION,
    Checks,
    Target,
    by_context,
    resource_type,
    targets,
    variables_of,
)
from auditor.scope.found import CatalogFound, CustomerFound
from auditor.scope.offers import (
    AZURE_PLAN_SCOPE,
    REGISTERED,
    REGISTRATION_UNKNOWN,
    is_active,
    scope_of,
)

ProductKey = tuple[str, str, str]
"""Country, reservation scope and product id."""
REGION_UNKNOWN = "arm_region_unknown"


class Plan:
    """All checks of wave 2 of one partner's run; a check that is not asked has a reason."""

    def __init__(
        self, rules: Rules, catalogs: Iterable[CatalogFound], *, customers: Sequence[CustomerFound]
    ) -> None:
        self.rules = rules
        self.customers = customers
        self.catalogs = {(c.country, c.reservation_scope): c for c in catalogs}
        self.targets: dict[tuple[str, str], list[Target]] = {}
        self.without_region: dict[tuple[str, str], list[Sku]] = {}
        for name, catalog in self.catalogs.items():
            self.targets[name], self.without_region[name] = targets(catalog, rules)
        self._availability = AvailabilityPlan(rules, self.catalogs)
        self._batches = {
            name: {
                context: [
                    same[n : n + rules.batch_size] for n in range(0, len(same), rules.batch_size)
                ]
                for context, same in by_context(found, rules).items()
            }
            for name, found in self.targets.items()
        }
        self._whole = {
            (country, scope, t.product_id, t.region): t.skus
            for (country, scope), found in self.targets.items()
            for t in found
            if not t.sku_id
        }

    def skus_of(self, check: Check) -> Sequence[str]:
        """Return the SKUs of a check; for a whole product, its SKUs in the listing."""
        if check.sku_id:
            return (check.sku_id,)
        key = (check.country, check.reservation_scope, check.product_id, check.arm_region)
        return self._whole.get(key, ())

    def moved(self, *, back: bool = False) -> "Plan":
        """Return the same plan on the newer inventory API; with `back`, on checkInventory."""
        rules = msgspec.structs.replace(self.rules, is_route_gone=not back)
        return self._anew(rules, self.catalogs.values())

    def by_resource_type(self, question: Question) -> Iterator[Question | Unasked]:
        """Turn a question for checkInventory into questions for the newer API."""
        by_type: dict[str | None, list[Check]] = defaultdict(list)
        for check in question.checks:
            catalog = self.catalogs[check.country, check.reservation_scope]
            view = catalog.views.get(check.product_id, "")
            by_type[resource_type(view, self.rules)].append(check)
        for type_, checks in by_type.items():
            if type_ is None:
                yield from map(_untyped, checks)
            else:
                yield msgspec.structs.replace(question, checks=tuple(checks), resource_type=type_)

    def joined_by(self, customers: Sequence[CustomerFound]) -> "Plan":
        """Return the plan with these customers added."""
        plan = copy(self)
        plan.customers = (*self.customers, *customers)
        return plan

    def of(self, customers: Sequence[CustomerFound], *, by_country: bool) -> "Plan":
        """Return the part of the plan about these customers, with the checks by country or not."""
        plan = copy(self)
        plan.customers = customers
        plan.rules = msgspec.structs.replace(
            self.rules, by_country=by_country and self.rules.by_country
        )
        return plan

    def learned(self, variables: Mapping[ProductKey, Collection[str]]) -> "Plan":
        """Return the plan with these inventory variables added to those of the catalog."""
        catalogs = []
        for (country, scope), catalog in self.catalogs.items():
            known = dict(catalog.learned)
            for (where, in_scope, product_id), more in variables.items():
                if (where, in_scope) == (country, scope):
                    known[product_id] = tuple(sorted({*known.get(product_id, ()), *more}))
            catalogs.append(msgspec.structs.replace(catalog, learned=known))
        return self._anew(self.rules, catalogs)

    def _anew(self, rules: Rules, catalogs: Iterable[CatalogFound]) -> "Plan":
        """Return a new plan for the same customers; `skus_of` still knows this plan's checks."""
        plan = Plan(rules, catalogs, customers=self.customers)
        plan._whole = self._whole | plan._whole
        return plan

    def questions(self) -> Iterator[Question | Unasked]:
        """Yield every call of wave 2 and every check that is not asked, customer by customer."""
        if self.rules.by_country:
            yield from self._by_country()
        yield from self.questions_of(self.customers)

    def questions_of(self, customers: Iterable[CustomerFound]) -> Iterator[Question | Unasked]:
        """Yield the part of `questions` about these customers."""
        for found in customers:
            if not found.left:
                yield from self._customer(found)

    def _by_country(self) -> Iterator[Question | Unasked]:
        if CheckKind.INVENTORY in self.rules.checks:
            for name in self.catalogs:
                yield from self._inventory(name, "", None)
        if CheckKind.AVAILABILITY in self.rules.checks:
            yield from self._availability.by_country()

    def no_market(self, country: str) -> Reason | None:
        """Return why no check about reservations is possible in a country; None if it is."""
        if country not in self.rules.countries:
            return Reason.COUNTRY_NOT_CONFIGURED
        if country in WITHOUT_RESERVATIONS:
            return Reason.MARKET_WITHOUT_RESERVATIONS
        return None

    def not_eligible(self, found: CustomerFound) -> list[str]:
        """Return the Azure subscriptions of a customer whose checks are `not_eligible`."""
        if CheckKind.INVENTORY not in self.rules.checks:
            return []  # their registration was not read
        plans = {s.commerce_subscription_id: s for s in found.commerce_subscriptions}
        names = []
        for subscription in found.azure_subscriptions:
            plan = plans.get(subscription.plan_id)
            not_asked = self._not_asked(found, subscription, plan, scope_of(plan))
            if not_asked is not None and not_asked[0] is Outcome.NOT_ELIGIBLE:
                names.append(subscription.azure_subscription_id)
        return names

    def _customer(self, found: CustomerFound) -> Iterator[Question | Unasked]:
        customer_id = found.customer.customer_id
        if found.ineligible or (found.failed and not found.azure_subscriptions):
            outcome = Outcome.NOT_ELIGIBLE if found.ineligible else Outcome.SKIPPED
            for check in self._unknowable(customer_id, found.countries or ("",)):
                yield Unasked(check=check, outcome=outcome, reason=found.ineligible or found.failed)
            return
        if CheckKind.INVENTORY in self.rules.checks:
            for country in found.countries:
                yield from self._inventory_of(found, country)
        if CheckKind.AVAILABILITY in self.rules.checks and self.rules.by_customer:
            yield from self._availability.of_customer(found)

    def _unknowable(self, customer_id: str, countries: Iterable[str]) -> Iterator[Check]:
        """Yield one check for each kind and country of a customer without listed subscriptions."""
        if CheckKind.INVENTORY in self.rules.checks:
            for country in countries:
                yield self._check(CheckKind.INVENTORY, customer_id, country)
        if CheckKind.AVAILABILITY in self.rules.checks and self.rules.by_customer:
            yield self._check(CheckKind.AVAILABILITY, customer_id, "")

    def _check(self, kind: CheckKind, customer_id: str, country: str, **part: str) -> Check:
        return Check(
            kind=kind,
            partner_tenant_id=self.rules.partner_tenant_id,
            customer_id=customer_id,
            country=country,
            **part,
        )

    def _inventory_of(self, found: CustomerFound, country: str) -> Iterator[Question | Unasked]:
        customer_id = found.customer.customer_id
        plans = {s.commerce_subscription_id: s for s in found.commerce_subscriptions}
        reason = self.no_market(country)
        if reason is not None:
            check = self._check(CheckKind.INVENTORY, customer_id, country)
            yield Unasked(check=check, outcome=Outcome.NOT_ELIGIBLE, reason=reason)
            return
        for scope in self.rules.reservation_scopes:
            yield from self._inventory((country, scope), customer_id, None)
        for subscription in found.azure_subscriptions:
            wanted = self.rules.azure_subscriptions
            if wanted is not None and subscription.azure_subscription_id not in wanted:
                continue
            scope = scope_of(plans.get(subscription.plan_id))
            not_asked = self._not_asked(found, subscription, plans.get(subscription.plan_id), scope)
            if not_asked is None:
                yield from self._inventory((country, scope), customer_id, subscription)
                continue
            outcome, why = not_asked
            for check in self._checks_of(customer_id, country, scope, subscription, outcome):
                yield Unasked(check=check, outcome=outcome, reason=why)

    def _not_asked(
        self,
        found: CustomerFound,
        subscription: AzureSubscription,
        plan: CommerceSubscription | None,
        scope: str,
    ) -> tuple[Outcome, str] | None:
        """Return outcome and reason if an Azure subscription is not asked about, else None."""
        if subscription.azure_subscription_id in found.carried:
            return Outcome.SKIPPED, Reason.LISTING_FAILED
        if not is_active(subscription.status) or (plan and not is_active(plan.status)):
            return Outcome.NOT_ELIGIBLE, Reason.SUBSCRIPTION_INACTIVE
        if scope not in self.rules.reservation_scopes:
            return Outcome.NOT_ELIGIBLE, Reason.OFFER_IS_LEGACY
        if self.rules.check_registration and scope == AZURE_PLAN_SCOPE:
            status = subscription.registration_status.lower()
            if status == REGISTRATION_UNKNOWN:
                return Outcome.SKIPPED, Reason.REGISTRATION_UNREADABLE
            if status != REGISTERED:
                return Outcome.NOT_ELIGIBLE, Reason.PLAN_NOT_REGISTERED
        return None

    def _checks_of(
        self,
        customer_id: str,
        country: str,
        scope: str,
        subscription: AzureSubscription,
        outcome: Outcome,
    ) -> Iterator[Check]:
        """Yield the checks of an Azure subscription that is not asked about.

        If they are skipped, each check is yielded; if not eligible, one check stands for all.
        """
        context = {
            "azure_subscription_id": subscription.azure_subscription_id,
            "reservation_scope": scope,
        }
        asked = [t for t in self.targets.get((country, scope), ()) if SUBSCRIPTION in t.variables]
        if outcome is Outcome.NOT_ELIGIBLE or not asked:
            yield self._check(CheckKind.INVENTORY, customer_id, country, **context)
            return
        for target in asked:
            part = {"product_id": target.product_id, "sku_id": target.sku_id}
            yield self._check(
                CheckKind.INVENTORY,
                customer_id,
                country,
                **context,
                arm_region=target.region,
                **part,
            )

    def _inventory(
        self, catalog: tuple[str, str], customer_id: str, subscription: AzureSubscription | None
    ) -> Iterator[Question | Unasked]:
        """Yield the batches of an Azure subscription, of a customer, or of a country.

        Each SKU is asked on only one of these three levels: its inventory variables say which.
        """
        country, _ = catalog
        if country in WITHOUT_RESERVATIONS:
            return
        azure_subscription_id = subscription.azure_subscription_id if subscription else ""
        level = (bool(customer_id), subscription is not None)
        shared = self._check(
            CheckKind.INVENTORY, customer_id, country, azure_subscription_id=azure_subscription_id
        )
        for (variables, _region, type_), batches in self._batches.get(catalog, {}).items():
            if _level(variables) != level:
                continue
            for batch in batches:
                checks = Checks(shared, batch)
                if type_ is None:
                    yield from map(_untyped, checks)
                    continue
                yield Question(
                    checks=checks,
                    variables=variables,
                    arm_region_name=batch[0].region_name,
                    resource_type=type_,
                )
        for sku in self.without_region.get(catalog, ()):
            if _level(variables_of(sku, self.catalogs[catalog])) == level:
                check = self._check(
                    CheckKind.INVENTORY,
                    customer_id,
                    country,
                    azure_subscription_id=azure_subscription_id,
                    reservation_scope=sku.reservation_scope,
                    product_id=sku.product_id,
                    sku_id=sku.sku_id,
                )
                yield Unasked(check=check, outcome=Outcome.SKIPPED, reason=REGION_UNKNOWN)
        if subscription is not None:
            yield from self._unlisted(catalog, customer_id, azure_subscription_id)

    def _unlisted(
        self, catalog: tuple[str, str], customer_id: str, azure_subscription_id: str
    ) -> Iterator[Unasked]:
        """Yield a skipped check for each product whose SKUs could not be listed."""
        country, scope = catalog
        failed = self.catalogs[catalog].failed if catalog in self.catalogs else ()
        for product_id in sorted(failed):
            check = self._check(
                CheckKind.INVENTORY,
                customer_id,
                country,
                azure_subscription_id=azure_subscription_id,
                reservation_scope=scope,
                product_id=product_id,
            )
            yield Unasked(check=check, outcome=Outcome.SKIPPED, reason=Reason.LISTING_FAILED)


def _untyped(check: Check) -> Unasked:
    return Unasked(check=check, outcome=Outcome.SKIPPED, reason=Reason.RESOURCE_TYPE_UNKNOWN)


def _level(variables: Sequence[str]) -> tuple[bool, bool]:
    """Return whether a context names a customer, and whether it names an Azure subscription."""
    by_subscription = SUBSCRIPTION in variables
    return by_subscription or CUSTOMER in variables, by_subscription
