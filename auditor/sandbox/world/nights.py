"""Makes the first night, and each later night from the one before."""

from auditor.sandbox.world.licensing import base_licences, change_licences
from auditor.sandbox.world.moving import (
    first_absent,
    first_skus_out,
    move_catalog,
    move_customers,
    move_subscriptions,
)
from auditor.sandbox.world.night_builder import Event, NightBuilder
from auditor.sandbox.world.portfolio import Portfolio
from auditor.sandbox.world.restricting import base_restrictions, restrict_and_lift
from auditor.sandbox.world.state import NightState


def first_night(portfolio: Portfolio) -> NightState:
    return NightState(
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


def next_night(before: NightState) -> tuple[NightState, tuple[Event, ...]]:
    """Return the following night and its events."""
    builder = NightBuilder(before)
    move_customers(builder)
    move_subscriptions(builder)
    move_catalog(builder)
    restrict_and_lift(builder)
    change_licences(builder)
    return builder.state, tuple(builder.events)
