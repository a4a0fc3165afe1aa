"""The seeded script: what the first night looks like and what each later one changes."""

from auditor.sandbox.world.draft import Draft, Event
from auditor.sandbox.world.licensing import base_licences, change_licences
from auditor.sandbox.world.moving import (
    first_absent,
    first_skus_out,
    move_catalog,
    move_customers,
    move_subscriptions,
)
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.restricting import base_restrictions, restrict_and_lift
from auditor.sandbox.world.state import State


def first_night(portfolio: Portfolio) -> State:
    return State(
        night=1,
        portfolio=portfolio,
        absent=first_absent(portfolio),
        relationships={},
        statuses={},
        registrations={},
        skus_out=first_skus_out(portfolio),
        products_out={},
        restrictions=base_restrictions(portfolio),
        licences=base_licences(portfolio),
        outages={},
    )


def next_night(before: State) -> tuple[State, tuple[Event, ...]]:
    """Return the following night and what happened on it."""
    draft = Draft(before)
    move_customers(draft)
    move_subscriptions(draft)
    move_catalog(draft)
    restrict_and_lift(draft)
    change_licences(draft)
    return draft.state, tuple(draft.events)
