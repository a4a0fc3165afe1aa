"""P42: a customer is erased from every table of a database, in one transaction."""

from pathlib import Path

import psycopg
import pytest

from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser, reader
from tests.builders.forgetting import (
    SEED,
    TINY,
    inconsistencies,
    live,
    needles,
    rows_of_others,
)
from tests.builders.nightly import nights
from tests.builders.store_lake import ACME, BOND, at, client, cover, publish, stock
from tests.builders.traces import found_in_database


@pytest.mark.asyncio
async def test_no_row_of_a_forgotten_customer_is_left_in_a_database(
    tmp_path: Path, store_url: str
) -> None:
    """P42: in no table, by a dump of all of them; the other rows stay, and all verify."""
    async with nights(tmp_path, SEED, size=TINY, store=store_url) as night:
        traces = await live(night, store_url)
        reader(store_url, ("customer", traces.customer_id))
        store = PostgresStore.open(store_url)
        before = rows_of_others(store, traces.customer_id)
        found = found_in_database(needles(traces), store_url)
        assert {each.partition(" in ")[0] for each in found} == set(needles(traces))
        assert list(inconsistencies(store)) == []

        planned = store.forget(traces, apply=False)
        assert found_in_database(needles(traces), store_url) == found
        assert store.forget(traces, apply=True) == planned
        assert found_in_database(needles(traces), store_url) == []
        assert list(inconsistencies(store)) == []
        assert rows_of_others(store, traces.customer_id) == before
        assert store.forget(traces, apply=True).num_rows == 0

        await night.run(3)
        cells = store.arrow("coverage", customer_id=traces.customer_id)
        assert set(cells.column("previous_snapshot_id").to_pylist()) == {""}
        assert store.arrow("change", customer_id=traces.customer_id).num_rows == 0


@pytest.fixture
def store(postgres_store: PostgresStore) -> PostgresStore:
    """Two nights of two customers."""
    for night in (1, 2):
        rows = {
            "coverage": [cover(c, country) for c in (ACME, BOND) for country in ("", "DE")],
            "customer": [client(ACME, "Acme"), client(BOND, "Bond")],
            "inventory": [stock(c, "1", "restricted", at(night)) for c in (ACME, BOND)],
        }
        publish(postgres_store, f"s{night}", at(night), rows)
    return postgres_store


def test_damage_of_other_rows_stays_visible(store: PostgresStore, store_url: str) -> None:
    """P15, P42: digests are corrected, not computed anew."""
    with as_superuser(store_url) as con:
        con.execute("UPDATE customer_interval SET domain = 'x' WHERE company_name = 'Bond'")
    store.forget(store.traces("Acme"), apply=True)
    faults = [fault.message for fault in store.verify("s1")]
    assert len(faults) == 1
    assert "customer" in faults[0]


def test_an_erasure_that_fails_changes_nothing(store: PostgresStore, store_url: str) -> None:
    """P42: all tables are in one transaction."""
    with as_superuser(store_url) as con:
        con.execute("ALTER TABLE customer_interval ADD CHECK (company_name <> '')")
        con.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN RAISE EXCEPTION 'refused'; END $$"
        )
        con.execute(
            "CREATE TRIGGER refuse BEFORE UPDATE ON publication_digest EXECUTE FUNCTION refuse()"
        )
    before = {name: store.arrow(name) for name in ("coverage", "customer", "inventory")}
    with pytest.raises(Exception, match="refused"):
        store.forget(store.traces("Acme"), apply=True)
    assert {name: store.arrow(name) for name in before} == before
    assert [store.verify(name) for name in ("s1", "s2")] == [[], []]


def test_the_catalog_is_never_erased(store: PostgresStore, store_url: str) -> None:
    """S15: the writer can call the function with any customer, but not with none."""
    del store
    call = "SELECT auditor_tables.forget_customer('', '[]', '[]', '[]')"
    with psycopg.connect(store_url) as con, pytest.raises(psycopg.Error, match="catalog"):
        con.execute(call)
