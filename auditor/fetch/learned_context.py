"""Context items that inventory checks demand (400026) and the catalog does not name.

What one check of a product was missing, all of them are: its other checks wait, and are planned
once more when everything else is settled.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from auditor.model import Check, Question, Unasked
from auditor.plan.plan import Plan, Product
from auditor.plan.targets import CUSTOMER, REGION, SUBSCRIPTION

VARIABLES = (CUSTOMER, SUBSCRIPTION, REGION)


class Learning:
    """What was learned, and the checks that wait for it."""

    def __init__(self) -> None:
        self._variables: dict[Product, set[str]] = defaultdict(set)
        self._waiting: dict[Product, set[tuple[str, str]]] = defaultdict(set)
        """Customer and Azure subscription of each check."""
        self._held_back: list[Check] = []
        self._is_over = False

    @property
    def waiting(self) -> tuple[Check, ...]:
        """The checks that wait; none once that is over."""
        return () if self._is_over else tuple(self._held_back)

    def learn(self, question: Question, said: str) -> bool:
        """Take in a refusal; False where it does not tell what is missing, or of which product.

        `said` is the reply's description, which names the item; nothing else in it does.
        """
        products = {_product(check) for check in question.checks}
        missing = {
            variable
            for variable in VARIABLES
            if variable.lower() in said.lower() and variable not in question.variables
        }
        if self._is_over or len(products) > 1 or not missing:
            return False
        self._variables[products.pop()] |= missing
        self.rest(question)
        return True

    def rest(self, question: Question) -> Question | None:
        """Return the question without the checks that wait, None where none is left."""
        if self._is_over or not self._variables:
            return question
        kept = []
        for check in question.checks:
            if _product(check) in self._variables:
                name = (check.customer_id, check.azure_subscription_id)
                self._waiting[_product(check)].add(name)
                self._held_back.append(check)
            else:
                kept.append(check)
        return msgspec.structs.replace(question, checks=tuple(kept)) if kept else None

    def finish(self, plan: Plan) -> tuple[Plan, list[Question | Unasked]]:
        """Return the plan that knows what was learned, and what of it has waited.

        That is over then: what is asked later has nothing to wait for.
        """
        is_over, self._is_over = self._is_over, True
        if is_over or not self._variables:
            return plan, []
        plan = plan.learned(self._variables)
        return plan, list(self._of(plan))

    def _of(self, plan: Plan) -> Iterator[Question | Unasked]:
        for question in plan.questions():
            if isinstance(question, Unasked):
                if self._waits(question.check):
                    yield question
                continue
            checks = tuple(check for check in question.checks if self._waits(check))
            if checks:
                yield msgspec.structs.replace(question, checks=checks)

    def _waits(self, check: Check) -> bool:
        """Tell whether a check is one of those; of what had no customer, all customers' are."""
        of = self._waiting.get(_product(check), ())
        customer, subscription = check.customer_id, check.azure_subscription_id
        return not {(customer, subscription), (customer, ""), ("", "")}.isdisjoint(of)


def _product(check: Check) -> Product:
    return check.country, check.reservation_scope, check.product_id
