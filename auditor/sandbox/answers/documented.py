"""Answers the requests of the documents' samples with those samples, byte for byte."""

from importlib import resources

import msgspec

from auditor.sandbox.answers.calls import Call
from auditor.sandbox.answers.reply import SandboxReply

CUSTOMER = "65543400-f8b0-4783-8530-6d35ab8c6801"
INVENTORY_CUSTOMER = "d6bf25b7-e0a8-4f2d-a31b-97b55cfc774d"
INVENTORY_SUBSCRIPTION = "3a231fbe-37fe-4410-93fd-730d3d5d4c75"
INVENTORY_PRODUCT = "DZH318Z0BQ3P"
COUNTRY = "US"

_SKUS = {("DZH318Z0BQ3V", "00G1"), ("CFQ7TTC0LH18", "0001")}
_AVAILABILITIES = {("DZH318Z0BPS6", "0001"), ("CFQ7TTC0LH18", "0001")}


class _Item(msgspec.Struct):
    productId: str  # noqa: N815 - the name on the wire
    skuId: str  # noqa: N815 - likewise


def documented_reply(call: Call) -> SandboxReply | None:
    """Return the documents' sample for this call; `None` if there is none."""
    name = call.endpoint.name if call.endpoint else ""
    key = (call.ids.get("product", ""), call.ids.get("sku", ""))
    country = call.query.get("country", "").upper()
    if name == "sku" and key in _SKUS and country == COUNTRY:
        return SandboxReply(encoded=_sample(f"sku_{key[0]}_{key[1]}_US"))
    if name == "customer_availabilities" and call.customer_id == CUSTOMER:
        if key in _AVAILABILITIES:
            return SandboxReply(encoded=_sample(f"customer_availabilities_{key[0]}_{key[1]}"))
        return None
    if name in {"check_inventory", "by_resource_type"} and country == COUNTRY:
        return _inventory(call)
    return None


def _inventory(call: Call) -> SandboxReply | None:
    context = (call.customer_id, call.context.get("azureSubscriptionId", "").lower())
    if context != (INVENTORY_CUSTOMER, INVENTORY_SUBSCRIPTION):
        return None
    sample = _sample("check_inventory_DZH318Z0BQ3P_US")
    raws = msgspec.json.decode(sample, type=list[msgspec.Raw])
    items = msgspec.json.decode(sample, type=list[_Item])
    keys = [(item.productId, item.skuId) for item in items]
    if call.targets == ((INVENTORY_PRODUCT, ""),):
        return SandboxReply(items=[bytes(raw) for raw in raws], keys=keys, encoded=sample)
    # Other targets in this context are in no catalog: the reply leaves them out.
    kept = [
        place
        for place, key in enumerate(keys)
        if key in call.targets or (key[0], "") in call.targets
    ]
    whole = SandboxReply(items=[bytes(raw) for raw in raws], keys=keys)
    return whole.only(kept)


def _sample(name: str) -> bytes:
    folder = resources.files("auditor.sandbox") / "documented"
    return (folder / f"{name}.json").read_bytes().rstrip(b"\n")
