"""The answers of a run as Arrow files, bucket by bucket: memory holds one bucket at a time."""

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import pyarrow as pa

from auditor.facts import Found
from auditor.model import Check, Outcome, Settled, bucket_of
from auditor.normalize import Answers
from auditor.plan import Plan
from auditor.tables import AVAILABILITY_KEY, INVENTORY_KEY, SCHEMAS

ANSWERS = tuple(Answers.SCHEMAS)
SUSPECTS = {
    "inventory": pa.schema([SCHEMAS["inventory"].field(name) for name in INVENTORY_KEY]),
    "availability": pa.schema([SCHEMAS["availability"].field(name) for name in AVAILABILITY_KEY]),
}
"""Keys whose answers are held back (see `auditor.guard`), by relation."""
_WRITTEN_AT_ONCE = 1 << 18
"""Bytes. Arrow writes each column of each batch in pieces of a few bytes."""

Body = Callable[[bytes], bytes]
"""Gives the reply to a settled question by its key."""


_One = TypeVar("_One", bound=Hashable)


def together(ones: Iterable[_One], size: Mapping[_One, int], at_once: int) -> Iterator[list[_One]]:
    """Yield them in groups of up to `at_once`, or alone; each statement has its price (0004)."""
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
    """What a run was answered. Its folder is there as long as this is entered."""

    def __init__(self, folder: Path, found: Found, plan: Plan, *, buckets: int) -> None:
        self.spill = folder / "spill"
        self.keys: Counter[bytes] = Counter()
        """How many keys each reply gave an answer to."""
        self._folder = folder
        self._buckets = buckets
        self._plan = plan
        self._regions = {
            (c.country, c.reservation_scope, *sku.name): sku.region
            for c in found.catalogs
            for sku in c.skus
        }

    def __enter__(self) -> Self:
        shutil.rmtree(self._folder, ignore_errors=True)  # what a run that was killed has left
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def by_bucket(self, settled: Iterable[Settled]) -> dict[int, list[Settled]]:
        """Return what became of the checks of each bucket."""
        found: dict[int, list[Settled]] = defaultdict(list)
        for each in settled:
            found[bucket_of(each.question.checks[0].customer_id, self._buckets)].append(each)
        return found

    def stage(self, settled: Iterable[Settled], body: Body) -> None:
        """Write the answers of all buckets."""
        for bucket, of_bucket in self.by_bucket(settled).items():
            self.write(bucket, self.rows(of_bucket, body))

    def rows(self, settled: Iterable[Settled], body: Body) -> dict[str, pa.Table]:
        """Return the rows that the replies to some answered questions make."""
        answers = Answers(self._plan.skus_of, self._region_of, self._plan.rules.segments)
        for each in sorted(settled, key=lambda s: s.key):
            if each.outcome is Outcome.ANSWERED:
                before = answers.keys
                answers.add(each, body(each.key))
                self.keys[each.key] += answers.keys - before
        return {name: getattr(answers, name).table().unify_dictionaries() for name in ANSWERS}

    def write(self, bucket: int, tables: Mapping[str, pa.Table]) -> None:
        """Keep tables of a bucket, instead of what is kept of them."""
        for name, table in tables.items():
            path = self._path(name, bucket)
            new = path.with_suffix(".new")  # the old one may be mapped into memory
            with (
                pa.output_stream(str(new), buffer_size=_WRITTEN_AT_ONCE) as file,
                pa.ipc.new_file(file, table.schema) as writer,
            ):
                writer.write_table(table)
            new.replace(path)

    def answers(self, bucket: int) -> dict[str, pa.Table]:
        """Return the answers of a bucket, by relation."""
        return {name: self._read(name, bucket, Answers.SCHEMAS[name]) for name in ANSWERS}

    def inventory_keys(self) -> int:
        """Return how many inventory keys have an answer."""
        schema = Answers.SCHEMAS["inventory"]
        rows = (self._read("inventory", b, schema).num_rows for b in range(self._buckets))
        return sum(rows)

    def suspects(self, bucket: int) -> dict[str, pa.Table]:
        """Return the keys of a bucket whose answers are held back, by relation."""
        return {
            name: self._read(f"suspect_{name}", bucket, schema) for name, schema in SUSPECTS.items()
        }

    def _read(self, name: str, bucket: int, schema: pa.Schema) -> pa.Table:
        path = self._path(name, bucket)
        if path.exists():
            return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return schema.empty_table()

    def _path(self, name: str, bucket: int) -> Path:
        return self._folder / f"{name}-{bucket:02}.arrow"

    def _region_of(self, check: Check, sku_id: str) -> str:
        if check.arm_region:
            return check.arm_region
        key = (check.country, check.reservation_scope, check.product_id, sku_id)
        return self._regions.get(key, "")
