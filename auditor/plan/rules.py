"""The settings that decide whether, and how, a SKU is asked about."""

from collections.abc import Mapping

import msgspec


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one partner's plan."""

    partner_tenant_id: str
    countries: frozenset[str]
    """Where the partner sells."""
    checks: frozenset[str]
    batch_size: int
    reservation_scopes: tuple[str, ...]
    arm_regions: tuple[str, ...] | None
    """None: all."""
    azure_subscriptions: frozenset[str] | None
    """None: all."""
    check_registration: bool
    segments: tuple[str, ...]
    availability: str
    availability_always: tuple[str, ...]
    by_customer: bool = True
    """False in a run over one country: by-customer availability belongs to no country."""
    by_country: bool = True
    """False in a run over some customers: by-country checks are not asked."""
    inventory_api: str = "auto"
    """`check_inventory`, `by_resource_type`, or `auto`: the first unless it is gone."""
    is_route_gone: bool = False
    """Whether this partner has moved: checkInventory said that it is gone, and the newer API has
    answered."""
    resource_types: Mapping[str, str] = {}
    """By target view: the resource type for checkinventorybyresourcetype."""

    @property
    def by_resource_type(self) -> bool:
        """Tell whether inventory is asked by resource type."""
        is_moved = self.inventory_api == "auto" and self.is_route_gone
        return is_moved or self.inventory_api == "by_resource_type"
