"""The log of requests and replies: tests check a client from the server's side."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from auditor.sandbox.world.model import SkuKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One request and its reply. Partner and customer ids are lower case."""

    sequence: int
    """Order of arrival; the log itself is in the order in which replies were sent."""
    time: float
    """When the whole request was read, by the sandbox's clock."""
    finished: float
    night: int
    method: str
    path: str
    query: str
    endpoint: str
    """`''` if no endpoint has this path."""
    api_class: str
    partner: str
    """Tenant id; `''` if the token belongs to no partner."""
    customer: str
    """From the path or the inventory context; `''` if neither names one."""
    request_id: str
    correlation_id: str
    locale: str
    client: str
    """The header MS-PartnerCenter-Client."""
    content_type: str
    country: str
    targets: tuple[SkuKey, ...]
    """For an inventory check only; the SKU id is `''` for a whole product."""
    context: Mapping[str, str]
    status: int
    """0 if nothing was sent because the connection was reset."""
    throttled: bool
    """Refused by the limits, not by a fault."""
    fault: str | None
    """The name of the fault that was applied."""
    delivered: Sequence[SkuKey] | None
    """The SKUs in the reply to an inventory check, if it was sent whole and true; else `None`."""


class Delivered(NamedTuple):
    """One inventory item that was sent in a whole and true reply."""

    night: int
    partner_tenant_id: str
    customer_id: str
    country: str
    azure_subscription_id: str
    arm_region: str
    """From the context, lower case; `''` if the context has none."""
    product_id: str
    sku_id: str


class Log:
    """Every record, in the order in which replies were sent, and the most calls in flight."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.most_in_flight = 0
        self.most_in_flight_by_partner: Counter[str] = Counter()
        self._in_flight: Counter[str] = Counter()

    def clear(self) -> None:
        self.records.clear()
        self.most_in_flight = 0
        self.most_in_flight_by_partner.clear()

    @property
    def in_flight(self) -> int:
        """Number of requests being answered now."""
        return self._in_flight.total()

    def enter(self, partner: str) -> None:
        self._in_flight[partner] += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight.total())
        self.most_in_flight_by_partner[partner] = max(
            self.most_in_flight_by_partner[partner], self._in_flight[partner]
        )

    def leave(self, partner: str) -> None:
        self._in_flight[partner] -= 1

    def of(self, *endpoints: str, night: int | None = None) -> list[Record]:
        """Return the records of these endpoints (all if none is given), of one night if given."""
        return [
            record
            for record in self.records
            if (not endpoints or record.endpoint in endpoints)
            and (night is None or record.night == night)
        ]

    def delivered(self, night: int | None = None) -> Iterator[Delivered]:
        """Yield every inventory item of every whole and true reply."""
        for record in self.records:
            if record.delivered is None or (night is not None and record.night != night):
                continue
            azure_id = record.context.get("azureSubscriptionId", "").lower()
            region = record.context.get("armRegionName", "").lower()
            for product_id, sku_id in record.delivered:
                yield Delivered(
                    record.night,
                    record.partner,
                    record.customer,
                    record.country,
                    azure_id,
                    region,
                    product_id,
                    sku_id,
                )
