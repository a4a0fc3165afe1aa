"""The calls for a whole portfolio, compared with one call per product and context."""

from collections.abc import Iterable, Mapping

import pytest

from auditor.model import Question
from auditor.plan.plan import Plan
from auditor.scope.found import CatalogFound, CustomerFound
from tests.builders import scope as bench
from tests.builders.scope import azure, catalog, found, plan, sku

CUSTOMERS, SUBSCRIPTIONS, PRODUCTS, SKUS = 1_000, 2, 40, 300
COUNTRIES = ("DE", "FR")
Context = tuple[str, ...]
"""Customer, country, Azure subscription, region, reservation scope, product."""


def product_ids() -> list[str]:
    return [f"DZH{n:03}" for n in range(PRODUCTS)]


def sku_ids() -> list[str]:
    return [f"{n:04}" for n in range(SKUS)]


def customers() -> Iterable[CustomerFound]:
    for n in range(CUSTOMERS):
        name, country = f"customer {n:04}", COUNTRIES[n % len(COUNTRIES)]
        yield found(
            *(azure(f"{name} sub {m}", customer_id=name) for m in range(SUBSCRIPTIONS)),
            holds=[plan(customer_id=name)],
            customer_id=name,
            countries=(country,),
        )


def catalogs() -> Iterable[CatalogFound]:
    for country in COUNTRIES:
        yield catalog(
            *(
                sku(sku_id, product_id, country=country)
                for product_id in product_ids()
                for sku_id in sku_ids()
            ),
            country=country,
        )


def naive() -> dict[Context, frozenset[str]]:
    """Return the SKUs that one call per product and context answers, written by hand."""
    skus = frozenset(sku_ids())
    return {
        (f"customer {n:04}", country, f"customer {n:04} sub {m}", "", "AzurePlan", product): skus
        for n in range(CUSTOMERS)
        for country in [COUNTRIES[n % len(COUNTRIES)]]
        for m in range(SUBSCRIPTIONS)
        for product in product_ids()
    }


def answered(questions: Iterable[Question], of: Plan) -> Mapping[Context, frozenset[str]]:
    """Return the SKUs that the replies answer in each context; a whole product is all its SKUs."""
    whole = {
        (country, t.reservation_scope, t.product_id, t.region): frozenset(t.skus)
        for (country, _), targets in of.targets.items()
        for t in targets
        if not t.sku_id
    }
    keys: dict[Context, frozenset[str]] = {}
    for question in questions:
        for c in question.checks:
            where = (c.country, c.reservation_scope, c.product_id, c.arm_region)
            context = (
                c.customer_id,
                c.country,
                c.azure_subscription_id,
                c.arm_region,
                c.reservation_scope,
                c.product_id,
            )
            skus = frozenset({c.sku_id}) if c.sku_id else whole[where]
            assert keys.get(context, frozenset()).isdisjoint(skus), "each key is asked once"
            keys[context] = keys.get(context, frozenset()) | skus
    return keys


@pytest.mark.parametrize("batch_size", [50, 1])
def test_a_portfolio_takes_a_fortieth_of_the_calls_and_answers_the_same_keys(
    batch_size: int,
) -> None:
    """24 million keys. With a batch size of 1, the plan is the naive plan."""
    rules = bench.rules(checks=frozenset({"inventory"}), batch_size=batch_size)
    ours = Plan(rules, catalogs(), customers=tuple(customers()))
    questions = [each for each in ours.questions() if isinstance(each, Question)]
    by_hand = naive()
    assert len(by_hand) == CUSTOMERS * SUBSCRIPTIONS * PRODUCTS
    assert answered(questions, ours) == by_hand
    assert len(questions) * (PRODUCTS if batch_size > 1 else 1) <= len(by_hand)
