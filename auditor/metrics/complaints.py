"""What a library says while it sends: kept for one warning, in place of lines on stderr."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

_URL = re.compile(r"https?://\S+|(?<=url: )\S+")
"""A URL, or the path of one: either may hold a key."""
_LONGEST = 200


class Complaints(logging.Handler):
    """Keeps the first warning or error of a library."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record. Its URLs, and what may follow in later lines, are left out."""
        self.first = self.first or reason(record.getMessage())


def reason(message: str) -> str:
    """Return the first line of a message, without URLs."""
    first = next(iter(message.splitlines()), "")
    return _URL.sub("…", first)[:_LONGEST]


@contextmanager
def complaints_of(library: str) -> Iterator[Complaints]:
    """Keep what a library logs in the block, and write none of it."""
    found = Complaints()
    logger = logging.getLogger(library)
    was_passed_on = logger.propagate
    logger.propagate = False
    logger.addHandler(found)
    try:
        yield found
    finally:
        logger.removeHandler(found)
        logger.propagate = was_passed_on
