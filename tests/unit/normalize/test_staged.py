"""The answers of a run are kept on disk by bucket until they are published."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from auditor.model import Check, CheckKind, Outcome, Question, Settled, bucket_of
from auditor.normalize.staged import SUSPECTS, Staged, together
from auditor.plan.plan import Plan
from auditor.scope.found import Found
from auditor.scope.known import Known
from auditor.store.span import EVERYONE, Chunk
from tests.builders import scope as bench
from tests.unit.fetch.test_fetch import AT

FOUND = Found(
    known=Known(partner_tenant_id=bench.P),
    customers=(),
    catalogs=(bench.catalog(bench.sku(region="westeurope")),),
    covers_catalog=True,
    covers_all_countries=True,
    started_at=AT,
)
CHECK = Check(
    kind=CheckKind.INVENTORY,
    partner_tenant_id=bench.P,
    customer_id=bench.ACME,
    country="DE",
    reservation_scope="AzurePlan",
    product_id="DZH1",
    sku_id="0001",
)


def staged(folder: Path) -> Staged:
    return Staged(folder / "staged", FOUND, Plan(bench.rules(), [], customers=[]), buckets=2)


def test_a_resumed_run_does_not_reuse_the_suspects_of_the_killed_one(tmp_path: Path) -> None:
    """P11: the known rows may have changed since, so that nothing is doubted any more."""
    schema = SUSPECTS["inventory"]
    held = pa.Table.from_pylist([dict.fromkeys(schema.names, "x")], schema=schema)
    killed = staged(tmp_path).__enter__()
    killed.write(Chunk(1), {"suspect_inventory": held})
    assert killed.suspects(Chunk(1))["inventory"].num_rows == 1

    with staged(tmp_path) as resumed:
        assert resumed.suspects(Chunk(1))["inventory"].num_rows == 0


@pytest.mark.parametrize(
    ("at_once", "groups"),
    [
        (1, [[4], [0], [2], [9]]),
        (4, [[4], [0, 2, 9]]),
        (5, [[4, 0], [2, 9]]),
        (10, [[4, 0, 2, 9]]),
    ],
)
def test_small_buckets_are_grouped_in_their_order(at_once: int, groups: list[list[int]]) -> None:
    """A bucket that is too large alone is a group of its own."""
    size = {0: 2, 2: 2, 4: 3, 9: 0}
    assert [*together([4, 0, 2, 9], size, at_once)] == groups
    assert [*together([], size, at_once)] == []


def test_closing_leaves_no_file(tmp_path: Path) -> None:
    with staged(tmp_path) as answers:
        answers.stage([], lambda _: b"")
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(("sent", "region"), [("westus", "westus"), ("", "westeurope")])
def test_an_answer_has_the_sent_region_or_else_that_of_the_catalog(
    tmp_path: Path, sent: str, region: str
) -> None:
    check = msgspec.structs.replace(CHECK, arm_region=sent)
    answered = Settled(
        question=Question(checks=(check,)), outcome=Outcome.ANSWERED, key=b"k", sent_at=AT
    )
    with staged(tmp_path) as answers:
        answers.stage([answered], lambda _: b"[]")
        tables = [answers.answers(Chunk(bucket))["inventory"] for bucket in range(2)]
        assert answers.inventory_keys() == 1
    assert pa.concat_tables(tables).column("region").to_pylist() == [region]


def test_a_bucket_is_read_one_chunk_of_customers_at_a_time(tmp_path: Path) -> None:
    """P25: each answer is in the chunk of its customer, and no chunk is larger than `at_once`."""
    names = [f"{n:02}" for n in range(20)]
    settled = [
        Settled(
            question=Question(checks=(msgspec.structs.replace(CHECK, customer_id=name),)),
            outcome=Outcome.ANSWERED,
            key=name.encode(),
            sent_at=AT,
        )
        for name in names
    ]
    with staged(tmp_path) as answers:
        assert answers.chunk_of("00") == Chunk(bucket_of("00", 2), EVERYONE)
        answers.at_once = 3
        answers.stage(settled, lambda _: b"[]")
        by_chunk = answers.by_chunk(settled)
        for chunk, of_chunk in by_chunk.items():
            customers = [each.key.decode() for each in of_chunk]
            assert all(map(chunk.span.holds, customers))
            found = answers.answers(chunk)["inventory"].column("customer_id").to_pylist()
            assert sorted(found) == sorted(customers)
            assert len(found) <= 3
        assert sum(map(len, by_chunk.values())) == len(names)
        assert answers.inventory_keys() == len(names)
        last = max(chunk for chunk in by_chunk if chunk.bucket == bucket_of("", 2))
        assert answers.chunk_of("") == last
