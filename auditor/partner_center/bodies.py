"""The request bodies, in the letter case of the documents."""

from collections.abc import Sequence

import msgspec


class _TargetItem(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    product_id: str
    sku_id: str = ""


class _InventoryContext(
    msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True
):
    customer_id: str = ""
    azure_subscription_id: str = ""
    arm_region_name: str = ""


class _InventoryCheck(msgspec.Struct, frozen=True, rename="pascal"):
    target_items: tuple[_TargetItem, ...]
    inventory_context: _InventoryContext


def inventory_check(
    items: Sequence[tuple[str, str]],
    *,
    customer_id: str = "",
    azure_subscription_id: str = "",
    arm_region: str = "",
) -> bytes:
    """Return the body of an inventory check of (product, SKU) pairs.

    An argument that is '' is left out of the body; a product without a SKU is checked whole.
    """
    check = _InventoryCheck(
        tuple(_TargetItem(product, sku) for product, sku in items),
        _InventoryContext(
            customer_id=customer_id,
            azure_subscription_id=azure_subscription_id,
            arm_region_name=arm_region,
        ),
    )
    return msgspec.json.encode(check)
