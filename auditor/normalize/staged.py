"""Writes the answers of a run to Arrow files, chunk by chunk: memory holds only one chunk."""

import shutil
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import pyarrow as pa

from auditor import atomic_file
from auditor.model import Check, Outcome, Settled, bucket_of
from auditor.normalize.answers import Answers
from auditor.plan.plan import Plan
from auditor.scope.found import Found
from auditor.store.span import Chunk, Span
from auditor.tables import AVAILABILITY_KEY, INVENTORY_KEY, SCHEMAS

CHUNK = 40_000
"""About how many keys one chunk has, and memory holds at once: see docs/decisions/0025."""
AT_ONCE = 50_000
"""About how many keys are examined by the guard, or compared by the comparison, at once."""
ANSWERS = tuple(Answers.SCHEMAS)
SUSPECTS = {
    "inventory": pa.schema([SCHEMAS["inventory"].field(name) for name in INVENTORY_KEY]),
    "availability": pa.schema([SCHEMAS["availability"].field(name) for name in AVAILABILITY_KEY]),
}
"""The key columns of suspect answers (see `auditor.guard`), by relation."""
WRITTEN_AT_ONCE = 1 << 18
"""Size of the write buffer in bytes. Without it, Arrow would write a few bytes at a time."""

Body = Callable[[bytes], bytes]
"""Returns the reply to a settled question, given its key."""


_One = TypeVar("_One", bound=Hashable)


class StagedBucket(msgspec.Struct, frozen=True, kw_only=True):
    """The answers of one bucket, for another process; the answers are in the files of `files`."""

    bucket: int
    firsts: tuple[str, ...]
    """The first customer of each chunk."""
    keys: dict[bytes, int]
    """The number of keys that each reply answers."""


def together(ones: Iterable[_One], size: Mapping[_One, int], at_once: int) -> Iterator[list[_One]]:
    """Yield groups of a total size up to `at_once`. An item larger than that is a group (0004)."""
    group: list[_One] = []
    held = 0
    for one in ones:
        if group and held + size[one] > at_once:
            yield group
            group, held = [], 0
        group.append(one)
        held += size[one]
    if group:
        yield group


class Staged:
    """The answers of a run, in files. The folder exists only inside the `with` block."""

    def __init__(self, folder: Path, found: Found, plan: Plan, *, buckets: int) -> None:
        self.folder = folder
        self.spill = folder / "spill"
        self.keys: Counter[bytes] = Counter()
        """The number of keys that each reply answers."""
        self.at_once = CHUNK
        self._firsts: dict[int, list[str]] = {bucket: [""] for bucket in range(buckets)}
        """The first customer of each chunk, by bucket."""
        self._buckets = buckets
        self._plan = plan
        self._regions = {
            (c.country, c.reservation_scope, *sku.name): sku.region
            for c in found.catalogs
            for sku in c.skus
        }

    def __enter__(self) -> Self:
        shutil.rmtree(self.folder, ignore_errors=True)  # a killed run left it
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def chunk_of(self, customer_id: str) -> Chunk:
        """Return the chunk of a customer, whether it has answers or not; `""` is the catalog."""
        bucket = bucket_of(customer_id, self._buckets)
        firsts = self._firsts[bucket]
        after = bisect_right(firsts, customer_id) if customer_id else len(firsts)
        return Chunk(bucket, Span(firsts[after - 1], (*firsts, "")[after]))

    def by_chunk(self, settled: Iterable[Settled]) -> dict[Chunk, list[Settled]]:
        """Return the settled questions, split by chunk."""
        found: dict[Chunk, list[Settled]] = defaultdict(list)
        for customer_id, of_customer in _by_customer(settled).items():
            found[self.chunk_of(customer_id)] += of_customer
        return found

    def stage(self, settled: Iterable[Settled], body: Body) -> None:
        """Write the answers of all customers, and split their buckets into chunks by size."""
        of_customer = _by_customer(settled)
        in_bucket = defaultdict(list)
        for customer_id in sorted(of_customer):
            in_bucket[bucket_of(customer_id, self._buckets)].append(customer_id)
        for bucket, customers in in_bucket.items():
            answers = self._answers()
            for customer_id in customers:
                if answers.keys >= self.at_once:
                    self.write(self._last(bucket), _tables(answers))
                    answers = self._answers()
                    self._firsts[bucket].append(customer_id)
                self._take_in(answers, of_customer[customer_id], body)
            self.write(self._last(bucket), _tables(answers))

    def rows(self, settled: Iterable[Settled], body: Body) -> dict[str, pa.Table]:
        """Return the rows from the replies to some answered questions."""
        answers = self._answers()
        self._take_in(answers, settled, body)
        return _tables(answers)

    def _answers(self) -> Answers:
        return Answers(self._plan.skus_of, self._region_of, self._plan.rules.segments)

    def _take_in(self, answers: Answers, settled: Iterable[Settled], body: Body) -> None:
        for each in sorted(settled, key=lambda s: s.key):
            if each.outcome is Outcome.ANSWERED:
                before = answers.keys
                answers.add(each, body(each.key))
                self.keys[each.key] += answers.keys - before

    def size(self, settled: Settled) -> int:
        """Return how many keys a question adds to the comparison."""
        return max(len(settled.question.checks), self.keys[settled.key])

    def _last(self, bucket: int) -> Chunk:
        return Chunk(bucket, Span(self._firsts[bucket][-1]))

    def write(self, chunk: Chunk, tables: Mapping[str, pa.Table]) -> None:
        """Write tables of a chunk; each replaces the table of that name."""
        for name, table in tables.items():
            path = self._path(name, chunk)
            # The old file may be mapped, so it is replaced, not overwritten. A temporary file left
            # here is removed with the folder.
            new = atomic_file.temporary_name(path)
            with (
                pa.output_stream(str(new), buffer_size=WRITTEN_AT_ONCE) as file,
                pa.ipc.new_file(file, table.schema) as writer,
            ):
                writer.write_table(table)
            new.replace(path)

    def answers(self, chunk: Chunk) -> dict[str, pa.Table]:
        """Return the answers of a chunk, by relation."""
        return {name: self._read(name, chunk, Answers.SCHEMAS[name]) for name in ANSWERS}

    def hand_over(self, bucket: int) -> tuple[StagedBucket, list[Path]]:
        """Describe the one bucket that is staged here, and return its files: see `take_over`."""
        files = sorted(self.folder.glob(f"*-{bucket:02}-*.arrow"))
        firsts = tuple(self._firsts[bucket])
        return StagedBucket(bucket=bucket, firsts=firsts, keys=dict(self.keys)), files

    def take_over(self, staged: StagedBucket) -> None:
        """Take over a bucket that another process has staged; its files are in `folder` now."""
        self._firsts[staged.bucket] = list(staged.firsts)
        self.keys.update(staged.keys)

    def inventory_keys(self) -> int:
        """Return the number of inventory keys with an answer."""
        schema = Answers.SCHEMAS["inventory"]
        chunks = (
            Chunk(bucket, Span(first)) for bucket in self._firsts for first in self._firsts[bucket]
        )
        return sum(self._read("inventory", chunk, schema).num_rows for chunk in chunks)

    def suspects(self, chunk: Chunk) -> dict[str, pa.Table]:
        """Return the keys of a chunk whose answers are suspect, by relation."""
        return {
            name: self._read(f"suspect_{name}", chunk, schema) for name, schema in SUSPECTS.items()
        }

    def _read(self, name: str, chunk: Chunk, schema: pa.Schema) -> pa.Table:
        path = self._path(name, chunk)
        if path.exists():
            return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return schema.empty_table()

    def _path(self, name: str, chunk: Chunk) -> Path:
        number = self._firsts[chunk.bucket].index(chunk.span.first)
        return self.folder / f"{name}-{chunk.bucket:02}-{number}.arrow"

    def _region_of(self, check: Check, sku_id: str) -> str:
        if check.arm_region:
            return check.arm_region
        key = (check.country, check.reservation_scope, check.product_id, sku_id)
        return self._regions.get(key, "")


def _by_customer(settled: Iterable[Settled]) -> dict[str, list[Settled]]:
    found: dict[str, list[Settled]] = defaultdict(list)
    for each in settled:
        found[each.question.checks[0].customer_id].append(each)
    return found


def _tables(answers: Answers) -> dict[str, pa.Table]:
    return {name: getattr(answers, name).table().unify_dictionaries() for name in ANSWERS}
