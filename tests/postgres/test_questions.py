"""The morning's questions have the same answers in both stores."""

from pathlib import Path

from auditor.questions.affected import affected
from auditor.questions.alternatives import alternatives
from auditor.questions.renewals import renewals
from auditor.questions.skus import AskedSku
from auditor.questions.timeline import timeline
from auditor.store.postgres.store import PostgresStore
from tests.builders import report_lake
from tests.builders.store_lake import ACME, BOND, at
from tests.postgres.test_both_stores import copy_snapshots


def test_each_answer_is_that_of_the_folder(tmp_path: Path, postgres_store: PostgresStore) -> None:
    lake = report_lake.two_nights(tmp_path)
    copy_snapshots(lake, postgres_store)

    for sku in (
        AskedSku(product_id=report_lake.PRODUCT),
        AskedSku(product_id=report_lake.PRODUCT, sku_id="0011", region="japanwest"),
        AskedSku(product_id=report_lake.OFFICE, sku_id="0001"),
    ):
        expected = affected(lake, sku)
        assert expected.table.num_rows
        assert affected(postgres_store, sku) == expected
    asked = AskedSku(product_id=report_lake.PRODUCT)
    expected_instead = alternatives(lake, ACME, asked)
    assert expected_instead.about.num_rows
    assert alternatives(postgres_store, ACME, asked) == expected_instead
    expected_past = timeline(lake, BOND, asked)
    assert expected_past.table.num_rows
    assert timeline(postgres_store, BOND, asked) == expected_past
    expected_renewals = renewals(lake, at(2), 90)
    assert expected_renewals.total == 1
    assert renewals(postgres_store, at(2), 90) == expected_renewals
