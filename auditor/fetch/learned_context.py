"""Learns context items that inventory checks demand (400026) and the catalog does not name.

If one check of a product lacks a context item, all checks of that product lack it. So they wait,
and are planned once more when all other checks are settled.
"""

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from auditor.model import Check, Question, Unasked
from auditor.plan.plan import Plan, ProductKey
from auditor.plan.targets import CUSTOMER, REGION, SUBSCRIPTION

VARIABLES = (CUSTOMER, SUBSCRIPTION, REGION)


class Learning:
    """The context items that were learned, and the checks that wait for them."""

    def __init__(self) -> None:
        self._variables: dict[ProductKey, set[str]] = defaultdict(set)
        self._waiting: dict[ProductKey, set[tuple[str, str]]] = defaultdict(set)
        """By product: customer and Azure subscription of each check that waits."""
        self._held_back: list[Check] = []
        self._is_over = False

    def take_waiting(self) -> tuple[Check, ...]:
        """Return the checks held back since the last call."""
        waiting, self._held_back = tuple(self._held_back), []
        return waiting

    def learn(self, question: Question, description: str) -> bool:
        """Learn the missing context item from a refusal's description, which alone names it.

        Return False if it is not clear which item is missing, or for which product.
        """
        products = {_product(check) for check in question.checks}
        missing = {
            variable
            for variable in VARIABLES
            if variable.lower() in description.lower() and variable not in question.variables
        }
        if self._is_over or len(products) > 1 or not missing:
            return False
        self._variables[products.pop()] |= missing
        self.hold_back(question)
        return True

    def hold_back(self, question: Question) -> Question | None:
        """Hold back the checks that must wait; return the question without them.

        Return None if all its checks must wait.
        """
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
        """Return the plan with the learned context items, and the questions that waited for them.

        After this, nothing more is learned and no check is held back.
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
        """Return True if the check is held back.

        A check that was held back without a customer stands for the checks of all customers.
        """
        of = self._waiting.get(_product(check), ())
        customer, subscription = check.customer_id, check.azure_subscription_id
        return not {(customer, subscription), (customer, ""), ("", "")}.isdisjoint(of)


def _product(check: Check) -> ProductKey:
    return check.country, check.reservation_scope, check.product_id
