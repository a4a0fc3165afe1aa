"""Finds who answers a call."""

from collections.abc import Callable

from auditor.sandbox.answers import people, problems, shapes
from auditor.sandbox.answers.browsing import Shelf
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.checking import Counter
from auditor.sandbox.answers.documented import documented_reply
from auditor.sandbox.answers.problems import Problem
from auditor.sandbox.answers.reply import Reply, problem_reply, whole
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import State

Answerer = Callable[[State, Call], Reply]


class Answers:
    """The answer to every call, without faults and limits."""

    def __init__(self) -> None:
        shelf, counter = Shelf(), Counter()
        self._by_endpoint: dict[str, Answerer] = {
            "customers": people.list_customers,
            "customer": people.get_customer,
            "subscriptions": people.list_subscriptions,
            "subscription": people.get_subscription,
            "entitlements": people.list_entitlements,
            "registration": people.get_registration,
            "products": shelf.list_products,
            "product": shelf.get_product,
            "skus": shelf.list_skus,
            "sku": shelf.get_sku,
            "availabilities": shelf.list_availabilities,
            "availability": shelf.get_availability,
            "customer_products": shelf.list_products,
            "customer_product": shelf.get_product,
            "customer_skus": shelf.list_skus,
            "customer_sku": shelf.get_sku,
            "customer_availabilities": shelf.list_availabilities,
            "check_inventory": counter.check,
            "by_resource_type": counter.check,
            "country_rules": _country_rules,
        }

    def to(self, state: State, call: Call) -> Reply:
        """Return the reply to a call; an error of the documents is a reply too."""
        if call.endpoint is None:
            return problem_reply(problems.not_found(call.path))
        try:
            return documented_reply(call) or self._by_endpoint[call.endpoint.name](state, call)
        except Problem as problem:
            return problem_reply(problem)


def _country_rules(_: State, call: Call) -> Reply:
    code = call.ids["country"].upper()
    if code not in COUNTRIES:
        raise problems.not_found(call.path)
    return whole(shapes.country_rules(code))
