"""The figures of a report equal those calculated by hand for a small lake."""

from pathlib import Path

import pytest

from auditor.errors import InputMissing
from auditor.report import masking, summary
from auditor.report.values import HeldBack, Summary
from auditor.store.folder.store import FolderStore
from tests.builders.report_lake import FIRST, SECOND, night_1, on_demand, two_nights
from tests.builders.store_lake import ACME, BOND, at, make


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FolderStore:
    return two_nights(tmp_path_factory.mktemp("report"))


@pytest.fixture(scope="module")
def found(store: FolderStore) -> Summary:
    return summary.read(store)


def test_figures_are_those_of_the_newest_full_snapshot(found: Summary) -> None:
    (one,) = found.partners
    assert (one.snapshot_id, one.status, one.is_complete) == (SECOND, "incomplete", False)
    assert (one.customers, one.azure_subscriptions) == (3, 2)
    assert (one.answered, one.unknown, one.not_eligible) == (3, 2, 1)
    assert one.unknown_share == pytest.approx(2 / 5)


def test_a_naive_fan_out_makes_one_call_per_product_and_context(found: Summary) -> None:
    """Three calls asked four checks: two checks shared the reply r1, and one got no reply."""
    (one,) = found.partners
    listings = one.calls - 3
    assert one.naive_calls == listings + 4


def test_a_check_without_an_answer_is_unknown_and_not_restricted(found: Summary) -> None:
    """BOND's 0011 was restricted the night before; no known key belongs to the check NEW."""
    assert sum(place.restricted for place in found.places) == 1
    assert sum(place.not_in_catalog for place in found.places) == 1
    assert sum(place.unknown for place in found.places) == 2
    assert {place.region for place in found.places if place.restricted} == {"japanwest"}
    assert [(one.family, one.restricted) for one in found.families if one.restricted] == [
        ("Dv3", 1)
    ]


def test_not_in_catalog_without_answer_and_not_asked_are_kept_apart(found: Summary) -> None:
    assert found.not_in_catalog == 1
    assert [(r.outcome, r.reason, r.checks) for r in found.reasons] == [
        ("failed", "timeout", 1),
        ("not_eligible", "plan_not_registered", 1),
        ("skipped", "deadline", 1),
    ]
    assert {(u.customer, u.outcome, u.reason, u.since) for u in found.unknown.rows} == {
        ("Bond", "failed", "timeout", at(1, 2)),
        ("Bond", "skipped", "deadline", None),
    }


def test_old_verdicts_are_counted_and_the_oldest_is_dated(found: Summary) -> None:
    (stale,) = found.stale
    assert (stale.kind, stale.keys, stale.customers, stale.oldest) == ("inventory", 1, 1, at(1, 2))


def test_suspect_changes_are_counted_separately_and_not_listed(found: Summary) -> None:
    assert found.held == HeldBack(keys=1, customers=1)
    assert found.count("newly_restricted") == 1
    assert {row.customer for row in found.changes["newly_restricted"].rows} == {"Acme"}
    assert found.tally["contoso-eu", "newly_restricted"] == 1


def test_a_change_of_terms_is_described_in_words(found: Summary) -> None:
    (row,) = found.changes["terms_changed"].rows
    assert row.difference == "is renewable: no, was yes; renew to: nothing, was A:1"


def test_renewals_at_risk_name_the_sku_and_quantity_to_renew(found: Summary) -> None:
    (one,) = found.renewals.rows
    assert (one.customer, one.sku_title, one.quantity) == ("Acme", "Office", 12)


def test_the_summary_of_an_old_snapshot_shows_only_that_snapshot(store: FolderStore) -> None:
    first = summary.read(store, [FIRST])
    assert first.is_baseline
    assert first.kinds == ()
    assert sum(place.restricted for place in first.places) == 1
    assert sum(place.unknown for place in first.places) == 0
    assert first.renewals.total == 0
    assert [h.snapshot_id for h in first.health] == [FIRST]
    with pytest.raises(InputMissing):
        summary.read(store, ["20301101T020000Z-00000a"])


def test_a_brief_summary_has_changes_but_no_current_state(store: FolderStore) -> None:
    brief = summary.read(store, [SECOND], brief=True)
    assert brief.places == ()
    assert not brief.is_pruned
    assert brief.count("left_catalog") == 2


def test_runs_after_the_newest_full_one_are_included(tmp_path: Path) -> None:
    lake = two_nights(tmp_path)
    on_demand(lake)
    found = summary.read(lake, longest=0)
    assert found.partners[0].snapshot_id == SECOND
    assert (found.count("newly_restricted"), found.count("restriction_lifted")) == (1, 1)
    assert sum(place.restricted for place in found.places) == 0
    commands = {kind: listed.commands for kind, listed in found.changes.items()}
    assert commands["restriction_lifted"] == ("auditor changes --kind restriction_lifted",)
    assert commands["newly_restricted"] == (
        f"auditor changes --kind newly_restricted --snapshot {SECOND}",
    )


def test_a_cut_list_names_the_command_that_shows_the_rest(store: FolderStore) -> None:
    cut = summary.read(store, longest=1).changes["left_catalog"]
    assert (len(cut.rows), cut.total, cut.more) == (1, 2, 1)
    assert cut.commands == ("auditor changes --kind left_catalog",)


def test_the_first_snapshot_is_the_baseline(tmp_path: Path) -> None:
    found = summary.read(night_1(tmp_path))
    assert found.is_baseline
    assert not found.is_pruned
    assert found.changes == {}


def test_the_summary_of_an_empty_store_is_empty(tmp_path: Path) -> None:
    found = summary.read(make(tmp_path))
    assert (found.partners, found.places, found.health) == ((), (), ())


def test_a_masked_customer_has_the_same_pseudonym_everywhere(store: FolderStore) -> None:
    found = summary.read(store, mask=True)
    named = {row.customer for listed in found.changes.values() for row in listed.rows}
    named |= {row.customer for row in found.unknown.rows}
    named |= {row.customer for row in found.renewals.rows}
    assert named == {"", masking.pseudonym(ACME), masking.pseudonym(BOND)}
    assert masking.pseudonym(ACME) != masking.pseudonym(BOND)


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_a_brief_summary_of_a_snapshot_says_the_same(tmp_path: Path, name: str) -> None:
    """It reads only the rows of that snapshot, whatever else the store holds."""
    lake = two_nights(tmp_path)
    whole, brief = summary.read(lake, [name]), summary.read(lake, [name], brief=True)
    for field in ("partners", "kinds", "held", "tally", "causes", "changes", "reasons", "unknown"):
        assert getattr(brief, field) == getattr(whole, field), field
    assert brief.partners
