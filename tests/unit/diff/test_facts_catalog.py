"""The facts about the catalog: SKUs that are asked, gone, returned and new."""

from collections.abc import Iterable
from datetime import timedelta

from auditor.model import RememberedListing
from auditor.scope.found import Gone
from tests.builders import scope as bench
from tests.builders.scope import BOTH, catalog, sku
from tests.unit.diff.test_facts import AT, BEFORE, DE, Tuples, proved, remembered


def test_cached_skus_settle_nothing_in_a_catalog_published_since() -> None:
    cached = frozenset({("DZH1", "0001")})
    catalogs = [catalog(sku("0001"), sku("0002"), cached=cached)]
    of = proved(catalogs=catalogs)
    assert of["cached_sku"] == [(*DE, "DZH1", "0001")]
    assert [row[3] for row in of["settled_sku"]] == ["0001", "0002"]
    of = proved(catalogs=catalogs, superseded={("", "DE")})
    assert [row[3] for row in of["settled_sku"]] == ["0002"]
    assert [row[3] for row in of["asked_sku"]] == ["0001", "0002"]


def test_catalog_listings_are_remembered_by_runs_over_all_customers() -> None:
    listing = RememberedListing(segments=("commercial",), arm_region_names={"0001": "EastUS"})
    listed = {("DZH1", ""): listing, (f"view:{bench.VIEW}", ""): RememberedListing()}
    of = proved(catalogs=[catalog(views={}, listed=listed)])
    detail = '{"arm_region_names":{"0001":"EastUS"},"segments":["commercial"]}'
    assert of["remember"] == [
        remembered(where=DE, name=("DZH1", ""), what="listed", detail=detail),
        remembered(where=DE, name=(f"view:{bench.VIEW}", ""), what="listed"),
    ]
    narrow = proved(catalogs=[catalog(views={}, listed=listed)], covers_catalog=False)
    assert narrow["remember"] == []


def test_listed_skus_are_settled_with_the_context_they_need() -> None:
    skus = [
        sku("0001"),
        sku("0002", variables=f"ArmRegionName;{BOTH}", region="EastUS"),
        sku("0003", variables="CustomerId"),
        sku("0004", variables=""),
        sku("0005", prerequisites=""),
        sku("0006", variables="ArmRegionName", region=""),
    ]
    of = proved(catalogs=[catalog(*skus)])
    assert [row[3] for row in of["settled_sku"]] == ["0001", "0002", "0003", "0004", "0005"]
    assert [row[3:] for row in of["asked_sku"]] == [
        ("0001", "", True, True),
        ("0002", "eastus", True, True),
        ("0003", "", True, False),
        ("0004", "", False, False),
    ]


def test_a_sku_outside_the_configured_regions_is_not_settled() -> None:
    """The narrower run carries its rows."""
    skus = [sku("0001", region="eastus"), sku("0002", region="japanwest")]
    of = proved(catalogs=[catalog(*skus)], rules={"arm_regions": ("eastus",)})
    assert [row[3] for row in of["settled_sku"]] == ["0001"]


def test_carried_skus_and_runs_without_inventory_settle_nothing() -> None:
    assert proved(catalogs=[catalog(carried=(sku(),))])["settled_sku"] == []
    only: dict[str, object] = {"checks": frozenset({"availability"})}
    assert proved(catalogs=[catalog(sku())], rules=only)["settled_sku"] == []


GONE = Gone(country="DE", reservation_scope="AzurePlan", product_id="DZH1", sku_id="0001", at=AT)


def test_a_gone_sku_is_one_event_and_is_remembered_with_its_titles() -> None:
    of = proved(catalogs=[catalog(gone=(GONE,))], skus={DE: {("DZH1", "0001"): sku()}})
    titles = (
        '{"product_title": "Title of DZH1", "title": "Title of 0001",'
        ' "arm_sku_name": "Standard_D4s_v5"}'
    )
    assert of["gone"] == [(*DE, "DZH1", "0001", AT)]
    assert of["catalog_event"] == [(*DE, "DZH1", "0001", "left_catalog", titles, None, AT)]
    name = ("DZH1", "0001")
    assert of["remember"] == [remembered(where=DE, name=name, what="gone", detail=titles)]


def test_a_gone_product_is_one_event_for_all_its_skus() -> None:
    def gone(sku_id: str) -> Gone:
        return Gone(
            country="DE",
            reservation_scope="AzurePlan",
            product_id="DZH1",
            sku_id=sku_id,
            at=AT,
            with_product=bool(sku_id),
        )

    of = proved(
        catalogs=[catalog(gone=(gone(""), gone("0001"), gone("0002")))],
        skus={DE: {("DZH1", s): sku(s) for s in ("0001", "0002")}},
    )
    assert [row[2:5] for row in of["catalog_event"]] == [("DZH1", "", "left_catalog")]
    assert [row[3] for row in of["gone"]] == ["0001", "0002"]
    assert remembered(where=DE, name=("DZH1", ""), what="view") in of["forget"]
    assert remembered(where=DE, name=("DZH1", ""), what="listed") in of["forget"]


def test_a_run_over_some_customers_proves_nothing_about_the_catalog() -> None:
    of = proved(catalogs=[catalog(gone=(GONE,))], covers_catalog=False)
    assert of["gone"] == of["catalog_event"] == of["remember"] == []


def returning(*skus: str, views: Iterable[str] = ("DZH1",), **known: object) -> dict[str, Tuples]:
    back = catalog(*(sku(s) for s in skus), views=dict.fromkeys(views, bench.VIEW))
    return proved(catalogs=[back], **known)  # type: ignore[arg-type] # as above


def test_a_sku_that_is_listed_again_is_one_event() -> None:
    of = returning("0001", gone={(*DE, "DZH1", "0001"): BEFORE})
    name = ("DZH1", "0001")
    assert of["catalog_event"] == [(*DE, *name, "entered_catalog", "{}", BEFORE, AT)]
    at = '{"returned_at":"2026-11-21T02:00:00Z"}'
    row = remembered(where=DE, name=name, what="returned", since=BEFORE, detail=at)
    assert row in of["remember"]
    assert [row[:8] for row in of["forget"]] == [remembered(where=DE, name=name, what="gone")[:8]]
    assert of["catalog_absence"] == [(*DE, *name, BEFORE, AT)]


def test_an_absence_lasts_until_the_return_if_the_store_says_when_that_was() -> None:
    key = (*DE, "DZH1", "0001")
    earlier = BEFORE - timedelta(days=9)
    of = returning("0001", returned={key: earlier}, returned_at={key: BEFORE})
    assert of["catalog_absence"] == [(*key, earlier, BEFORE)]
    of = returning("0001", returned={key: earlier})
    assert of["catalog_absence"] == [(*key, earlier, earlier)]


def test_a_product_that_is_listed_again_is_one_event_with_its_skus() -> None:
    absent = {(*DE, "DZH1", s): BEFORE for s in ("", "0001", "0002")}
    of = returning("0001", "0002", gone=absent)
    assert [row[2:5] for row in of["catalog_event"]] == [("DZH1", "", "entered_catalog")]


def test_skus_listed_a_night_after_their_product_returned_are_no_events() -> None:
    """The SKUs left with the product, and their list failed on the night of the return."""
    absent = {(*DE, "DZH1", s): BEFORE for s in ("0001", "0002")}
    of = returning("0001", "0002", gone=absent, returned={(*DE, "DZH1", ""): BEFORE})
    assert of["catalog_event"] == []


def test_a_sku_that_left_before_its_product_returns_as_its_own_event() -> None:
    earlier = BEFORE - timedelta(days=9)
    of = returning(
        "0001",
        gone={(*DE, "DZH1", "0001"): BEFORE},
        returned={(*DE, "DZH1", ""): earlier},
    )
    assert [row[2:5] for row in of["catalog_event"]] == [("DZH1", "0001", "entered_catalog")]


def test_a_sku_still_gone_or_gone_in_another_catalog_is_no_return() -> None:
    of = returning("0002", gone={(*DE, "DZH1", "0001"): BEFORE, ("FR", "", "DZH1", "0002"): BEFORE})
    assert of["catalog_event"] == []


def test_a_sku_that_leaves_again_is_no_longer_a_returned_one() -> None:
    of = proved(catalogs=[catalog(gone=(GONE,))], returned={(*DE, "DZH1", "0001"): BEFORE})
    name = ("DZH1", "0001")
    assert remembered(where=DE, name=name, what="returned") in of["forget"]
    assert of["catalog_absence"] == [(*DE, *name, BEFORE, BEFORE)]


def test_what_is_still_gone_is_proven_when_its_listing_was_answered() -> None:
    """P39: this run's listings when it began; a departure of this run as well."""
    still = {("DZH1", "0002"): None, ("DZH1", "0003"): BEFORE}
    catalogs = [catalog(gone=(GONE,), still_gone=still)]
    of = proved(catalogs=catalogs)
    expected = [(*DE, "DZH1", "0001", AT), (*DE, "DZH1", "0002", AT), (*DE, "DZH1", "0003", BEFORE)]
    assert of["still_gone"] == expected
    of = proved(catalogs=catalogs, superseded={("", "DE")})
    assert of["still_gone"] == expected[:2]
    assert proved(catalogs=catalogs, covers_catalog=False)["still_gone"] == []


def test_views_and_listings_never_answered_are_remembered() -> None:
    of = proved(
        catalogs=[catalog(sku(), unlisted=frozenset({"view:Other", "DZH9"}))],
        unlisted=frozenset({("", *DE, "DZH1"), ("", *DE, "view:Other"), ("", "FR", "", "DZH1")}),
    )
    assert of["remember"] == sorted(
        [
            remembered(where=DE, name=("DZH1", ""), what="view", detail=bench.VIEW),
            remembered(where=DE, name=("DZH9", ""), what="unlisted"),
            remembered(where=DE, name=("view:Other", ""), what="unlisted"),
        ],
        key=repr,
    )
    assert of["forget"] == [remembered(where=DE, name=("DZH1", ""), what="unlisted")]


def test_a_new_sku_is_a_fact_for_all_customers_of_its_country() -> None:
    of = proved(catalogs=[catalog(sku(), new=frozenset({("DZH1", "0001")}))], covers_catalog=False)
    assert of["new_sku"] == [(*DE, "DZH1", "0001")]
