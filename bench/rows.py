"""Measures comparing and publishing a second night of very many keys, in a folder store.

Made-up answers of a partner with 3 Azure subscriptions a customer and 40 products of 300 SKUs, of
which 0.1 % changed overnight, are published by a process of its own: no requests, no replies.

    python bench/rows.py                       # 1 and 3 million keys
    nice python bench/rows.py 10 100           # millions; 100 need 20 GB of disk, and an hour
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

sys.path[:0] = [str(Path(__file__).parents[1])]
from auditor.model import Outcome, Question, RememberedListing, Settled, bucket_of
from auditor.normalize.answers import Answers
from auditor.normalize.staged import CHUNK, Staged, StagedBucket
from auditor.plan.plan import Plan
from auditor.publish.publish import Publisher
from auditor.publish.snapshot import Snapshot
from auditor.scope import recall
from auditor.scope.found import Found
from auditor.store.folder.store import BUCKETS, FolderStore
from tests.builders import scope
from tests.builders.scope import P

REGIONS = 12
RESTRICTED = 0.1
CHANGED = 0.001
FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)
MIB = 2**20


class Shape(NamedTuple):
    """What each customer is asked about."""

    subscriptions: int
    products: int
    skus: int
    """SKUs of a product."""

    @property
    def keys_of_subscription(self) -> int:
        return self.products * self.skus

    @property
    def keys(self) -> int:
        return self.subscriptions * self.keys_of_subscription

    def subscriptions_of(self, customer: str) -> list[str]:
        """Return the ids of a customer's Azure subscriptions."""
        return [f"5ab{number:02}{customer[5:]}" for number in range(self.subscriptions)]


class Took(NamedTuple):
    """What publishing a night took."""

    rows: int
    changes: int
    wall_s: float
    cpu_s: float
    peak_bytes: int
    staged_bytes: int


class Night:
    """A partner's portfolio on one night, as discovery and the checks would find it."""

    def __init__(self, customers: int, number: int, shape: Shape) -> None:
        self.shape = shape
        self.number = number
        self.began = FIRST + timedelta(days=number)
        self.snapshot_id = f"{self.began:%Y%m%dT%H%M%SZ}-{number:06}"
        names = (f"{n * 2654435761 % 2**32:08x}-0000-4000-8000-{n:012}" for n in range(customers))
        self.customers = sorted(names)
        self.skus = [
            scope.sku(f"{n:04}", f"DZH318Z0{p:04}", region=f"region{n % REGIONS}")
            for p in range(shape.products)
            for n in range(shape.skus)
        ]

    def found(self, store: FolderStore) -> Found:
        """Return what discovery found."""
        return Found(
            known=recall.recall(store, P, recall.published(store, P)),
            customers=tuple(
                scope.found(
                    *(
                        scope.azure(name, customer_id=customer)
                        for name in self.shape.subscriptions_of(customer)
                    ),
                    customer_id=customer,
                    listed=RememberedListing(),
                    is_country_read=True,
                )
                for customer in self.customers
            ),
            catalogs=(scope.catalog(*self.skus),),
            covers_catalog=True,
            covers_all_countries=True,
            started_at=self.began,
        )

    def settled(self, plan: Plan) -> Iterator[Settled]:
        """Yield the outcome of each planned call."""
        for question in plan.questions():
            assert isinstance(question, Question), question
            subscription = question.checks[0].azure_subscription_id
            yield Settled(
                question=question,
                outcome=Outcome.ANSWERED,
                key=subscription.encode(),
                endpoint="check_inventory",
                http_status=200,
                request_id=subscription,
                attempts=1,
                sent_at=self.began,
            )

    def snapshot(self) -> Snapshot:
        """Return the description of the night's snapshot."""
        return Snapshot(
            snapshot_id=self.snapshot_id,
            run_id=self.snapshot_id,
            partner_tenant_id=P,
            partner_name="contoso-eu",
            started_at=self.began,
            business_date=self.began.date(),
            kind="full",
            trigger="cron",
            scope={},
            cell_scope={},
            scope_hash="s",
            config_hash="c",
            calls=len(self.customers) * self.shape.subscriptions,
            retries=0,
            throttled=0,
            max_failed_share=1.0,
        )

    def stage(self, staged: Staged, buckets: int) -> list[StagedBucket]:
        """Write the answers in chunks, as `Staged.stage` does with replies."""
        of_bucket: dict[int, list[str]] = {}
        for customer in self.customers:
            of_bucket.setdefault(bucket_of(customer, buckets), []).append(customer)
        in_chunk = -(-CHUNK // self.shape.keys)
        described = []
        for bucket, customers in of_bucket.items():
            chunks = [customers[n : n + in_chunk] for n in range(0, len(customers), in_chunk)]
            firsts = ("", *(chunk[0] for chunk in chunks[1:]))
            keys = {
                name.encode(): self.shape.keys_of_subscription
                for customer in customers
                for name in self.shape.subscriptions_of(customer)
            }
            described.append(StagedBucket(bucket=bucket, firsts=firsts, keys=keys))
            staged.take_over(described[-1])
            for chunk in chunks:
                staged.write(staged.chunk_of(chunk[0]), self.answers(chunk))
        return described

    def answers(self, customers: list[str]) -> dict[str, pa.Table]:
        """Return the rows of some customers' answers."""
        of_customer = [self._answers_of(customer) for customer in customers]
        return {
            name: pa.concat_tables([one[name] for one in of_customer]).unify_dictionaries()
            for name in Answers.SCHEMAS
        }

    def _answers_of(self, customer: str) -> dict[str, pa.Table]:
        count, names = self.shape.keys, self._names
        draw = np.random.default_rng(int(customer[-12:]))
        is_restricted = draw.random(count) < RESTRICTED
        if self.number > 1:
            is_restricted ^= draw.random(count) < CHANGED
        verdict = is_restricted.astype(np.int32)
        sku = np.arange(count) % self.shape.keys_of_subscription
        region = sku % self.shape.skus % REGIONS

        def constant(value: str) -> pa.Array:
            return _text([value], np.zeros(count, dtype=np.int64))

        rows = {
            "partner_tenant_id": constant(P),
            "customer_id": constant(customer),
            "country": constant("DE"),
            "azure_subscription_id": _text(
                self.shape.subscriptions_of(customer),
                np.arange(count) // self.shape.keys_of_subscription,
            ),
            "arm_region": constant(""),
            "reservation_scope": constant("AzurePlan"),
            "product_id": _text(names[0], sku // self.shape.skus),
            "sku_id": _text(names[1], sku % self.shape.skus),
            "verdict": _text(["unrestricted", "restricted"], verdict),
            "reason_codes": _text(["", "NotAvailableForSubscription"], verdict),
            "restriction_values": _text(["", "japanwest;westeurope"], verdict),
            "region": _text([f"region{n}" for n in range(REGIONS)], region),
            "checked_at": pa.repeat(pa.scalar(self.began, pa.timestamp("us", "UTC")), len(sku)),
            "ordinal": pa.repeat(pa.scalar(0, pa.int64()), len(sku)),
            "reason_code": constant("NotAvailableForSubscription"),
            "description": constant("This SKU isn't available for the subscription."),
            "type": constant("Location"),
            "value": constant("japanwest;westeurope"),
            "properties": constant("{}"),
        }
        whole = pa.table(rows)
        restricted = whole.filter(pa.array(is_restricted))
        schemas = Answers.SCHEMAS
        return {
            "inventory": whole.select(schemas["inventory"].names).cast(schemas["inventory"]),
            "restriction": restricted.select(schemas["restriction"].names).cast(
                schemas["restriction"]
            ),
            "availability": schemas["availability"].empty_table(),
        }

    @cached_property
    def _names(self) -> tuple[list[str], list[str]]:
        return (
            list(dict.fromkeys(sku.product_id for sku in self.skus)),
            [sku.sku_id for sku in self.skus[: self.shape.skus]],
        )


def _text(values: list[str], codes: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(np.int32)), pa.array(values))


def publish(folder: Path, customers: int, number: int, shape: Shape) -> Took:
    """Publish a staged night; called in a process of its own."""
    aside = folder / f"night-{number}"
    store = FolderStore.open(str(folder / "lake"))
    night = Night(customers, number, shape)
    found = night.found(store)
    plan = Plan(scope.rules(), found.catalogs, customers=found.customers)
    at_start = {cell: one.snapshot_id for cell, one in recall.published(store, P).items()}
    with Staged(folder / "staged", found, plan, buckets=store.buckets) as staged:
        for file in aside.glob("*.arrow"):
            file.rename(staged.folder / file.name)
        for each in json.loads((aside / "buckets.json").read_text()):
            keys = {name.encode(): count for name, count in each["keys"].items()}
            staged.take_over(StagedBucket(bucket=each["bucket"], firsts=each["firsts"], keys=keys))
        settled = list(night.settled(plan))
        publisher = Publisher(
            store, found, plan, staged, at_start=at_start, now=lambda: night.began
        )
        staged_bytes = sum(file.stat().st_size for file in staged.folder.glob("*.arrow"))
        began, used = time.perf_counter(), time.process_time()
        published = publisher.publish(night.snapshot(), settled)
        wall_s, cpu_s = time.perf_counter() - began, time.process_time() - used
    rows, changes = published.rows["inventory"], sum(published.changes.values())
    return Took(rows, changes, wall_s, cpu_s, peak_bytes(), staged_bytes)


def peak_bytes() -> int:
    """Return the most memory that this process has had."""
    status = Path("/proc/self/status").read_text().splitlines()
    [peak] = [int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM")]
    return peak


def measured(folder: Path, customers: int, number: int, shape: Shape, buckets: int) -> Took:
    """Make the answers of a night, and let another process publish them."""
    store = FolderStore.open(str(folder / "lake"), create=True, buckets=buckets)
    night = Night(customers, number, shape)
    aside = folder / f"night-{number}"
    found = night.found(store)
    plan = Plan(scope.rules(), found.catalogs, customers=found.customers)
    with Staged(folder / "made", found, plan, buckets=store.buckets) as staged:
        described = night.stage(staged, store.buckets)
        staged.folder.rename(aside)
    (aside / "buckets.json").write_text(
        json.dumps(
            [
                {
                    "bucket": one.bucket,
                    "firsts": one.firsts,
                    "keys": {name.decode(): count for name, count in one.keys.items()},
                }
                for one in described
            ]
        )
    )
    given = map(str, (folder, customers, number, *shape))
    argv = [sys.executable, __file__, "--publish", *given]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE)  # noqa: S603 - ours
    return Took(*json.loads(done.stdout))


def stored(folder: Path) -> int:
    """Return the bytes of the newest snapshot."""
    newest = max((folder / "lake").glob("snapshot=*"))
    return sum(path.stat().st_size for path in newest.rglob("*") if path.is_file())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("millions", type=float, nargs="*", default=[1, 3])
    parser.add_argument("--buckets", type=int, default=BUCKETS, help="of the store")
    parser.add_argument("--folder", type=Path, help="where to put the stores")
    parser.add_argument("--subscriptions", type=int, default=3, help="of a customer")
    parser.add_argument("--products", type=int, default=40)
    parser.add_argument("--skus", type=int, default=300, help="of a product")
    given = parser.parse_args()
    shape = Shape(given.subscriptions, given.products, given.skus)
    print(
        "night        keys customers changes wall s  CPU s  us/key peak MiB  stored, staged B/key"
    )
    for millions in given.millions:
        customers = round(millions * 1e6 / shape.keys)
        with tempfile.TemporaryDirectory(dir=given.folder) as name:
            for number in (1, 2):
                took = measured(Path(name), customers, number, shape, given.buckets)
                print(
                    f"{number:5} {took.rows:11,} {customers:9,} {took.changes:7,}"
                    f" {took.wall_s:6.0f} {took.cpu_s:6.0f} {took.cpu_s / took.rows * 1e6:7.2f}"
                    f" {took.peak_bytes / MIB:8.0f} {stored(Path(name)) / took.rows:7.2f}"
                    f" {took.staged_bytes / took.rows:6.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--publish"]:
        customers, number, *shape = map(int, sys.argv[3:])
        print(json.dumps(publish(Path(sys.argv[2]), customers, number, Shape(*shape))))
    else:
        main()
