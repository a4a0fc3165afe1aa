"""A key over time: intervals, gaps and missing answers, each with the ids that prove it."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from auditor.questions.skus import AskedSku
from auditor.questions.timeline import Timeline, timeline
from auditor.report import timeline as drawing
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import PRODUCT, asked, two_nights
from tests.builders.store_lake import ACME, BOND, at, client, cover, listed, make, publish, stock

FIRST, SECOND, THIRD = (f"2026110{n}T020000Z-00000{n}" for n in (1, 2, 3))
SKU = AskedSku(product_id=PRODUCT, sku_id="0011")


def rows(found: Timeline) -> list[dict[str, Any]]:
    return list(found.table.to_pylist())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return three_nights(tmp_path_factory.mktemp("timeline"))


def three_nights(folder: Path) -> FolderStore:
    """Return a lake in which a key leaves in the second night and comes back in the third."""
    lake = make(folder)
    base = {
        "coverage": [cover(one, country) for one in (ACME, "") for country in ("", "DE")],
        "customer": [client(ACME, "Acme")],
        "sku": [listed("0011")],
    }
    key = stock(ACME, "0011", "restricted", at(1, 1))
    ended = {
        name: key[name]
        for name in (
            *("customer_id", "country", "azure_subscription_id", "reservation_scope"),
            *("product_id", "sku_id", "verdict", "reason_codes", "restriction_values"),
            "verdict_since_at",
        )
    }
    ended |= {"verdict_since_snapshot_id": FIRST, "ended_at": at(2), "ended_by": "not_eligible"}
    first = stock(ACME, "0011", "restricted", at(1, 1), verdict_since_snapshot_id=FIRST)
    again = stock(ACME, "0011", "unrestricted", at(3, 1), verdict_since_snapshot_id=THIRD)
    proof = {"request_id": "r1", "correlation_id": "c1", "checked_at": at(1, 1)}
    publish(
        lake,
        FIRST,
        at(1),
        {**base, "inventory": [first], "check_outcome": [asked(ACME, "a", "answered", **proof)]},
    )
    publish(lake, SECOND, at(2), {**base, "ending": [ended]})
    publish(
        lake,
        THIRD,
        at(3),
        {**base, "inventory": [again], "check_outcome": [asked(ACME, "a", "answered")]},
    )
    return lake


def test_a_gap_is_a_gap_and_no_interval_bridges_it(store: FolderStore) -> None:
    found = rows(timeline(store, "Acme", SKU))
    assert [(row["kind"], row["verdict"], row["ended_by"]) for row in found] == [
        ("interval", "restricted", "not_eligible"),
        ("gap", "", "not_eligible"),
        ("interval", "unrestricted", ""),
    ]
    assert (found[1]["valid_from"], found[1]["valid_to"]) == (at(2), at(3, 1))


def test_each_interval_has_the_ids_of_the_answer_that_began_it(store: FolderStore) -> None:
    first, _, last = rows(timeline(store, ACME, SKU))
    assert (first["request_id"], first["correlation_id"], first["proof"]) == ("r1", "c1", "kept")
    assert (last["request_id"], last["proof"]) == ("", "kept")


def test_ids_that_are_pruned_are_said_to_be(tmp_path_factory: pytest.TempPathFactory) -> None:
    lake = three_nights(tmp_path_factory.mktemp("pruned"))
    lake.prune(timedelta(days=0), at(9), apply=True)
    first, _, last = rows(timeline(lake, ACME, SKU))
    assert (first["correlation_id"], first["proof"], last["proof"]) == ("", "pruned", "kept")


def test_a_check_without_an_answer_is_shown_with_its_reason(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    lake = two_nights(tmp_path_factory.mktemp("silent"))
    silent = [row for row in rows(timeline(lake, BOND, SKU)) if row["kind"] == "no_answer"]
    assert [(row["reason"], row["correlation_id"]) for row in silent] == [("timeout", "corr-1")]


@pytest.mark.parametrize("width", [80, 120])
def test_the_drawing_fits_and_shows_each_kind(
    store: FolderStore, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    stream = io.StringIO()
    drawing.write(timeline(store, ACME, SKU), "0011", at(5), stream)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    [bar] = [line for line in lines if line.startswith("#") and "  " in line]
    assert bar.rstrip().endswith("=")
    text = "\n".join(lines)
    for said in ("restricted  first seen", "not there: by a rule", "correlation c1", "no id"):
        assert said in text


def test_nothing_known_is_said(store: FolderStore) -> None:
    stream = io.StringIO()
    found = timeline(store, ACME, AskedSku(product_id=PRODUCT))
    drawing.write(Timeline(table=found.table.slice(0, 0)), "it", at(5), stream)
    assert "Nothing was ever known of it" in stream.getvalue()
