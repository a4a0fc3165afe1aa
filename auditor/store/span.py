"""Which customers of a bucket are in memory at a time: all of them, or some that are neighbours."""

from typing import NamedTuple


class Span(NamedTuple):
    """Customers by their ids, in order; `""`, the catalog, comes after all of them."""

    first: str = ""
    end: str = ""
    """The first one behind it; `""` where it ends with the catalog."""

    def holds(self, customer_id: str) -> bool:
        """Say whether a customer is among them."""
        if not customer_id:
            return not self.end
        return self.first <= customer_id and (not self.end or customer_id < self.end)

    def meets(self, least: str, most: str) -> bool:
        """Say whether one of them may be in a sorted table that begins and ends with these."""
        if not self.end and not least:
            return True
        return self.first <= most and (not self.end or least < self.end)


EVERYONE = Span()


class Chunk(NamedTuple):
    """Neighbours in one bucket."""

    bucket: int
    span: Span = EVERYONE
