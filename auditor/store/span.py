"""Divides the customers of a bucket into chunks, if they are too many for memory.

A bucket is a fixed share of the customers, by hash; a store has one file or set of rows for it. A
chunk is a part of a bucket: customers with neighbouring ids, staged, compared and written together.
A span is the range of ids of a chunk. A `diff.parts.Part` is the customers of some chunks that are
compared together.
"""

from typing import NamedTuple


class Span(NamedTuple):
    """A range of customer ids; `""`, the catalog, sorts after all customers."""

    first: str = ""
    end: str = ""
    """The first id after the range; `""` if the range includes the catalog."""

    def holds(self, customer_id: str) -> bool:
        """Return whether a customer is in the range."""
        if not customer_id:
            return not self.end
        return self.first <= customer_id and (not self.end or customer_id < self.end)

    def meets(self, least: str, most: str) -> bool:
        """Return True if a table may have rows in the range: `least` and `most` are its end ids."""
        if not self.end and not least:
            return True
        return self.first <= most and (not self.end or least < self.end)


EVERYONE = Span()


class Chunk(NamedTuple):
    """The customers of one bucket whose ids are in one span."""

    bucket: int
    span: Span = EVERYONE
