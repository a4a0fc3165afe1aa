"""What a customer could buy instead: only what is unrestricted for it, the nearest first."""

from typing import Any

import pytest

from auditor.errors import UsageError
from auditor.questions.alternatives import Alternatives, alternatives
from auditor.questions.skus import AskedSku
from auditor.report import instead
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import OFFICE, PRODUCT
from tests.builders.store_lake import ACME, BOND, at, client, cover, listed, make, publish, stock

SAVINGS_PLAN = "DZH318Z09V6F"
Row = dict[str, Any]  # one row of any relation


def vm(sku_id: str, size: str, term: str = "P1Y", **more: object) -> Row:
    return listed(
        sku_id,
        **{
            "arm_sku_name": size,
            "term_duration": term,
            "cores": 4,
            "ram_gb": 16.0,
            "flexibility_ratio": "2",
            **more,
        },
    )


CATALOG = [
    vm("asked", "Standard_D4s_v3"),
    vm("half", "Standard_D2s_v3", flexibility_ratio="1", cores=2),
    vm("double", "Standard_D8s_v3", flexibility_ratio="4", cores=8),
    vm("closed", "Standard_D16s_v3", flexibility_ratio="8", cores=16),
    vm("doubted", "Standard_D32s_v3", flexibility_ratio="16", cores=32),
    vm("longer", "Standard_D4s_v3", "P3Y"),
    vm("newer", "Standard_D4s_v5", flexibility_group="Dsv5"),
    vm("older", "Standard_D4s_v2", flexibility_group="Dsv2"),
    vm("larger", "Standard_D64s_v5", flexibility_group="Dsv5", cores=64, ram_gb=256.0),
    vm("europe", "Standard_D4s_v3", region="westeurope"),
    vm("priceless", "Standard_D4as_v5", flexibility_group="Dasv5"),
]
OPEN = ("half", "double", "longer", "newer", "older", "larger", "priceless")


def availability(product_id: str, sku_id: str, verdict: str, **more: object) -> Row:
    return {
        "customer_id": ACME,
        "product_id": product_id,
        "sku_id": sku_id,
        "segment": "commercial",
        "term_duration": "P1Y",
        "verdict": verdict,
        "checked_at": at(1),
        "verdict_since_at": at(1),
        **more,
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    lake = make(tmp_path_factory.mktemp("alternatives"))
    relations: dict[str, list[Row]] = {
        "coverage": [cover(one, country) for one in (ACME, BOND, "") for country in ("", "DE")],
        "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
        "sku": CATALOG,
        "inventory": [
            stock(ACME, "asked", "restricted", at(1)),
            stock(ACME, "asked", "restricted", at(1), azure_subscription_id="sub-9"),
            stock(ACME, "longer", "restricted", at(1), azure_subscription_id="sub-9"),
            *(stock(ACME, name, "unrestricted", at(1)) for name in OPEN),
            stock(ACME, "closed", "restricted", at(1)),
            stock(ACME, "doubted", "unrestricted", at(1), pending_verdict="restricted"),
            stock(ACME, "europe", "unrestricted", at(1), region="westeurope"),
            stock(BOND, "closed", "unrestricted", at(1)),
        ],
        "availability": [
            availability(SAVINGS_PLAN, "0001", "purchasable"),
            availability(PRODUCT, "half", "purchasable"),
            availability(PRODUCT, "priceless", "not_purchasable"),
            availability(OFFICE, "0001", "not_purchasable"),
            availability(OFFICE, "0001", "purchasable", term_duration="P1M"),
        ],
    }
    publish(lake, "20261101T020000Z-00000a", at(1), relations)
    return lake


@pytest.fixture(scope="module")
def found(store: FolderStore) -> Alternatives:
    return alternatives(store, "acme.example", AskedSku(product_id=PRODUCT, sku_id="asked"))


def test_the_nearest_stands_first_and_another_region_last(found: Alternatives) -> None:
    rows = found.table.to_pylist()
    assert [(row["difference"], row["sku_id"]) for row in rows if row["sku_id"] != "0001"] == [
        ("size", "half"),
        ("size", "double"),
        ("term", "longer"),
        ("series", "newer"),
        ("region", "europe"),
    ]
    assert [row["difference"] for row in rows if row["sku_id"] == "0001"] == ["savings_plan"] * 2
    assert [row["needs_moving"] for row in rows[-2:]] == [True, False]


def test_the_ratios_give_the_quantity(found: Alternatives) -> None:
    quantities = {row["sku_id"]: row["quantity"] for row in found.table.to_pylist()}
    assert (quantities["half"], quantities["double"]) == (2, 1)
    texts = {words[0]: words[3] for _, words, _ in instead.grouped(found)}
    assert texts["Standard_D2s_v3 · 1 year"] == "size: 2 replace one"
    assert texts["Standard_D8s_v3 · 1 year"] == "size: one replaces 2"


def test_what_is_known_of_the_price_list_is_said(found: Alternatives) -> None:
    known = {row["sku_id"]: row["availability"] for row in found.table.to_pylist()}
    assert (known["half"], known["double"]) == ("purchasable", "unknown")
    assert "priceless" not in known


def test_an_alternative_counts_for_its_own_subscription_only(found: Alternatives) -> None:
    of_other = [
        row["sku_id"] for row in found.table.to_pylist() if row["azure_subscription_id"] == "sub-9"
    ]
    assert of_other == ["0001"]


def test_an_old_answer_is_said_to_be_stale(tmp_path_factory: pytest.TempPathFactory) -> None:
    lake = make(tmp_path_factory.mktemp("stale"))
    cells = [cover(one, country) for one in (ACME, "") for country in ("", "DE")]
    for day, name in ((1, "20261101T020000Z-00000a"), (2, "20261102T020000Z-00000b")):
        relations = {
            "coverage": cells,
            "customer": [client(ACME, "Acme")],
            "sku": CATALOG,
            "inventory": [
                stock(ACME, "asked", "restricted", at(day)),
                stock(ACME, "half", "unrestricted", at(1), checked_snapshot_id="20261101T020000Z"),
            ],
        }
        publish(lake, name, at(day), relations)
    found = alternatives(lake, ACME, AskedSku(product_id=PRODUCT, sku_id="asked"))
    [(_, words, [row])] = instead.grouped(found)
    assert row["is_stale"]
    assert "(stale: " in words[-1]


def test_a_licence_has_its_other_terms(store: FolderStore) -> None:
    found = alternatives(store, ACME, AskedSku(product_id=OFFICE, sku_id="0001"))
    [row] = found.table.to_pylist()
    assert (row["difference"], row["term_duration"]) == ("term", "P1M")


def test_nobody_knows_the_customer(store: FolderStore) -> None:
    nobody = "00000000-0000-4000-8000-00000000dead"
    for name in ("Nobody", nobody):
        with pytest.raises(UsageError, match="no customer"):
            alternatives(store, name, AskedSku(product_id=PRODUCT))


def test_without_an_alternative_that_is_said(store: FolderStore) -> None:
    found = alternatives(store, "Bond", AskedSku(product_id=PRODUCT, sku_id="asked"))
    shown = instead.alternatives(found, "asked")
    assert shown.rows == ()
    assert shown.lines == ("This customer has no answer about this SKU.", instead.NOTHING)
