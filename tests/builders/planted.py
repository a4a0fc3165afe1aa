"""Makes a portfolio whose changes have planted causes, and changes that are independent."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import duckdb
import pyarrow as pa

from auditor.store import causes
from auditor.store.duck import connect
from auditor.tables import SCHEMAS

CODE, QUOTA = "NotAvailableForSubscription", "QuotaId"
P = "aaaaaaaa-0000-0000-0000-000000000001"
NIGHT = datetime(2026, 11, 2, 2, tzinfo=UTC)
REGIONS = ("japanwest", "westeurope", "eastus", "uksouth", "brazilsouth")
FAMILIES = ("Dsv3", "Esv4", "Fsv2", "Lsv2")
SIZES = ("2", "4", "8", "16")
TERMS = ("P1Y", "P3Y")
LICENCES = tuple(f"CFQ7TTC0LH{n}" for n in range(10, 18))
NOISE = "noise"

Row = dict[str, Any]  # one row of any relation


class Planted:
    """The portfolio of one seed. `truth` names what made each change, by event id."""

    def __init__(self, seed: int, *, customers: int = 40, noise: float = 0.003) -> None:
        self.rng = random.Random(seed)  # noqa: S311 - a reproducible world
        self.truth: dict[str, str] = {}
        self._changes: dict[str, Row] = {}
        self._skus = [
            {
                "partner_tenant_id": P,
                "product_id": f"VM{family}",
                "sku_id": f"{region[:2]}{size}{term[1]}",
                "product_title": f"Virtual Machines {family}",
                "sku_title": f"{family}-{size}, {term}",
                "arm_sku_name": f"Standard_{family}_{size}",
                "region": region,
                "family": family,
            }
            for region in REGIONS
            for family in FAMILIES
            for size in SIZES
            for term in TERMS
        ]
        self._customers = [f"customer-{n}" for n in range(customers)]
        self._keys = list(self._all_keys())
        self._plant()
        self._add_noise(noise)

    def _all_keys(self) -> Iterator[tuple[Row, Row]]:
        """Yield each inventory key, and its SKU. One key in twenty is restricted already."""
        for place, customer_id in enumerate(self._customers):
            for number in range(self.rng.choice((1, 1, 1, 2))):
                for sku in self._skus:
                    is_old = self.rng.random() < 0.05
                    key = {
                        "partner_tenant_id": P,
                        "customer_id": customer_id,
                        "country": ("DE", "FR")[place % 2],
                        "azure_subscription_id": f"{customer_id}/{number}",
                        "arm_region": "",
                        "reservation_scope": "AzurePlan",
                        "product_id": sku["product_id"],
                        "sku_id": sku["sku_id"],
                        "verdict": "restricted" if is_old else "unrestricted",
                    }
                    yield key, sku

    def _plant(self) -> None:
        one, two, _ = self.rng.sample(REGIONS, 3)
        family, gone = self.rng.sample(FAMILIES, 2)
        everywhere, *others = self.rng.sample(self._customers, len(self._customers))
        many, some = set(others[: len(others) // 3]), set(others[-4:])
        for key, sku in self._keys:
            who, where, what = key["customer_id"], sku["region"], sku["family"]
            if who == everywhere:
                self._restrict("one customer everywhere", key, QUOTA)
            elif where == one and what == family and who in many:
                self._restrict("one family in a region", key, CODE)
            elif where == two and who in some:
                self._restrict("a region for all families", key, CODE)
        for sku in self._skus:
            if sku["family"] == gone:
                self._change(
                    "a product left the catalog",
                    subject="catalog",
                    kind="left_catalog",
                    country="FR",
                    reservation_scope="AzurePlan",
                    product_id=sku["product_id"],
                    sku_id=sku["sku_id"],
                    verdict_before="unrestricted",
                    verdict_after="not_in_catalog",
                    affected_customers=len(self._customers) // 2,
                )
        self.terms = [
            (customer, licence, term)
            for customer in self._customers
            for licence in self.rng.sample(LICENCES, 3)
            for term in ("P1M", "P1Y", "P3Y")
        ]
        lost = self.rng.choice(LICENCES)
        for customer, licence, term in self.terms:
            if licence == lost:
                self._lose("a licence in all its terms", customer, licence, term)

    def _add_noise(self, share: float) -> None:
        free = [
            key
            for key, sku in self._keys
            if key["verdict"] == "unrestricted"
            and sku["region"] not in self._places()
            and key["customer_id"] not in self._people()
        ]
        for key in self.rng.sample(free, int(len(free) * share)):
            self._restrict(NOISE, key, CODE)
        lifted = [key for key, _ in self._keys if key["verdict"] == "restricted"]
        for key in self.rng.sample(lifted, 3):
            self._lift(key)

    def _places(self) -> set[str]:
        """Return the regions of planted causes: noise there would share what they share."""
        named = {"one family in a region", "a region for all families"}
        return {row["region"] for event, row in self._changes.items() if self.truth[event] in named}

    def _people(self) -> set[str]:
        return {
            row["customer_id"]
            for event, row in self._changes.items()
            if self.truth[event] == "one customer everywhere"
        }

    def _restrict(self, cause: str, key: Row, code: str) -> None:
        if key["verdict"] == "unrestricted":
            self._change(
                cause,
                subject="inventory",
                kind="newly_restricted",
                **{**key, "verdict_before": "unrestricted", "verdict_after": "restricted"},
                reason_codes_after=code,
            )
            key["verdict"] = "restricted"

    def _lift(self, key: Row) -> None:
        self._change(
            NOISE,
            subject="inventory",
            kind="restriction_lifted",
            **{**key, "verdict_before": "restricted", "verdict_after": "unrestricted"},
            reason_codes_before=CODE,
        )
        key["verdict"] = "unrestricted"

    def _lose(self, cause: str, customer: str, licence: str, term: str) -> None:
        self._change(
            cause,
            subject="availability",
            kind="no_longer_purchasable",
            customer_id=customer,
            product_id=licence,
            sku_id="0001",
            segment="commercial",
            term_duration=term,
            verdict_before="purchasable",
            verdict_after="not_purchasable",
        )

    def _change(self, cause: str, **columns: object) -> None:
        event_id = f"e{len(self.truth)}"
        row: Row = {name: "" for name in SCHEMAS["change"].names if name != "business_date"}
        row |= {
            "event_id": event_id,
            "partner_tenant_id": P,
            "snapshot_id": "s2",
            "ordinal": 0,
            "gap_snapshots": 0,
            "affected_customers": 1,
            "suspect": False,
            "before_at": NIGHT,
            "after_at": NIGHT,
            "business_date": NIGHT.date(),
            "company_name": str(columns.get("customer_id", "")).title(),
            **{name: value for name, value in columns.items() if name != "verdict"},
        }
        named = {
            one["sku_id"]: one for one in self._skus if one["product_id"] == row["product_id"]
        }.get(row["sku_id"], {})
        titles = ("product_title", "sku_title", "arm_sku_name", "region", "family")
        row |= {name: named.get(name, "") for name in titles}
        if row["subject"] == "availability":
            row["product_title"] = f"Office {row['product_id'][-2:]}"
        self.truth[event_id] = cause
        self._changes[event_id] = row

    def changes(self) -> pa.Table:
        """Return the changes, as `Store.changes` does."""
        return pa.Table.from_pylist(self.rng.sample(list(self._changes.values()), len(self.truth)))

    def gathered(self) -> tuple[list[Row], dict[str, tuple[str, int]]]:
        """Return the causes, and by event id the place that explains the change."""
        with connect() as con:
            self.register(con)
            found = causes.gather(con, self.changes()).to_pylist()
            placed = con.sql("SELECT event_id, place_of, place FROM placed").fetchall()
        return found, {event: (place_of, place) for event, place_of, place in placed}

    def register(self, con: duckdb.DuckDBPyConnection) -> None:
        """Create what `causes.gather` reads."""
        changed = {
            (row["customer_id"], row["product_id"], row["term_duration"])
            for row in self._changes.values()
            if row["subject"] == "availability"
        }
        licences = [
            {
                "partner_tenant_id": P,
                "customer_id": customer,
                "country": "",
                "reservation_scope": "",
                "segment": "commercial",
                "product_id": licence,
                "sku_id": "0001",
                "term_duration": term,
                "verdict": "purchasable"
                if (customer, licence, term) not in changed
                else "not_purchasable",
            }
            for customer, licence, term in self.terms
        ]
        left = {
            (row["product_id"], row["country"])
            for row in self._changes.values()
            if row["subject"] == "catalog"
        }
        listed = [
            {**sku, "country": country, "reservation_scope": "AzurePlan"}
            for sku in self._skus
            for country in ("DE", "FR")
            if (sku["product_id"], country) not in left
        ]
        con.register("shown_inventory", _table(key for key, _ in self._keys))
        con.register("shown_availability", _table(licences))
        con.register("current_sku", _table(listed))
        con.register("sku_name", _table(self._skus))


def _table(rows: Iterable[Row]) -> pa.Table:
    return pa.Table.from_pylist(list(rows))
