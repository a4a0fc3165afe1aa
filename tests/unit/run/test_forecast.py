"""The forecast: how many calls a run would make, and how long they take at the quota."""

from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest

from auditor.partner_center.failed_listings import FailedListings
from auditor.plan.plan import Plan
from auditor.run.discover import Discovered
from auditor.run.forecast import TOTAL, Forecast, Line, forecast
from auditor.run.night_time import NightTime, sentences
from auditor.scope.found import CatalogFound, CustomerFound, Found
from auditor.scope.known import Known
from auditor.settings import Limits, Partner, Settings
from tests.builders import scope as bench
from tests.builders.scope import BOTH, P, azure, catalog, found, licence, plan, sku

PARTNER = Partner(
    name="eu",
    tenant_id=P,
    countries=("DE",),
    limits=Limits(customers=100, catalog=200, inventory=50),
)
SETTINGS = Settings(partner=(PARTNER,))


def forecast_of(
    *customers: CustomerFound,
    catalogs: tuple[CatalogFound, ...] | None = None,
    calls: dict[str, int] | None = None,
    partner: Partner = PARTNER,
    **rules: object,
) -> Forecast:
    catalogs = (catalog(sku("0001"), sku("0002")),) if catalogs is None else catalogs
    return forecast(
        SETTINGS,
        partner,
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


def test_a_table_for_people_has_a_total_for_each_partner_and_no_line_without_calls() -> None:
    of = forecast_of(found(azure()), calls={"list_customers": 1, "list_skus": 0})
    rows = of.table(with_totals=True).to_pylist()
    assert [row["api"] for row in rows] == ["list_customers", "inventory", TOTAL]
    for name in ("calls", "naive_calls", "rows"):
        assert rows[-1][name] == sum(row[name] for row in rows[:-1])
    assert [row["api"] for row in of.table().to_pylist()] == ["list_customers", "inventory"]


def test_a_later_night_asks_a_share_of_the_listings() -> None:
    """Of 600 customers at 100 calls a minute: each with one plan, so 4 calls in a first night.

    A later one asks a third of the subscriptions, plans and registrations, a thirtieth of the
    billing countries, and the catalog as before.
    """
    customers = [found(azure(), customer_id=f"c{n}") for n in range(600)]
    (time,) = forecast_of(*customers).times
    checking = 600 / PARTNER.limits.inventory
    assert time.first_minutes == pytest.approx(2401 / 100 + checking, abs=0.1)
    assert time.later_minutes == pytest.approx((1 + 600 + 20) / 100 + checking, abs=0.1)


def test_the_limit_of_one_customer_can_take_the_longest() -> None:
    customer = found(*(azure(f"a{n}") for n in range(300)))
    limits = msgspec.structs.replace(PARTNER.limits, per_customer=10, inventory=6000)
    of = forecast_of(customer, partner=msgspec.structs.replace(PARTNER, limits=limits))
    assert of.times[0].later_minutes >= 300 / 10


def test_a_time_is_said_in_words() -> None:
    times = [
        NightTime(partner="eu", first_minutes=0.4, later_minutes=59.4),
        NightTime(partner="us", first_minutes=60, later_minutes=605.2),
    ]
    assert sentences(times) == [
        "eu: a first night takes less than a minute at the quota, a later one 59 min",
        "us: a first night takes 1 h 0 min at the quota, a later one 10 h 5 min",
    ]
