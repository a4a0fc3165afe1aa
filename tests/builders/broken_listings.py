"""Random nights whose listings fail, from the first night on, held against the truth of each night.

A listing is a list that discovery asks for: customers, subscriptions, entitlements, products, SKUs.
"""

import json
import random
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from unittest.mock import patch

from auditor.sandbox import Fault, Faults, WorldSize
from tests.builders.nightly import INVENTORY_KEY, Key, Night, nights

TINY = WorldSize(customers=24, products=2, regions=2, sizes_per_product=1, licence_products=3)
PAGE = 5
"""Customers on a page: each partner's list has several."""
PAGE_SIZE = "auditor.sandbox.answers.customers.LARGEST_PAGE"
LISTS = ("customers", "subscriptions", "entitlements", "products", "skus")
SINGLE = ("customer", "registration")
"""Asked by id: the billing country, and whether a plan may buy reservations."""
ACTIONS: dict[str, dict[str, Any]] = {
    "503": {"status": 503},
    "HTML": {"body": "<html><body>Service unavailable</body></html>"},
    "cut": {"cut": True},
    "empty": {"body": ""},
    "204": {"status": 204, "body": ""},
    "403": {"status": 403, "code": "20002"},
    "short": {"body": json.dumps({"totalCount": 16, "items": []})},
}
OUT = {("customers", "403"), ("products", "403")}
"""These say that the partner's own credential is refused: nothing of it is published."""
BROKEN_NIGHTS = 5
FROM = {
    "newly_restricted": "unrestricted",
    "restriction_lifted": "restricted",
    "restriction_changed": "restricted",
}


def covered(key: Mapping[str, str], unanswered: Iterable[Mapping[str, str]]) -> bool:
    """Tell whether a row of `unanswered` says that the key is unknown."""
    for row in unanswered:
        if row["partner_tenant_id"] != key["partner_tenant_id"] or row["kind"] == "availability":
            continue
        names: Iterable[str] = INVENTORY_KEY[1:]
        if row["kind"] == "listing":  # it names a plan where a check names an Azure subscription
            names = ("customer_id", "country", "reservation_scope", "product_id", "sku_id")
        if all(row[name] in {"", key[name]} for name in names):
            return True
    return False


def silent(night: Night, number: int) -> list[Key]:
    """Return the keys of the truth that are neither known nor said to be unknown.

    A key that left the catalog before its first answer is not there to be known.
    """
    known = night.inventory()
    unanswered = night.rows("SELECT * FROM unanswered")
    return [
        key
        for key, (verdict, *_) in night.inventory_truth(number).items()
        if verdict != "not_in_catalog"
        and key not in known
        and not covered(dict(zip(INVENTORY_KEY, key, strict=True)), unanswered)
    ]


def random_faults(night: Night, rng: random.Random) -> Faults:
    """Return faults of one to three listings, each for a share of its calls."""
    chosen = []
    for listing in rng.sample((*LISTS, *SINGLE), rng.randint(1, 3)):
        fit = [name for name in ACTIONS if (listing, name) not in OUT]
        how = ACTIONS[rng.choice(fit)]
        if listing == "customers":
            after = rng.randint(1, 2)
            chosen += [
                Fault(endpoint=listing, partner=partner.name, after=after, **how)
                for partner in night.world.partners()
            ]
        else:
            chosen.append(Fault(endpoint=listing, share=rng.choice((0.2, 0.5, 1.0)), **how))
    return Faults(chosen, seed=rng.randrange(1000))


async def problems_of_nights(seed: int, folder: Path) -> list[str]:
    """Run nights with broken listings and one without; return what is lost, false or silent."""
    problems: list[str] = []
    rng = random.Random(seed)  # noqa: S311 - repeatable on purpose
    with patch(PAGE_SIZE, PAGE):
        async with nights(folder, seed, size=TINY) as night:
            for number in range(1, BROKEN_NIGHTS + 1):
                night.sandbox.faults = random_faults(night, rng)
                report = await night.run(number)
                problems += [
                    f"lost: night {number}: {each.partner} published nothing"
                    for each in report.snapshots
                    if not each.published
                ]
                problems += [f"silent: night {number}: {key}" for key in silent(night, number)]
                problems += _false_verdicts(night, number)
            night.sandbox.faults = Faults()
            last = BROKEN_NIGHTS + 1
            report = await night.run(last)
            if report.exit:
                problems.append(f"lost: the night without faults ended with {report.exit}")
            problems += [*_false_changes(night), *_untrue_at_the_end(night, last)]
    return problems


def _false_verdicts(night: Night, number: int) -> Iterator[str]:
    """Yield the keys that are said to be fresh and whose verdict is not the night's truth."""
    truth = night.inventory_truth(number)
    for row in night.rows("SELECT * FROM latest_inventory WHERE NOT is_stale"):
        key = tuple(row[name] for name in INVENTORY_KEY)
        verdict, *_ = truth.get(key, ("not_in_catalog",))
        if row["verdict"] != verdict and not row["pending_verdict"]:
            yield f"false: night {number}: {key} is {row['verdict']}, not {verdict}"


def _false_changes(night: Night) -> Iterator[str]:
    """Yield the inventory changes that do not agree with the truth of the nights they name.

    A key whose subscription left behind a failing listing is carried, and may leave and enter the
    catalog there, so only the changes of a verdict have a truth to begin with.
    """
    order = {
        row["snapshot_id"]: number
        for partner in night.world.partners()
        for number, row in enumerate(
            night.store.arrow("snapshot", partner=partner.name).sort_by("sequence").to_pylist(),
            start=1,
        )
    }
    for row in night.rows("SELECT * FROM change WHERE subject = 'inventory'"):
        key = tuple(row[name] for name in INVENTORY_KEY)
        truth = night.inventory_truth(order[row["snapshot_id"]])
        is_true = row["verdict_after"] == truth.get(key, ("not_in_catalog",))[0]
        if row["kind"] in FROM:
            before = night.inventory_truth(order[row["before_snapshot_id"]])
            is_true &= before.get(key, ("",))[0] == FROM[row["kind"]]
        if not is_true:
            yield f"false: {row['kind']} of {key}"


def _untrue_at_the_end(night: Night, number: int) -> Iterator[str]:
    """Yield the keys that do not have their true verdict after a night without faults."""
    found, truth = night.inventory(), night.inventory_truth(number)
    gone = ("not_in_catalog",)
    for key in sorted(found.keys() | truth.keys()):
        known, true = found.get(key, gone), truth.get(key, gone)
        is_same = known == true if key in found.keys() & truth.keys() else known[0] == true[0]
        if not is_same:
            yield f"lost: at the end {key} is {known[0]}, not {true[0]}"
