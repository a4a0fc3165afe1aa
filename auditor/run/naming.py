"""Which customers `--customer` names, decided over all partners of a run before any is audited.

A name that fits no customer, or two, is refused before anything is checked or published. A partner
that has none of the named customers is left out of the run; this is no failure.
"""

import asyncio
from collections.abc import Iterable

from auditor import customer_names
from auditor.errors import UsageError
from auditor.scope.customer_list import CustomerMatches


class NothingNamed(Exception):
    """None of the named customers belongs to this partner: the run leaves the partner out."""


class Naming:
    """Collects the customers that each partner finds; every partner waits for all others."""

    def __init__(self, names: Iterable[str], partners: Iterable[str]) -> None:
        """`partners` are the tenant ids of all partners of the run."""
        self._names = tuple(names)
        self._missing = set(partners)
        self._found: list[CustomerMatches] = []
        self._is_certain = True
        """False once a partner drops out: it may have a customer that no other partner has."""
        self._all_in = asyncio.Event()

    async def agree(self, partner: str, found: CustomerMatches) -> tuple[str, ...]:
        """Record what a partner found, wait for the others, and return this partner's customers.

        Raises:
            UsageError: a name fits two customers, or none.
            NothingNamed: all named customers are those of other partners.
        """
        self._found.append(found)
        self._in(partner)
        await self._all_in.wait()
        if error := self._error():
            raise error
        if not found.ids:
            raise NothingNamed
        return found.customers

    def out(self, partner: str) -> None:
        """Go on without a partner that failed, or that has published before.

        Does nothing if the partner has called `agree`.
        """
        if partner in self._missing:
            self._is_certain = False
            self._in(partner)

    def _in(self, partner: str) -> None:
        self._missing.discard(partner)
        if not self._missing:
            self._all_in.set()

    def _error(self) -> UsageError | None:
        unknown: list[str] = []
        for name in self._names:
            ids = {one for found in self._found for one in found.ids.get(name, ())}
            if len(ids) > 1:
                return customer_names.ambiguous(name, ids)
            if not ids:
                unknown.append(name)
        if unknown and self._is_certain:
            return customer_names.unknown(unknown, (one for f in self._found for one in f.seen))
        return None
