"""In a database too, what is proven gone is known, and proving it again writes no interval."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.sandbox import WorldSize
from auditor.store import open_store
from tests.builders.database_logins import as_superuser
from tests.builders.nightly import nights

FIRST = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
TINY = WorldSize(customers=8, products=3, regions=2, sizes_per_product=2, licence_products=2)
INTERVALS = """
    SELECT
        (SELECT count(*) FROM auditor_tables.inventory_interval),
        (SELECT count(*) FROM auditor_tables.availability_interval)
"""
UNKNOWN = """
    SELECT
        (SELECT count(*) FROM latest_inventory WHERE is_stale AND pending_verdict = '') AS stale,
        (SELECT count(*) FROM unanswered) AS unanswered,
        (SELECT CAST(sum(unknown) AS bigint) FROM fact_restriction_day)
        - (SELECT count(*) FROM inventory WHERE pending_verdict <> '') AS unknown
"""
GONE = """
    SELECT count(*) AS keys, max(i.answer_age_hours) < 1 AS is_young
    FROM latest_inventory AS i
    INNER JOIN partner_now AS p ON p.partner_tenant_id = i.partner_tenant_id
    WHERE i.verdict = 'not_in_catalog' AND i.verdict_since_at < p.newest_full_started_at
"""


@pytest.mark.asyncio
async def test_gone_keys_are_known_at_the_price_of_no_interval(
    tmp_path: Path, store_url: str
) -> None:
    """P39."""
    async with nights(tmp_path, 4, size=TINY, store=store_url) as night:
        counted = []
        for began, when in enumerate((1, 2, 3, 4, 4)):
            report = await night.run(when, began=FIRST + began * timedelta(days=1))
            assert report.exit == 0
            store = open_store(store_url)
            [unknown] = store.sql(UNKNOWN).to_pylist()
            assert set(unknown.values()) == {0}
            with as_superuser(store_url) as con:
                counted.append(con.execute(INTERVALS).fetchone())
        [gone] = store.sql(GONE).to_pylist()
    assert gone["keys"] > 2
    assert gone["is_young"]
    assert counted[-1] == counted[-2]
