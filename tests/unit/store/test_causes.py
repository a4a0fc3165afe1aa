"""Changes with one cause are gathered, and independent changes stay apart."""

from collections import Counter

import pytest

from auditor.store import causes, history
from auditor.store.duck import connect
from tests.builders.planted import NOISE, Planted

RIGHT = 0.95


@pytest.mark.parametrize("seed", range(8))
def test_planted_causes_are_found_and_noise_stays_apart(seed: int) -> None:
    world = Planted(seed)
    found, placed = world.gathered()
    explained = {event: place for event, place in placed.items() if place[0] != "single"}
    of_place = Counter(explained.values())
    taken = set()
    for cause in sorted(set(world.truth.values()) - {NOISE}):
        own = [event for event, made in world.truth.items() if made == cause]
        place, inside = Counter(explained.get(event) for event in own).most_common(1)[0]
        assert place is not None, cause
        assert place not in taken, cause
        assert inside >= RIGHT * len(own), cause
        assert inside >= RIGHT * of_place[place], cause
        taken.add(place)
    noise = [event for event, made in world.truth.items() if made == NOISE]
    assert sum(event not in explained for event in noise) >= RIGHT * len(noise)
    assert sum(row["keys"] for row in found) == len(world.truth)


def test_a_cause_says_what_its_changes_have_in_common() -> None:
    found, _ = Planted(3).gathered()
    (catalog,) = [row for row in found if row["subject"] == "catalog"]
    assert (catalog["product_title"], catalog["country"]) == ("Virtual Machines Esv4", "FR")
    assert (catalog["keys"], catalog["skus"], catalog["customers"]) == (40, 40, 20)
    (licence,) = [row for row in found if row["subject"] == "availability"]
    assert licence["cause"] == "1 SKU of Office 11, terms P1M and P1Y and P3Y, 17 customers"
    (everywhere,) = [row for row in found if row["reason_codes"] == "QuotaId"]
    assert (everywhere["customers"], everywhere["company_name"]) == (1, "Customer-10")
    assert everywhere["cause"].startswith("QuotaId in 5 regions: ")
    (family,) = [row for row in found if row["family"] == "Fsv2" and not row["is_single"]]
    assert family["changed_share"] == family["keys"] / family["known"]
    assert [row["is_single"] for row in found] == sorted(row["is_single"] for row in found)


def test_changes_without_known_keys_are_gathered_too() -> None:
    """A pruned store knows the keys of its changes only."""
    world = Planted(4, noise=0.0)
    with connect() as con:
        world.register(con)
        for name in ("shown_inventory", "shown_availability", "current_sku", "sku_name"):
            con.register(name, con.sql(f"FROM {name}").to_arrow_table().slice(0, 0))
        found = causes.gather(con, world.changes()).to_pylist()
        nothing = causes.gather(con, world.changes().slice(0, 0))
    assert sum(row["keys"] for row in found) == len(world.truth)
    assert nothing.num_rows == 0


def test_changes_of_several_subscriptions_or_terms_are_one_row_for_people() -> None:
    world = Planted(3)
    changes = world.changes()
    rows = history.alike(changes).to_pylist()
    assert sum(row["keys"] for row in rows) == changes.num_rows
    assert {row["term_duration"] for row in rows if row["subject"] == "availability"} == {
        "P1M;P1Y;P3Y"
    }
    several = [row for row in rows if row["subscriptions"] == 2]
    assert several
    assert all(row["azure_subscription_id"] == "" and row["keys"] == 2 for row in several)
