"""The cells that a snapshot covers, how completely, and which of them are baselines."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from auditor.model import Cell, Outcome, Reason
from auditor.publish.coverage import CELL_COLUMNS, Counts, cells
from auditor.publish.later_runs import NONE, LaterRuns
from auditor.scope.found import CatalogFound, CustomerFound, ForbiddenListing, Found
from auditor.scope.known import Known, Previous
from tests.builders import scope as bench
from tests.builders.scope import ACME, P

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
SCOPE: dict[str, object] = {"views": ["A"], "products": [], "regions": "all", "checks": ["x", "y"]}
# One row of `CELL_COLUMNS`.
Row = dict[str, Any]


def cell(customer_id: str = ACME, country: str = "") -> Cell:
    return Cell(partner_tenant_id=P, customer_id=customer_id, country=country)


BY_COUNTRY = cell(country="DE")
CATALOG = cell("", "DE")


def covered(
    *customers: CustomerFound,
    catalogs: tuple[CatalogFound, ...] = (),
    known: Known | None = None,
    counts: dict[Cell, Counts] | None = None,
    previous: dict[Cell, Previous] | None = None,
    at_start: dict[Cell, str] | None = None,
    scope: dict[str, object] | None = None,
    covers_catalog: bool = True,
    covers_all_countries: bool = True,
    later: LaterRuns = NONE,
) -> dict[Cell, Row]:
    previous = previous or {}
    table = cells(
        Found(
            known=known or Known(partner_tenant_id=P, cells=frozenset(previous)),
            customers=customers,
            catalogs=catalogs,
            covers_catalog=covers_catalog,
            covers_all_countries=covers_all_countries,
            started_at=AT,
        ),
        counts or {},
        previous,
        {c: p.snapshot_id for c, p in previous.items()} if at_start is None else at_start,
        scope or SCOPE,
        later=later,
    )
    assert table.column_names == list(CELL_COLUMNS)
    rows = {cell(r["customer_id"], r["country"]): r for r in table.to_pylist()}
    assert len(rows) == table.num_rows
    return rows


def before(snapshot: str = "s1", status: str = "covered", **scope: Any) -> Previous:  # Any: JSON
    return Previous(snapshot_id=snapshot, status=status, scope=json.dumps({**SCOPE, **scope}))


def statuses(rows: dict[Cell, Row]) -> dict[Cell, str]:
    return {where: row["status"] for where, row in rows.items()}


# Status -------------------------------------------------------------------------------------


def test_a_customer_covers_a_cell_per_country_and_one_without_country() -> None:
    rows = covered(bench.found(countries=("DE", "FR")))
    assert rows.keys() == {cell(), BY_COUNTRY, cell(country="FR")}


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        (Counts(), "covered"),
        (Counts(answered=5, not_eligible=2), "covered"),
        (Counts(not_eligible=2), "covered"),
        (Counts(answered=5, failed=1), "partly"),
        (Counts(answered=5, skipped=1), "partly"),
        (Counts(failed=1), "failed"),
        (Counts(skipped=1, not_eligible=1), "failed"),
    ],
)
def test_the_outcomes_of_the_checks_decide_a_cells_status(counts: Counts, status: str) -> None:
    rows = covered(bench.found(), counts={BY_COUNTRY: counts})
    assert rows[BY_COUNTRY]["status"] == status
    for outcome in ("answered", "failed", "skipped", "not_eligible"):
        assert rows[BY_COUNTRY][f"checks_{outcome}"] == getattr(counts, outcome)


def test_every_cell_of_a_customer_whose_listing_failed_is_failed() -> None:
    rows = covered(bench.found(failed=Reason.LISTING_FAILED), counts={cell(): Counts(answered=1)})
    assert statuses(rows) == {cell(): "failed", BY_COUNTRY: "failed"}


def test_a_customer_that_left_leaves_all_its_cells_and_no_others() -> None:
    """P5."""
    previous = {cell(): before(), cell(country="FR"): before(), cell("other"): before()}
    rows = covered(bench.found(left=True, countries=()), previous=previous)
    assert statuses(rows) == {cell(): "left", cell(country="FR"): "left"}


def test_a_customer_that_moved_leaves_its_former_country() -> None:
    previous = {cell(): before(), cell(country="FR"): before()}
    rows = covered(bench.found(), previous=previous)
    assert statuses(rows) == {cell(): "covered", BY_COUNTRY: "covered", cell(country="FR"): "left"}


def test_a_run_over_one_country_does_not_cover_other_countries() -> None:
    """P5: a run with --country does not change the cells of other countries."""
    previous = {cell(): before(), cell(country="FR"): before()}
    rows = covered(bench.found(), previous=previous, covers_all_countries=False)
    assert cell(country="FR") not in rows


def test_a_failed_customer_leaves_no_cell() -> None:
    previous = {cell(): before(), cell(country="FR"): before()}
    rows = covered(bench.found(failed=Reason.COUNTRY_UNREADABLE), previous=previous)
    assert "left" not in statuses(rows).values()


def test_an_ended_relationship_covers_its_cells_so_that_rows_are_dropped() -> None:
    previous = {cell(): before(), BY_COUNTRY: before()}
    ended = bench.found(ineligible=Reason.RELATIONSHIP_NOT_RESELLER, countries=())
    assert statuses(covered(ended, previous=previous)) == {cell(): "covered", BY_COUNTRY: "covered"}


@pytest.mark.parametrize(
    ("catalog", "counts", "status"),
    [
        (bench.catalog(bench.sku()), Counts(), "covered"),
        (bench.catalog(bench.sku(), failed=frozenset({"P"})), Counts(), "partly"),
        (bench.catalog(failed=frozenset({""})), Counts(), "failed"),
        (bench.catalog(bench.sku()), Counts(answered=1, failed=1), "partly"),
        (bench.catalog(bench.sku()), Counts(failed=1), "failed"),
    ],
)
def test_the_catalog_of_a_country_is_its_own_cell(
    catalog: CatalogFound, counts: Counts, status: str
) -> None:
    assert statuses(covered(catalogs=(catalog,), counts={CATALOG: counts})) == {CATALOG: status}


def test_the_worse_of_two_reservation_scopes_decides_the_catalogs_cell() -> None:
    good = bench.catalog(bench.sku())
    bad = bench.catalog(bench.sku(), scope="", failed=frozenset({"P"}))
    for catalogs in ((good, bad), (bad, good)):
        assert statuses(covered(catalogs=catalogs)) == {CATALOG: "partly"}


def test_a_forbidden_listing_is_stored_once_in_the_catalogs_cell() -> None:
    """It does not widen or narrow the scope, so the next snapshot is compared as usual."""
    refused = ForbiddenListing(
        country="DE",
        reservation_scope="AzurePlan",
        view="MarketplaceSaaS",
        segment="commercial",
        error_code="400036",
        request_id="r",
        correlation_id="c",
    )
    catalogs = (
        bench.catalog(bench.sku(), forbidden=(refused,)),
        bench.catalog(country="FR"),
    )
    rows = covered(bench.found(), catalogs=catalogs)
    scopes = {where: json.loads(row["scope"]) for where, row in rows.items()}
    [forbidden] = scopes[CATALOG].pop("forbidden")
    assert forbidden == {
        "reservation_scope": "AzurePlan",
        "view": "MarketplaceSaaS",
        "segment": "commercial",
        "error_code": "400036",
        "request_id": "r",
        "correlation_id": "c",
    }
    assert all(scope == SCOPE for scope in scopes.values())
    last = Previous(snapshot_id="s1", status="covered", scope=rows[CATALOG]["scope"])
    again = covered(catalogs=catalogs, previous={CATALOG: last})
    assert not again[CATALOG]["is_baseline"]


def test_a_run_over_some_customers_covers_no_catalog() -> None:
    rows = covered(bench.found(), catalogs=(bench.catalog(bench.sku()),), covers_catalog=False)
    assert rows.keys() == {cell(), BY_COUNTRY}


# Baselines ----------------------------------------------------------------------------------


def is_baseline(previous: Previous | None, **now: object) -> bool:
    rows = covered(
        bench.found(),
        previous={BY_COUNTRY: previous} if previous else {},
        scope={**SCOPE, **now},
    )
    return bool(rows[BY_COUNTRY]["is_baseline"])


def test_the_first_snapshot_and_a_returning_cell_are_baselines() -> None:
    assert is_baseline(None)
    assert is_baseline(before(status="left"))
    assert not is_baseline(before())
    assert not is_baseline(before(status="partly"))
    assert not is_baseline(before(status="failed"))


@pytest.mark.parametrize(
    ("was", "now", "is_wider"),
    [
        ({"views": ["A"]}, {"views": ["A", "B"]}, True),
        ({"views": ["A", "B"]}, {"views": ["A"]}, False),
        ({"views": ["A", "B"]}, {"views": ["B", "A"]}, False),
        ({"views": ["A"]}, {"views": ["B"]}, True),
        ({"regions": ["eastus"]}, {"regions": "all"}, True),
        ({"regions": "all"}, {"regions": ["eastus"]}, False),
        ({"regions": ["eastus"]}, {"regions": ["eastus", "japanwest"]}, True),
        ({}, {"segments": ["commercial"]}, True),
    ],
)
def test_a_widened_scope_is_a_baseline_and_a_narrowed_one_is_not(
    was: Row, now: Row, *, is_wider: bool
) -> None:
    assert is_baseline(before(**was), **now) is is_wider


def test_a_customer_whose_subscriptions_were_never_listed_is_a_baseline() -> None:
    known = Known(partner_tenant_id=P, unlisted=frozenset({(ACME, "", "", "")}))
    rows = covered(bench.found(), known=known, previous={cell(): before(), BY_COUNTRY: before()})
    assert all(row["is_baseline"] for row in rows.values())
    one_plan = Known(partner_tenant_id=P, unlisted=frozenset({(ACME, "", "", "plan")}))
    rows = covered(bench.found(), known=one_plan, previous={cell(): before(), BY_COUNTRY: before()})
    assert not any(row["is_baseline"] for row in rows.values())


def test_each_cell_names_the_snapshot_it_had_before() -> None:
    rows = covered(bench.found(), previous={BY_COUNTRY: before("s7")})
    assert rows[BY_COUNTRY]["previous_snapshot_id"] == "s7"
    assert rows[cell()]["previous_snapshot_id"] == ""
    assert json.loads(rows[BY_COUNTRY]["scope"]) == SCOPE


# Listed -------------------------------------------------------------------------------------


def test_a_cell_published_by_another_run_meanwhile_is_not_listed() -> None:
    """P9: the on-demand run listed the cell later than this run."""
    previous = {cell(): before("s2"), BY_COUNTRY: before("s1")}
    rows = covered(bench.found(), previous=previous, at_start={cell(): "s1", BY_COUNTRY: "s1"})
    assert not rows[cell()]["is_listed"]
    assert rows[BY_COUNTRY]["is_listed"]


def test_a_new_cell_that_another_run_published_is_not_listed() -> None:
    rows = covered(bench.found(), previous={cell(): before("s2")}, at_start={})
    assert not rows[cell()]["is_listed"]
    assert rows[BY_COUNTRY]["is_listed"]


def test_a_cell_that_a_later_run_published_is_not_listed_even_after_a_resume() -> None:
    """P9: when this run was resumed, the other snapshot was already there."""
    rows = covered(
        bench.found(), previous={cell(): before("s2")}, later=LaterRuns(began={cell(): AT})
    )
    assert not rows[cell()]["is_listed"]
    assert rows[BY_COUNTRY]["is_listed"]


@pytest.mark.parametrize("is_gone_here", [True, False])
def test_the_run_that_began_later_says_whether_a_customer_has_left(is_gone_here: bool) -> None:
    """P9."""
    published = "covered" if is_gone_here else "left"
    previous = {cell(): before("s2", published), BY_COUNTRY: before("s2", published)}
    found = bench.found(left=is_gone_here)
    rows = covered(found, previous=previous, later=LaterRuns(began=dict.fromkeys(previous, AT)))
    assert statuses(rows) == {cell(): published, BY_COUNTRY: published}
    rows = covered(found, previous=previous)
    assert published not in statuses(rows).values()


def test_no_cell_of_an_unreadable_customer_is_listed() -> None:
    rows = covered(bench.found(failed=Reason.LISTING_FAILED))
    assert not any(row["is_listed"] for row in rows.values())


# Counts -------------------------------------------------------------------------------------


def test_counts_add_up() -> None:
    counts = Counts()
    for outcome in (*Outcome, Outcome.FAILED):
        counts.add(outcome)
    assert counts == Counts(answered=1, failed=2, skipped=1, not_eligible=1)


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        (Counts(), 0.0),
        (Counts(not_eligible=9), 0.0),
        (Counts(answered=9, failed=1), 0.1),
        (Counts(answered=6, failed=1, skipped=3, not_eligible=90), 0.4),
        (Counts(skipped=1), 1.0),
    ],
)
def test_the_failed_share_counts_only_checks_that_needed_an_answer(
    counts: Counts, share: float
) -> None:
    assert counts.failed_share == pytest.approx(share)
