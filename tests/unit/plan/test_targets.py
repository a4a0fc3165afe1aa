"""The SKUs of a catalog become target items."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import Sku
from auditor.plan.targets import REGION, Target, by_context, targets
from tests.builders.scope import BOTH, catalog, rules, sku

WITH_REGION = f"ArmRegionName;{BOTH}"


def items(*skus: Sku, **given: object) -> list[tuple[str, str, str]]:
    """Return product, SKU and region of each target item."""
    found, _ = targets(catalog(*skus), rules(**given))
    return sorted((t.product_id, t.sku_id, t.region) for t in found)


def test_a_product_whose_asked_skus_share_a_context_is_asked_whole() -> None:
    found, _ = targets(catalog(sku("0001"), sku("0002")), rules())
    [target] = found
    assert (target.sku_id, target.skus) == ("", ("0001", "0002"))


def test_skus_of_different_regions_are_asked_singly_in_their_spelling() -> None:
    skus = [
        sku("0001", variables=WITH_REGION, region="KoreaSouth"),
        sku("0002", variables=WITH_REGION, region="eastus"),
    ]
    found, _ = targets(catalog(*skus), rules())
    assert [(t.sku_id, t.region, t.region_name) for t in found] == [
        ("0001", "koreasouth", "KoreaSouth"),
        ("0002", "eastus", "eastus"),
    ]


def test_skus_that_need_the_same_region_are_asked_as_a_whole_product() -> None:
    skus = [sku(s, variables=WITH_REGION, region="EastUS") for s in ("0001", "0002")]
    assert items(*skus) == [("DZH1", "", "eastus")]


def test_a_region_that_no_sku_needs_is_not_sent_and_does_not_split() -> None:
    skus = [sku("0001", region="eastus"), sku("0002", region="japanwest")]
    assert items(*skus) == [("DZH1", "", "")]


def test_skus_that_need_different_variables_are_asked_one_by_one() -> None:
    skus = [sku("0001", variables=BOTH), sku("0002", variables="CustomerId")]
    assert items(*skus) == [("DZH1", "0001", ""), ("DZH1", "0002", "")]


def test_a_product_is_not_asked_whole_if_an_unasked_sku_needs_more() -> None:
    """Partner Center would check the other SKU too, and answer 400026."""
    other = sku("0002", variables=WITH_REGION, prerequisites="")
    assert items(sku("0001"), other) == [("DZH1", "0001", "")]
    harmless = sku("0002", variables="CustomerId", prerequisites="")
    assert items(sku("0001"), harmless) == [("DZH1", "", "")]


def test_a_product_whose_listing_failed_is_asked_by_sku() -> None:
    """Only its SKUs in the configuration are known."""
    found, _ = targets(catalog(sku("0001"), answered=()), rules())
    assert [t.sku_id for t in found] == ["0001"]


def test_only_skus_that_need_a_check_or_are_named_are_asked() -> None:
    plain = sku("0002", variables="", prerequisites="")
    assert items(plain) == []
    for name in (("DZH1", ""), ("DZH1", "0002")):
        found, _ = targets(catalog(plain, named=frozenset({name})), rules())
        assert [t.skus for t in found] == [("0002",)]


def test_a_sku_in_no_view_is_asked_only_if_it_is_named() -> None:
    found, _ = targets(catalog(sku(), view=""), rules())
    assert found == []
    found, _ = targets(catalog(sku(), view="", named=frozenset({("DZH1", "")})), rules())
    assert [t.skus for t in found] == [("0001",)]


def test_skus_of_configured_regions_and_without_a_region_are_asked() -> None:
    skus = [sku("0001", region="eastus"), sku("0002", region="japanwest"), sku("0003", region="")]
    found, _ = targets(catalog(*skus), rules(arm_regions=("japanwest",)))
    assert [t.skus for t in found] == [("0002", "0003")]


def test_a_sku_that_needs_a_region_and_has_none_is_asked_in_each() -> None:
    placeless = sku(variables=WITH_REGION, region="")
    found, without = targets(catalog(placeless), rules(arm_regions=("eastus", "japanwest")))
    assert [(t.sku_id, t.region, t.region_name) for t in found] == [
        ("0001", "eastus", "eastus"),
        ("0001", "japanwest", "japanwest"),
    ]
    assert without == []


def test_a_sku_that_needs_a_region_has_no_target_if_none_is_configured() -> None:
    placeless = sku(variables=WITH_REGION, region="")
    assert targets(catalog(placeless), rules()) == ([], [placeless])


def test_items_with_equal_variables_region_and_resource_type_share_a_batch() -> None:
    skus = [
        sku("0001", "P1"),
        sku("0001", "P2"),
        sku("0001", "P3", variables=WITH_REGION, region="eastus"),
        sku("0001", "P4", variables="CustomerId"),
    ]
    found, _ = targets(catalog(*skus), rules())
    contexts = by_context(found, rules())
    assert {key[:2]: [t.product_id for t in group] for key, group in contexts.items()} == {
        (("AzureSubscriptionId", "CustomerId"), ""): ["P1", "P2"],
        (("ArmRegionName", "AzureSubscriptionId", "CustomerId"), "eastus"): ["P3"],
        (("CustomerId",), ""): ["P4"],
    }


@pytest.mark.parametrize(
    ("api", "is_route_gone", "view", "expected"),
    [
        ("check_inventory", True, "AzureReservationsVM", ""),
        ("auto", False, "AzureReservationsVM", ""),
        ("auto", True, "AzureReservationsVM", "VirtualMachines"),
        ("by_resource_type", False, "AzureReservationsVM", "VirtualMachines"),
        ("by_resource_type", False, "AzureReservationsSQL", None),
    ],
)
def test_the_resource_type_of_the_view_is_used_only_with_the_other_api(
    api: str, view: str, expected: str | None, *, is_route_gone: bool
) -> None:
    typed = rules(
        inventory_api=api,
        is_route_gone=is_route_gone,
        resource_types={"AzureReservationsVM": "VirtualMachines"},
    )
    found, _ = targets(catalog(sku(), view=view), typed)
    assert [key[2] for key in by_context(found, typed)] == [expected]


def test_a_learned_variable_is_sent_like_a_listed_one() -> None:
    known = catalog(
        sku("0001", region="eastus"),
        sku("0002", region="westus"),
        learned={"DZH1": ("ArmRegionName",)},
    )
    found, _ = targets(known, rules())
    assert {(t.sku_id, t.region) for t in found} == {("0001", "eastus"), ("0002", "westus")}
    assert {t.variables for t in found} == {("ArmRegionName", *BOTH.split(";"))}


some_skus = st.lists(
    st.builds(
        sku,
        st.sampled_from(["0001", "0002", "0003", "000S"]),
        st.sampled_from(["P1", "P2"]),
        variables=st.sampled_from([BOTH, WITH_REGION, "CustomerId", ""]),
        region=st.sampled_from(["", "EastUS", "japanwest"]),
        prerequisites=st.sampled_from(["InventoryCheck", "Other;InventoryCheck", ""]),
    ),
    max_size=8,
    unique_by=lambda s: s.name,
)


@given(some_skus, st.sampled_from([None, ("eastus",), ("eastus", "japanwest")]))
def test_each_asked_sku_is_asked_once_in_each_region_it_needs(
    skus: list[Sku], arm_regions: tuple[str, ...] | None
) -> None:
    found, without = targets(catalog(*skus), rules(arm_regions=arm_regions))
    asked = Counter((t.product_id, name, t.region) for t in found for name in t.skus)
    expected: Counter[tuple[str, str, str]] = Counter()
    for each in skus:
        if "InventoryCheck" not in each.purchase_prerequisites.split(";"):
            continue
        if arm_regions and each.region and each.region not in arm_regions:
            continue
        regions: Iterable[str] = [""]
        if REGION in each.inventory_variables:
            regions = [each.region] if each.region else arm_regions or ()
        expected.update((*each.name, region) for region in regions)
    assert asked == expected
    assert {s.name for s in without} == {
        s.name
        for s in skus
        if "InventoryCheck" in s.purchase_prerequisites
        and REGION in s.inventory_variables
        and not s.region
        and not arm_regions
    }


@given(some_skus)
def test_the_context_of_a_whole_product_is_enough_for_all_its_skus(skus: list[Sku]) -> None:
    found, _ = targets(catalog(*skus), rules())
    for target in found:
        of_product = [s for s in skus if s.product_id == target.product_id]
        by_name = {s.sku_id: s for s in of_product}
        for name in target.skus:
            assert by_name[name].inventory_variables == ";".join(target.variables)
        if not target.sku_id:
            needed = {v for s in of_product for v in s.inventory_variables.split(";") if v}
            assert needed <= set(target.variables)


@pytest.mark.parametrize("whole", [True, False])
def test_a_target_says_why_it_is_asked_that_way(*, whole: bool) -> None:
    second = sku("0002") if whole else sku("0002", variables="CustomerId")
    found: list[Target] = targets(catalog(sku(), second), rules())[0]
    assert {t.why.split(":")[0] for t in found} == {"whole products" if whole else "by SKU"}
