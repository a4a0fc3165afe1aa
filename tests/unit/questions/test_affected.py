"""Who is affected by a SKU: nobody is left out, and what is not known is counted as such."""

from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.questions import skus
from auditor.questions.affected import Affected, affected
from auditor.questions.skus import AskedSku
from auditor.report import listings
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import OFFICE, PRODUCT, two_nights
from tests.builders.store_lake import ACME, BOND, at, client, cover, listed, make, publish, stock

SIZES = {"arm_sku_name": "Standard_D4s_v3", "region": "japanwest", "term_duration": "P1Y"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("affected"))


@pytest.fixture(scope="module")
def subscriptions(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    """A lake in which one customer has the same restriction in two Azure subscriptions."""
    lake = make(tmp_path_factory.mktemp("alike"))
    relations = {
        "coverage": [cover(one, country) for one in (ACME, BOND, "") for country in ("", "DE")],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
        "sku": [listed("0011", **SIZES), listed("0012", **{**SIZES, "term_duration": "P3Y"})],
        "inventory": [
            stock(ACME, "0011", "restricted", at(1), azure_subscription_id="sub-1"),
            stock(ACME, "0011", "restricted", at(1), azure_subscription_id="sub-9"),
            stock(BOND, "0011", "unrestricted", at(1)),
            stock(BOND, "0012", "restricted", at(1), region="westeurope"),
        ],
    }
    publish(lake, "20261101T020000Z-00000a", at(1), relations)
    return lake


def counts(found: Affected) -> tuple[int, int, int, int]:
    return found.asked, found.affected, found.restricted, found.unknown


def test_a_stale_answer_is_not_known_and_is_said(store: FolderStore) -> None:
    """BOND's check failed in the second night: its restriction of the first is only a memory."""
    found = affected(store, AskedSku(product_id=PRODUCT, sku_id="0011"))
    assert counts(found) == (2, 1, 1, 1)
    rows = {row["customer_id"]: row for row in found.table.to_pylist()}
    assert (rows[ACME]["verdict"], rows[ACME]["is_stale"]) == ("restricted", False)
    assert (rows[BOND]["verdict"], rows[BOND]["is_stale"]) == ("restricted", True)
    shown = listings.affected(found, "0011")
    assert shown.lines[0] == "1 of 2 customers affected (restricted 1); not known of 1."
    assert shown.lines[1].startswith("NotAvailableForSubscription (2): Microsoft does not offer")
    assert any("stale" in cell for cell in shown.rows[-1].cells)


def test_a_product_means_all_its_skus_and_checks_without_any_answer(store: FolderStore) -> None:
    found = affected(store, AskedSku(product_id=PRODUCT.lower()))
    assert counts(found) == (2, 1, 1, 1)
    verdicts = {(row["sku_id"], row["verdict"]) for row in found.table.to_pylist()}
    assert {("0011", "restricted"), ("0012", "not_in_catalog")} <= verdicts


def test_a_licence_is_affected_by_its_availability(store: FolderStore) -> None:
    found = affected(store, AskedSku(product_id=OFFICE, sku_id="0001"))
    [row] = found.table.to_pylist()
    assert (row["kind"], row["verdict"], row["term_duration"]) == (
        "availability",
        "not_purchasable",
        "P1Y",
    )


def test_a_size_is_found_by_name_region_and_term(subscriptions: FolderStore) -> None:
    size = AskedSku(size="standard_d4s_V3")
    assert counts(affected(subscriptions, size)) == (2, 2, 2, 0)
    one_year = AskedSku(size="Standard_D4s_v3", term="P1Y", region="japanwest")
    found = affected(subscriptions, one_year)
    assert counts(found) == (2, 1, 1, 0)
    assert set(found.table.column("term_duration").to_pylist()) == {"P1Y"}


def test_rows_of_two_subscriptions_that_agree_are_one_row(subscriptions: FolderStore) -> None:
    found = affected(subscriptions, AskedSku(product_id=PRODUCT, sku_id="0011"))
    assert found.table.num_rows == 2
    [line] = listings.affected(found, "").rows
    assert line.cells[:2] == ("Acme", "Standard_D4s_v3 · 1 year")
    assert line.cells[-1] == "2"


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        (AskedSku(product_id="DZH318Z0BQ3R"), f"did you mean {PRODUCT}?"),
        (AskedSku(product_id=PRODUCT, sku_id="0021"), f"did you mean {PRODUCT}:0012"),
        (AskedSku(size="Standard_D4_v3"), "did you mean Standard_D4s_v3?"),
        (AskedSku(size="Standard_D4s_v3", region="mars"), "known are: --region japanwest"),
    ],
)
def test_an_unknown_sku_is_refused_with_the_nearest_names(
    subscriptions: FolderStore, asked: AskedSku, hint: str
) -> None:
    with pytest.raises(UsageError) as refused:
        skus.find(subscriptions, asked)
    assert refused.value.hint.startswith(hint)


def test_nothing_is_affected_where_nothing_was_published(tmp_path: Path) -> None:
    found = affected(make(tmp_path), AskedSku(product_id=PRODUCT))
    assert counts(found) == (0, 0, 0, 0)
    assert listings.affected(found, PRODUCT).lines == ("No customer was asked about it.",)
