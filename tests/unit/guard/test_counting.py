"""The guard's SQL counts right: tests of a few rows for each part of a key and each tie (P6)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from auditor.store.duck import working
from auditor.store.sql import statement

AT = datetime(2026, 11, 21, 2, tzinfo=UTC)
BEGAN = "20261121T020000Z-000000"
TICK = timedelta(microseconds=1)

Row = dict[str, Any]  # a row of any table
INVENTORY: Row = {
    "partner_tenant_id": "p",
    "customer_id": "c",
    "country": "DE",
    "azure_subscription_id": "a",
    "arm_region": "westeurope",
    "reservation_scope": "AzurePlan",
    "product_id": "DZH1",
    "sku_id": "0001",
}
AVAILABILITY: Row = {
    "partner_tenant_id": "p",
    "customer_id": "c",
    "country": "DE",
    "product_id": "CFQ7",
    "sku_id": "0001",
    "segment": "Commercial",
    "reservation_scope": "",
    "term_duration": "P1Y",
    "billing_cycle": "Monthly",
    "ordinal": 0,
}
KEYS = {"inventory": INVENTORY, "availability": AVAILABILITY}
OF_CHECK = ("customer_id", "country", "product_id", "sku_id", "reservation_scope")
PARTS = [(name, part) for name, key in KEYS.items() for part in key if part != "partner_tenant_id"]
VERDICT = {"inventory": "restricted", "availability": "purchasable"}
OTHER = {"inventory": "unrestricted", "availability": "not_purchasable"}


@pytest.fixture
def con(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with working(spill=tmp_path) as opened:
        yield opened


def another(key: Row, part: str) -> Row:
    """Return a key that differs in one part."""
    return {**key, part: 1 if part == "ordinal" else "other"}


def known(name: str, key: Row, **more: object) -> Row:
    waits = {"pending_verdict": "", "pending_snapshot_id": ""}
    codes = {"pending_reason_codes": "", "pending_restriction_values": ""}
    return {**key, "verdict": VERDICT[name], "checked_at": AT, **waits, **codes, **more}


def answer(name: str, key: Row, **more: object) -> Row:
    codes = {"reason_codes": "", "restriction_values": ""}
    return {**key, "verdict": OTHER[name], "checked_at": AT, **codes, **more}


def settled(key: Row, **more: object) -> Row:
    row = {part: key[part] for part in OF_CHECK}
    return {**row, "check_id": f"check of {row}", "segment": "*", "checked_at": AT, **more}


def made(con: duckdb.DuckDBPyConnection, **tables: list[Row]) -> None:
    """Create tables of rows; an empty table has the columns of a known key."""
    for name, rows in tables.items():
        about = name.rpartition("_")[2]
        kind = about if about in KEYS else "availability"
        of = answer if name.startswith(("answer", "settled")) else known
        like = rows or [{**settled(AVAILABILITY), **of(kind, KEYS[kind]), "is_same": True}]
        con.register(name, pa.Table.from_pylist(like).slice(0, len(rows)))


def flipped(con: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    con.execute(statement(f"guard/01_flipped_{name}"))
    rows: list[Row] = con.sql(f"FROM flipped_{name} ORDER BY ALL").to_arrow_table().to_pylist()
    return rows


def keys_of(rows: list[Row], key: Row) -> list[Row]:
    return [{part: row[part] for part in key} for row in rows]


def result(con: duckdb.DuckDBPyConnection, name: str) -> list[Row]:
    rows: list[Row] = con.sql(statement(f"guard/{name}")).to_arrow_table().to_pylist()
    return rows


# The flips that are counted -----------------------------------------------------------------


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_an_answer_belongs_to_the_key_that_is_equal_in_every_part(
    con: duckdb.DuckDBPyConnection, name: str, part: str
) -> None:
    key = KEYS[name]
    moved = another(key, part)
    made(
        con,
        **{
            f"known_{name}": [known(name, key), known(name, moved)],
            f"answer_{name}": [answer(name, key), answer(name, moved, verdict=VERDICT[name])],
            "settled_availability": [settled(one) for one in (key, moved)][
                : 1 + (part in OF_CHECK)
            ],
        },
    )
    rows = flipped(con, name)
    assert keys_of(rows, key) == [key]
    assert rows[0]["verdict"] == OTHER[name]


@pytest.mark.parametrize("part", [*OF_CHECK, "segment"])
def test_a_term_without_an_answered_check_is_not_missing(
    con: duckdb.DuckDBPyConnection, part: str
) -> None:
    """Only the check of the other term was answered, and its answer has no terms."""
    moved = another(AVAILABILITY, part)
    segment = "commercial" if part == "segment" else "*"
    made(
        con,
        known_availability=[known("availability", one) for one in (AVAILABILITY, moved)],
        answer_availability=[],
        settled_availability=[settled(AVAILABILITY, segment=segment)],
    )
    [row] = flipped(con, "availability")
    assert keys_of([row], AVAILABILITY) == [AVAILABILITY]
    assert row["verdict"] == "not_in_catalog"


@pytest.mark.parametrize("part", ["segment", "term_duration", "billing_cycle"])
@pytest.mark.parametrize("convert", [str.lower, str.upper])
def test_a_term_is_the_same_in_another_letter_case(
    con: duckdb.DuckDBPyConnection,
    part: str,
    convert: Any,  # a method of str
) -> None:
    other = {**AVAILABILITY, part: convert(AVAILABILITY[part])}
    found = answer("availability", other, verdict="purchasable")
    made(
        con,
        known_availability=[known("availability", AVAILABILITY)],
        answer_availability=[found],
        settled_availability=[settled(AVAILABILITY, segment="commercial")],
    )
    assert flipped(con, "availability") == []
    counted = {**known("availability", AVAILABILITY), "check_id": settled(AVAILABILITY)["check_id"]}
    made(con, recheck_availability=[counted])
    assert [row["is_same"] for row in result(con, "04_second_answer_availability")] == [True]


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize(
    ("known_at", "count"),
    [
        ((AT, ""), 1),
        ((AT - TICK, ""), 1),
        ((AT + TICK, ""), 0),
        ((AT - TICK, BEGAN), 1),
        ((AT - TICK, "20261121T020001Z-000000"), 0),
        ((AT + TICK, "20261121T015959Z-000000"), 0),
    ],
)
def test_an_answer_counts_unless_it_is_older_than_the_known_or_pending_one(
    con: duckdb.DuckDBPyConnection,
    name: str,
    known_at: tuple[datetime, str],
    count: int,
    is_named: bool,
) -> None:
    """P9: of two answers of the same microsecond, that of the last publisher counts."""
    key = KEYS[name]
    checked_at, waits = known_at
    named = [answer(name, key)] if is_named or name == "inventory" else []
    made(
        con,
        **{
            f"known_{name}": [known(name, key, checked_at=checked_at, pending_snapshot_id=waits)],
            f"answer_{name}": named,
            "settled_availability": [settled(AVAILABILITY)],
        },
    )
    assert len(flipped(con, name)) == count


@pytest.mark.parametrize("name", KEYS)
def test_a_pending_verdict_is_not_counted_again(con: duckdb.DuckDBPyConnection, name: str) -> None:
    key = KEYS[name]
    for waits, count in ((OTHER[name], 0), ("not_in_catalog", 1)):
        made(
            con,
            **{
                f"known_{name}": [known(name, key, pending_verdict=waits)],
                f"answer_{name}": [answer(name, key)],
                "settled_availability": [settled(AVAILABILITY)],
            },
        )
        assert len(flipped(con, name)) == count


# The groups with too many flips -------------------------------------------------------------


@pytest.mark.parametrize("part", ["subject", "customer_id", "country"])
def test_flips_are_counted_by_subject_customer_and_country(
    con: duckdb.DuckDBPyConnection, part: str
) -> None:
    """In one group 21 of 21 keys flip; in another 20 of 20, or 21 of 105."""

    def many(name: str, count: int) -> list[Row]:
        return [{**KEYS[name], "sku_id": f"{n:04}", "ordinal": n} for n in range(count)]

    def moved(rows: list[Row]) -> list[Row]:
        return [{**row, part: "other"} for row in rows]

    for count, of in ((20, 20), (21, 105)):
        rows = {"inventory": many("inventory", 21), "availability": []}
        keys = {"inventory": many("inventory", 21), "availability": []}
        other = "availability" if part == "subject" else "inventory"
        rows[other] = rows[other] + (
            many(other, count) if part == "subject" else moved(many(other, count))
        )
        keys[other] = keys[other] + (
            many(other, of) if part == "subject" else moved(many(other, of))
        )
        made(con, **{f"flipped_{name}": found for name, found in rows.items()})
        made(con, **{f"known_{name}": found for name, found in keys.items()})
        con.execute(statement("guard/02_doubted"))
        assert con.sql("FROM doubted").fetchall() == [("inventory", "c", "DE", 21, 21)]


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("part", ["subject", "customer_id", "country"])
def test_only_keys_of_the_doubted_group_are_asked_again(
    con: duckdb.DuckDBPyConnection, name: str, part: str
) -> None:
    key = KEYS[name]
    check = {**settled(key), "kind": "inventory", "outcome": "answered"}
    check |= {p: INVENTORY[p] for p in ("azure_subscription_id", "arm_region")}
    made(con, settled_check=[check], **{f"flipped_{name}": [{**key, "check_id": "x"}]})
    place = {"subject": name, "customer_id": "c", "country": "DE"}
    for doubted, count in ((place, 1), ({**place, part: "other"}, 0)):
        made(con, doubted=[doubted])
        assert len(result(con, f"03_recheck_{name}")) == count


@pytest.mark.parametrize("part", [*(p for n, p in PARTS if n == "inventory"), "kind", "outcome"])
def test_a_key_is_asked_again_by_the_checks_that_asked_about_it(
    con: duckdb.DuckDBPyConnection, part: str
) -> None:
    check = {**INVENTORY, "check_id": "x", "kind": "inventory", "outcome": "answered"}
    whole = {**check, "check_id": "whole", "sku_id": ""}
    made(
        con,
        doubted=[{"subject": "inventory", "customer_id": "c", "country": "DE"}],
        flipped_inventory=[{**INVENTORY, "verdict": "unrestricted"}],
        settled_check=[check, {**another(check, part), "check_id": "y"}, whole],
    )
    assert {row["check_id"] for row in result(con, "03_recheck_inventory")} == {"x", "whole"}


# The second answers -------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "part"), PARTS)
def test_a_second_answer_belongs_to_the_key_that_is_equal_in_every_part(
    con: duckdb.DuckDBPyConnection, name: str, part: str
) -> None:
    key = KEYS[name]
    both = (key, another(key, part))
    counted = [{**answer(name, one), "check_id": str(one)} for one in both]
    seconds = [answer(name, both[0]), answer(name, both[1], verdict=VERDICT[name])]
    asked = [settled(one, check_id=str(one)) for one in both]
    made(
        con,
        **{f"recheck_{name}": counted, f"answer_{name}": seconds, "settled_availability": asked},
    )
    rows = result(con, f"04_second_answer_{name}")
    assert [(row[part], row["is_same"]) for row in rows if row["is_same"]] == [(key[part], True)]
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("check_id", "segment", "is_same"),
    [("x", "*", True), ("y", "*", False), ("x", "nonprofit", False)],
)
def test_a_term_is_missing_twice_only_if_its_own_check_was_answered_twice(
    con: duckdb.DuckDBPyConnection, check_id: str, segment: str, is_same: bool
) -> None:
    gone = {**known("availability", AVAILABILITY), "verdict": "not_in_catalog", "check_id": "x"}
    made(
        con,
        recheck_availability=[gone],
        answer_availability=[],
        settled_availability=[settled(AVAILABILITY, check_id=check_id, segment=segment)],
    )
    assert [row["is_same"] for row in result(con, "04_second_answer_availability")] == [is_same]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        *(("inventory", part) for n, part in PARTS if n == "inventory"),
        *(("restriction", part) for n, part in PARTS if n == "inventory"),
        *(("availability", part) for part in OF_CHECK),
    ],
)
def test_first_answers_are_dropped_by_key_and_terms_by_check(
    con: duckdb.DuckDBPyConnection, name: str, part: str
) -> None:
    about = "availability" if name == "availability" else "inventory"
    key = KEYS[about]
    both = [key, another(key, part)]
    twice = [{**one, "is_same": one is not key} for one in both]
    made(con, **{f"answer_{name}": both, f"second_answer_{about}": twice})
    assert keys_of(result(con, f"05_kept_{name}"), key) == both[1:]
    made(con, **{f"second_answer_{about}": twice[:1]})
    assert keys_of(result(con, f"05_kept_{name}"), key) == both[1:]
