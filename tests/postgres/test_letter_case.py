"""The letter case of a region writes nothing, nor does what an older version wrote of it."""

from pathlib import Path

import pytest

from auditor.sandbox import WorldSize
from auditor.store import open_store
from tests.builders.database_logins import as_superuser
from tests.builders.nightly import nights

TINY = WorldSize(customers=8, products=3, regions=2, sizes_per_product=2, licence_products=2)
COUNTS = """
    SELECT
        (SELECT count(*) FROM auditor_tables.inventory_interval),
        (SELECT count(*) FROM auditor_tables.restriction_interval),
        (SELECT count(*) FROM auditor_tables.change)
"""
OF_AN_OLDER_VERSION = (
    "UPDATE auditor_tables.inventory_interval SET restriction_values = upper(restriction_values)",
    "UPDATE auditor_tables.restriction_interval SET value = initcap(value)",
)
SPELLINGS = """
    SELECT count(*) AS restricted, bool_and(i.restriction_values = lower(i.restriction_values))
        AND bool_and(r.value = lower(r.value)) AS is_one_spelling
    FROM latest_inventory AS i
    INNER JOIN latest_restriction AS r ON r.inventory_key = i.inventory_key
    WHERE i.restriction_values <> ''
"""


@pytest.mark.asyncio
async def test_letter_case_alone_writes_no_interval(tmp_path: Path, store_url: str) -> None:
    async with nights(tmp_path, 4, size=TINY, store=store_url) as night:
        assert (await night.run(1)).exit == 0
        with as_superuser(store_url) as con:
            before = con.execute(COUNTS).fetchone()
            for statement in OF_AN_OLDER_VERSION:
                assert con.execute(statement).rowcount > 0
        report = await night.run(1)
        assert report.exit == 0
        assert sum(sum(s.changes.values()) for s in report.snapshots) == 0
        with as_superuser(store_url) as con:
            assert con.execute(COUNTS).fetchone() == before
        [found] = open_store(store_url).sql(SPELLINGS).to_pylist()
        assert found["restricted"] > 5
        assert found["is_one_spelling"]
