"""The forecast: how many calls a run would make, and how long they take at the quota."""

from collections import Counter
from datetime import UTC, datetime

from auditor.partner_center.failed_listings import FailedListings
from auditor.plan.plan import Plan
from auditor.run.discover import Discovered
from auditor.run.forecast import Forecast, Line, forecast
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import Known
from auditor.settings import Limits, Partner
from tests.builders import scope as bench
from tests.builders.scope import BOTH, P, azure, catalog, found, licence, plan, sku

PARTNER = Partner(
    name="eu",
    tenant_id=P,
    countries=("DE",),
    limits=Limits(customers=100, catalog=200, inventory=50),
)


def forecast_of(
    *customers: CustomerFound,
    catalogs: tuple[CatalogFound, ...] | None = None,
    calls: dict[str, int] | None = None,
    **rules: object,
) -> Forecast:
    catalogs = (catalog(sku("0001"), sku("0002")),) if catalogs is None else catalogs
    return forecast(
        PARTNER,
        Discovered(
            found=Found(
                known=Known(partner_tenant_id=P),
                customers=customers,
                catalogs=catalogs,
                covers_catalog=True,
                covers_all_countries=True,
                started_at=datetime(2026, 11, 21, tzinfo=UTC),
            ),
            plan=Plan(bench.rules(**rules), catalogs, customers=customers),
            at_start={},
            calls=Counter(calls or {}),
            failed=FailedListings(),
        ),
    )


def line(of: Forecast, api: str) -> Line:
    [one] = [each for each in of.lines if each.api == api]
    return one


def test_whole_products_share_one_call_and_give_one_row_per_sku() -> None:
    skus = [sku(s, p) for p in ("P1", "P2", "P3") for s in ("0001", "0002")]
    of = forecast_of(found(azure("a1"), azure("a2")), catalogs=(catalog(*skus),))
    one = line(of, "inventory")
    assert (one.calls, one.naive_calls, one.rows) == (2, 6, 12)
    assert (one.partner, one.wave, one.country) == ("eu", 2, "DE")


def test_skus_asked_one_by_one_give_one_row_each() -> None:
    skus = [sku("0001", variables=BOTH), sku("0002", variables="CustomerId")]
    one = line(forecast_of(found(azure()), catalogs=(catalog(*skus),)), "inventory")
    assert (one.calls, one.rows) == (2, 2)


def test_each_availability_check_is_one_call_and_one_row() -> None:
    of = forecast_of(found(holds=[plan(), licence("l1"), licence("l2", "CFQ8")]))
    one = line(of, "availability")
    assert (one.calls, one.naive_calls, one.rows, one.country) == (2, 2, 2, "")


def test_a_check_that_is_not_asked_is_not_counted() -> None:
    of = forecast_of(found(azure(status="suspended")), found(failed="listing_failed", holds=()))
    assert of.lines == ()


def test_each_call_counts_against_the_quota_of_its_own_class() -> None:
    """Customers and the catalog have their own quotas, also in the first wave."""
    of = forecast_of(
        found(*(azure(f"a{n}") for n in range(100))),
        calls={"list_customers": 1, "list_subscriptions": 300, "list_skus": 300, "get_sku": 100},
    )
    assert {each.api: each.minutes for each in of.lines} == {
        "list_customers": 0.0,
        "list_subscriptions": 3.0,
        "list_skus": 1.5,
        "get_sku": 0.5,
        "inventory": 2.0,
    }


def test_the_explanation_says_why_each_group_is_asked_that_way() -> None:
    skus = [
        sku("0001", "P1"),
        sku("0002", "P1"),
        sku("0001", "P2"),
        sku("0002", "P2", variables="CustomerId"),
        sku("0001", "P3", variables="ArmRegionName", region=""),
    ]
    of = forecast_of(found(azure()), catalogs=(catalog(*skus),))
    assert of.explanation == (
        (
            "eu DE AzurePlan: 1 SKUs as 1 target items, sending AzureSubscriptionId, CustomerId;"
            " by SKU: their products' SKUs need different contexts"
        ),
        (
            "eu DE AzurePlan: 2 SKUs as 1 target items, sending AzureSubscriptionId, CustomerId;"
            " whole products: all their SKUs share one context"
        ),
        (
            "eu DE AzurePlan: 1 SKUs as 1 target items, sending CustomerId;"
            " by SKU: their products' SKUs need different contexts"
        ),
        (
            "eu DE: P3:0001 asks for ArmRegionName and has no region: name some in"
            " scope.arm_regions; skipped"
        ),
    )


def test_the_explanation_names_views_without_a_resource_type() -> None:
    of = forecast_of(found(azure()), inventory_api="by_resource_type")
    assert of.explanation[-1] == (
        "eu DE: scope.resource_types has no resource type for the target view"
        " AzureReservationsVM; skipped"
    )


def test_forecasts_of_several_partners_are_joined_into_one_table() -> None:
    one = forecast_of(found(azure()))
    both = Forecast.of([one, one])
    assert both.lines == one.lines * 2
    assert both.explanation == one.explanation * 2
    table = both.table()
    assert table.column_names == list(Line.__struct_fields__)
    assert table.num_rows == 2


def test_a_table_without_lines_has_its_columns() -> None:
    assert Forecast.of([]).table().column_names == list(Line.__struct_fields__)
