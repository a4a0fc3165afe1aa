"""Discovery reads the known rows of a partner from the store."""

from pathlib import Path

from auditor.model import RememberedListing
from auditor.scope import recall
from auditor.scope.known import Known
from auditor.scope.offers import is_licence
from tests.builders import store_lake as lake
from tests.builders.store_lake import ACME, BOND, P, Row, at, cover

DE = {"country": "DE", "reservation_scope": "AzurePlan"}


def recalled(folder: Path, relations: dict[str, list[Row]]) -> Known:
    store = lake.make(folder)
    cells = {"coverage": [cover(ACME), cover(BOND), cover("", "DE")]}
    lake.publish(store, "s001", at(1), cells | relations)
    return recall.recall(store, P, recall.published(store, P))


def listed(detail: str = "{}", **name: str) -> Row:
    return {"what": "listed", "detail": detail, "since_at": at(1), **name}


def test_a_store_without_remembered_listings_gives_none(tmp_path: Path) -> None:
    """Such a store was written before listings were remembered."""
    known = recalled(tmp_path, {"customer": [{"customer_id": ACME}]})
    assert known.customers.keys() == {ACME}
    assert known.customers_listed == known.countries_read == {}
    assert known.catalog_listed == {}


def test_the_time_and_the_settings_of_each_listing_are_known(tmp_path: Path) -> None:
    read = {"customer_id": BOND, "what": "country_read", "detail": "{}", "since_at": at(2)}
    view = listed('{"segments":["commercial"],"views":["V"]}', **DE, product_id="view:V")
    rows = [listed(customer_id=ACME), read, view, listed(**DE, product_id="P", sku_id="1")]
    known = recalled(tmp_path, {"remembered": rows})
    assert known.customers_listed == {ACME: at(1)}
    assert known.countries_read == {BOND: at(2)}
    assert known.catalog_listed == {
        ("DE", "AzurePlan"): {
            ("view:V", ""): (at(1), RememberedListing(segments=("commercial",), views=("V",))),
            ("P", "1"): (at(1), RememberedListing()),
        }
    }


def test_product_types_and_region_spellings_come_from_remembered_rows(tmp_path: Path) -> None:
    """No relation has the type that excludes a licence, or the catalog's spelling of a region."""
    held = [
        {"customer_id": ACME, "commerce_subscription_id": name, "product_id": "P", "sku_id": "1"}
        for name in ("s1", "s2")
    ]
    skus = [
        {**DE, "product_id": product, "sku_id": sku_id, "region": "koreasouth"}
        for product in ("P", "Q")
        for sku_id in ("1", "2")
    ]
    case = '{"arm_region_names":{"1":"KoreaSouth"}}'
    remembered = [
        listed('{"product_types":{"s1":"Software"}}', customer_id=ACME),
        listed(case, **DE, product_id="P"),
        listed(case, **DE, product_id="Q", sku_id="1"),
    ]
    known = recalled(
        tmp_path, {"commerce_subscription": held, "sku": skus, "remembered": remembered}
    )
    kinds = known.commerce_subscriptions[ACME]
    assert [is_licence(kinds[name]) for name in ("s1", "s2")] == [False, True]
    assert {n: s.arm_region_name for n, s in known.skus["DE", "AzurePlan"].items()} == {
        ("P", "1"): "KoreaSouth",
        ("P", "2"): "koreasouth",
        ("Q", "1"): "KoreaSouth",
        ("Q", "2"): "koreasouth",
    }


def test_when_a_sku_was_listed_again_is_known_unless_an_older_version_wrote_it(
    tmp_path: Path,
) -> None:
    back = {"what": "returned", **DE, "product_id": "P", "since_at": at(1)}
    rows = [
        {**back, "sku_id": "1", "detail": "{}"},
        {**back, "sku_id": "2", "detail": '{"returned_at":"2026-11-03T02:00:00Z"}'},
    ]
    known = recalled(tmp_path, {"remembered": rows})
    assert known.returned == {("DE", "AzurePlan", "P", sku_id): at(1) for sku_id in ("1", "2")}
    assert known.returned_at == {("DE", "AzurePlan", "P", "2"): at(3)}
