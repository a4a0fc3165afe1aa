"""Passes each call to the function that answers its endpoint."""

from collections.abc import Callable

from auditor.sandbox.answers import customers, problems, shapes
from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.catalog import CatalogAnswers
from auditor.sandbox.answers.documented import documented_reply
from auditor.sandbox.answers.inventory import InventoryAnswers
from auditor.sandbox.answers.problems import Problem
from auditor.sandbox.answers.reply import SandboxReply, problem_reply, whole
from auditor.sandbox.world.places import COUNTRIES
from auditor.sandbox.world.state import NightState

Answerer = Callable[[NightState, Call], SandboxReply]


class Dispatcher:
    """Answers every call; faults and limits are applied elsewhere."""

    def __init__(self) -> None:
        catalog, inventory = CatalogAnswers(), InventoryAnswers()
        self._by_endpoint: dict[str, Answerer] = {
            "customers": customers.list_customers,
            "customer": customers.get_customer,
            "subscriptions": customers.list_subscriptions,
            "subscription": customers.get_subscription,
            "entitlements": customers.list_entitlements,
            "registration": customers.get_registration,
            "products": catalog.list_products,
            "product": catalog.get_product,
            "skus": catalog.list_skus,
            "sku": catalog.get_sku,
            "availabilities": catalog.list_availabilities,
            "availability": catalog.get_availability,
            "customer_products": catalog.list_products,
            "customer_product": catalog.get_product,
            "customer_skus": catalog.list_skus,
            "customer_sku": catalog.get_sku,
            "customer_availabilities": catalog.list_availabilities,
            "check_inventory": inventory.check,
            "by_resource_type": inventory.check,
            "country_rules": _country_rules,
        }

    def answer(self, state: NightState, call: Call) -> SandboxReply:
        """Return the reply to a call; a `Problem` becomes an error reply."""
        if call.endpoint is None:
            return problem_reply(problems.not_found(call.path))
        try:
            return documented_reply(call) or self._by_endpoint[call.endpoint.name](state, call)
        except Problem as problem:
            return problem_reply(problem)


def _country_rules(_: NightState, call: Call) -> SandboxReply:
    code = call.ids["country"].upper()
    if code not in COUNTRIES:
        raise problems.not_found(call.path)
    return whole(shapes.country_rules(code))
