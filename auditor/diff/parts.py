"""Groups customers that are compared together: each SQL statement has a fixed cost (0004)."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.model import Settled, bucket_of
from auditor.normalize.staged import Staged, together
from auditor.store.compare import STATE
from auditor.store.interface import Store
from auditor.store.span import EVERYONE, Chunk


class Part(msgspec.Struct, frozen=True):
    """Customers that are compared at once. Customer `""` stands for the catalog."""

    chunks: Sequence[Chunk]
    """The chunks that hold the customers of the part."""
    known: Mapping[str, pa.Table]
    """The known rows of these chunks, by relation."""
    settled: Mapping[str, Sequence[Settled]]
    """How the checks of each customer ended."""
    is_whole: bool
    """True if the chunks hold only customers of this part."""

    @property
    def has_catalog(self) -> bool:
        return "" in self.settled

    def of(self, table: pa.Table) -> pa.Table:
        """Return the rows of the part's customers, from a table of the part's chunks.

        A table without the column `customer_id` belongs to the catalog.
        """
        if "customer_id" not in table.column_names:
            return table if self.has_catalog else table.slice(0, 0)
        return table if self.is_whole else self.among(table)

    def among(self, table: pa.Table) -> pa.Table:
        """Return the rows of the part's customers, from any table."""
        customers = table.column("customer_id").cast(pa.string())
        return table.filter(pc.is_in(customers, pa.array(self.settled, pa.string())))

    def staged(
        self, names: Iterable[str], read: Callable[[Chunk], Mapping[str, pa.Table]]
    ) -> dict[str, pa.Table]:
        """Return the staged rows of the part's customers, by relation."""
        of_chunks = [read(chunk) for chunk in self.chunks]
        return {n: self.of(pa.concat_tables([one[n] for one in of_chunks])) for n in names}


class Parts:
    """The covered customers of one snapshot, divided into groups of chunks, then into parts."""

    def __init__(
        self,
        store: Store,
        staged: Staged,
        covered: Iterable[str],
        settled: Iterable[Settled],
        *,
        partner_tenant_id: str,
        at_once: int,
    ) -> None:
        """Make groups of up to about `at_once` keys."""
        self._store = store
        self._staged = staged
        self._partner = partner_tenant_id
        self._at_once = at_once
        self._settled = staged.by_chunk(settled)
        self._covered: dict[Chunk, list[str]] = defaultdict(list)
        for customer_id in covered:
            self._covered[staged.chunk_of(customer_id)].append(customer_id)

    def groups(self) -> Iterator[list[Chunk]]:
        """Yield groups of chunks: small buckets together, each chunk of a large bucket by itself.

        The catalog's chunk comes last, because the catalog's changes count affected customers of
        all other chunks.
        """
        catalog = bucket_of("", self._store.buckets)
        in_order = sorted(self._covered, key=lambda chunk: (chunk.bucket == catalog, chunk))
        size = {chunk: self._size(self._settled.get(chunk, ())) for chunk in in_order}
        alone = {chunk: self._at_once + 1 for chunk in in_order if chunk.span != EVERYONE}
        yield from together(in_order, size | alone, self._at_once)

    def of(self, chunks: Sequence[Chunk]) -> Iterator[Part]:
        """Yield the parts of some chunks; the catalog comes last."""
        known = self._known(chunks)
        of_customer = defaultdict(list)
        for chunk in chunks:
            for each in self._settled.get(chunk, ()):
                of_customer[each.question.checks[0].customer_id].append(each)
        named = set(known["inventory"].column("customer_id").unique().to_pylist())
        named.update(name for chunk in chunks for name in self._covered[chunk])
        customers = sorted(named, key=lambda customer: (not customer, customer))
        size = {customer: self._size(of_customer[customer]) for customer in customers}
        for some in together(customers, size, self._at_once):
            is_whole = len(some) == len(customers)
            yield Part(chunks, known, {c: of_customer[c] for c in some}, is_whole)

    def _size(self, settled: Iterable[Settled]) -> int:
        return sum(map(self._staged.size, settled))

    def _known(self, chunks: Sequence[Chunk]) -> dict[str, pa.Table]:
        return {
            name: pa.concat_tables(
                [
                    self._store.known(name, bucket, self._partner, span=span)
                    for bucket, span in chunks
                ]
            )
            for name in STATE
        }
