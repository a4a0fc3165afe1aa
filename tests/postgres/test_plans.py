"""PostgreSQL runs the most frequent queries through an index."""

import json
from typing import Any

import psycopg
import pytest

from auditor.store.postgres.store import PostgresStore
from tests.builders.database_logins import as_superuser, reader
from tests.builders.store_lake import at, client, cover, publish, stock

CUSTOMERS = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(40)]
SKUS = 50


@pytest.fixture
def url(postgres_store: PostgresStore, store_url: str) -> str:
    """Enough keys that reading all of them costs more than looking some up."""
    for night in (1, 2):
        rows = {
            "coverage": [cover(one, country) for one in CUSTOMERS for country in ("", "DE")],
            "customer": [client(one, one[:8]) for one in CUSTOMERS],
            "inventory": [
                stock(one, f"{sku:04}", "restricted", at(night), verdict_since_at=at(1))
                for one in CUSTOMERS
                for sku in range(SKUS)
            ],
        }
        publish(postgres_store, f"2026110{night}T020000Z-00000{night}", at(night), rows)
    with as_superuser(store_url) as con:
        con.execute("ANALYZE")
    return store_url


def nodes(plan: dict[str, Any]) -> list[dict[str, Any]]:  # JSON of PostgreSQL
    return [plan, *(node for part in plan.get("Plans", []) for node in nodes(part))]


def test_the_inventory_of_one_customer_is_found_through_an_index(url: str) -> None:
    query = "SELECT * FROM latest_inventory WHERE customer_id = %s"
    customer = CUSTOMERS[7]
    for login in (url, reader(url, ("everything", "")), reader(url, ("customer", customer))):
        with psycopg.connect(login) as con:
            assert len(con.execute(query, [customer]).fetchall()) == SKUS
            row = con.execute(f"EXPLAIN (FORMAT json) {query}".encode(), [customer]).fetchone()
        assert row
        plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
        found = [
            node["Index Cond"]
            for node in nodes(plan[0]["Plan"])
            if node.get("Index Name", "").startswith("inventory_interval")
        ]
        assert found
        assert all("customer_id =" in condition for condition in found)
        scanned = [
            n["Relation Name"] for n in nodes(plan[0]["Plan"]) if n["Node Type"] == "Seq Scan"
        ]
        assert "inventory_interval" not in scanned
