"""Proven gone is known: the catalog's listings confirm the keys that it no longer has."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from auditor.sandbox import Fault, Faults
from auditor.settings import Cache, Settings
from auditor.settings.values import AvailabilityScope
from tests.builders.nightly import IS_SOAK, Night, nights, seeds

FIRST = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
LAST = 5 if IS_SOAK else 3
"""By then, SKUs have left the catalog."""
GONE = "i.verdict = 'not_in_catalog' AND i.verdict_since_at < p.newest_full_started_at"
GONE_KEYS = (
    f"latest_inventory AS i INNER JOIN partner_now AS p USING (partner_tenant_id) WHERE {GONE}"
)


def of_all_skus(night: Night) -> Settings:
    """Return the configuration that asks for the availability of every SKU."""
    return night.scoped(availability=AvailabilityScope.ALL)


async def run(
    night: Night,
    when: int,
    *,
    later: timedelta = timedelta(),
    exit_status: int = 0,
    settings: Settings | None = None,
) -> None:
    began = FIRST + (when - 1) * DAY + later
    report = await night.run(when, settings=settings or of_all_skus(night), began=began)
    assert report.exit == exit_status


def count(night: Night, query: str) -> int:
    [row] = night.rows(f"SELECT CAST(COALESCE(({query}), 0) AS bigint) AS n")
    number: int = row["n"]
    return number


def stale_products(night: Night) -> Counter[str]:
    """Return the number of stale keys by product. Keys of suspect answers are not counted."""
    rows = night.rows(
        "SELECT product_id FROM latest_inventory WHERE is_stale AND pending_verdict = ''"
        " UNION ALL"
        " SELECT product_id FROM latest_availability WHERE is_stale AND pending_verdict = ''"
    )
    return Counter(row["product_id"] for row in rows)


def assert_nothing_is_unknown(night: Night) -> None:
    assert stale_products(night) == Counter()
    assert count(night, "SELECT count(*) FROM unanswered") == 0
    suspect = count(night, "SELECT count(*) FROM inventory WHERE pending_verdict <> ''")
    assert count(night, "SELECT sum(unknown) FROM fact_restriction_day") == suspect


@pytest.mark.asyncio
@pytest.mark.parametrize("seed", seeds([4], [1, 2, 3, 5]))
async def test_after_nights_without_faults_nothing_is_unknown(seed: int, tmp_path: Path) -> None:
    """P39: not one key, not on one day, though SKUs have left the catalog."""
    async with nights(tmp_path, seed) as night:
        for when in range(1, LAST + 1):
            await run(night, when)
            assert_nothing_is_unknown(night)
        assert count(night, f"SELECT count(*) FROM {GONE_KEYS}") >= 10
        assert count(night, f"SELECT max(answer_age_hours) FROM {GONE_KEYS}") < 1


@pytest.mark.asyncio
async def test_a_listing_that_fails_proves_nothing_that_night(tmp_path: Path) -> None:
    """P39: only the keys of its product are unknown, and the next night nothing is."""
    async with nights(tmp_path, 4) as night:
        for when in range(1, LAST + 1):
            await run(night, when)
        listed = {row["product_id"] for row in night.rows("SELECT product_id FROM latest_sku")}
        gone = {row["product_id"] for row in night.rows(f"SELECT product_id FROM {GONE_KEYS}")}
        assert len(gone) > 1
        product = min(gone & listed)
        night.sandbox.faults = Faults((Fault(endpoint="skus", product=product, status=503),))
        await run(night, LAST, later=HOUR, exit_status=3)
        assert stale_products(night).keys() == {product}
        is_gone = f"product_id = '{product}' AND {GONE}"
        not_stale = f"SELECT count(*) FROM {GONE_KEYS} AND {is_gone} AND NOT is_stale"
        assert count(night, not_stale) == 0
        night.sandbox.faults = Faults()
        await run(night, LAST, later=2 * HOUR)
        assert stale_products(night) == Counter()


@pytest.mark.asyncio
async def test_a_listing_that_is_not_due_still_proves(tmp_path: Path) -> None:
    """P39: as of the time at which it was answered."""
    async with nights(tmp_path, 4) as night:
        cache = Cache(subscriptions=0, catalog=20, billing_country=0)
        settings = msgspec.structs.replace(of_all_skus(night), cache=cache)
        for when in range(1, LAST + 1):
            await run(night, when)
        for hours in (1, 2):
            await run(night, LAST, later=hours * HOUR, settings=settings)
            assert_nothing_is_unknown(night)
        ages = night.rows(f"SELECT DISTINCT round(answer_age_hours) AS age FROM {GONE_KEYS}")
        assert {row["age"] for row in ages} > {2}
