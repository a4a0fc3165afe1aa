"""The settings that decide whether a SKU is checked, and how."""

from collections.abc import Mapping

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one partner's plan."""

    partner_tenant_id: str
    countries: frozenset[str]
    """The countries in which the partner sells."""
    checks: frozenset[str]
    batch_size: int
    reservation_scopes: tuple[str, ...]
    arm_regions: tuple[str, ...] | None
    """The Azure regions to check; None: all."""
    azure_subscriptions: frozenset[str] | None
    """The Azure subscriptions to check; None: all."""
    check_registration: bool
    segments: tuple[str, ...]
    availability: str
    availability_always: tuple[str, ...]
    by_customer: bool = True
    """Whether availability is asked by customer. False in a run over one country, because
    availability by customer belongs to no country."""
    by_country: bool = True
    """Whether checks by country are asked. False in a run over some customers."""
    inventory_api: str = "auto"
    """`check_inventory`, `by_resource_type`, or `auto`: checkInventory unless it is gone."""
    is_route_gone: bool = False
    """True if this partner has moved to the newer API: checkInventory said that it is gone, and
    the newer API has answered."""
    resource_types: Mapping[str, str] = {}
    """By target view: the resource type for checkinventorybyresourcetype, the newer API."""

    @property
    def by_resource_type(self) -> bool:
        """Return True if inventory is asked by resource type."""
        is_moved = self.inventory_api == "auto" and self.is_route_gone
        return is_moved or self.inventory_api == "by_resource_type"
