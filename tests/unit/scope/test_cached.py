"""Listings that are taken from the store instead of being asked, and when they are not."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from auditor.model import Cell, CommerceSubscription, RememberedListing, Sku
from auditor.scope import cached
from auditor.scope.cached import CatalogAsListed
from auditor.scope.due import Due
from auditor.scope.found import CustomerFound
from auditor.scope.known import Known
from tests.builders.scope import ACME, VIEW, P, azure, customer, legacy_azure, licence, plan, sku

AT = datetime(2026, 11, 21, 2, 0, tzinfo=UTC)
DE = ("DE", "AzurePlan")
LATER = Due(now=AT + timedelta(hours=5), hours=20)
TOO_LATE = Due(now=AT + timedelta(hours=20), hours=20)
COMMERCIAL = RememberedListing(segments=("commercial",))
OF_VIEW = RememberedListing(segments=("commercial",), views=(VIEW,))


def known(*held: CommerceSubscription, registration: str = "Registered", **given: object) -> Known:
    """Return the known rows of one customer with an Azure plan, listed at `AT`."""
    plain: dict[str, object] = {
        "cells": frozenset({Cell(partner_tenant_id=P, customer_id=ACME, country="")}),
        "customers": {ACME: customer()},
        "azure_subscriptions": {ACME: {"a1": azure(registration=registration)}},
        "commerce_subscriptions": {
            ACME: {h.commerce_subscription_id: h for h in (held or (plan(),))}
        },
        "customers_listed": {ACME: AT},
        "countries_read": {ACME: AT},
    }
    return Known(partner_tenant_id=P, **{**plain, **given})  # type: ignore[arg-type] # a test names them


def subscriptions(
    known: Known, due: Due = LATER, *, check_registration: bool = True
) -> CustomerFound | None:
    return cached.subscriptions(
        known, customer(), ("DE",), due, check_registration=check_registration
    )


# Customers ----------------------------------------------------------------------------------


def test_a_customer_that_is_not_due_is_taken_from_the_store() -> None:
    held = (plan(), licence("l1"))
    found = subscriptions(known(*held))
    assert found is not None
    assert found == CustomerFound(
        customer=customer(),
        countries=("DE",),
        azure_subscriptions=(azure(),),
        commerce_subscriptions=held,
        is_cached=True,
    )


def test_a_customer_is_asked_if_it_is_due_or_was_never_fully_answered() -> None:
    assert subscriptions(known(), TOO_LATE) is None
    assert subscriptions(known(customers_listed={})) is None
    assert subscriptions(known(unlisted=frozenset({(ACME, "", "", "")}))) is None


def test_a_registration_never_asked_makes_a_customer_due_if_it_counts() -> None:
    before = known(registration="")
    assert subscriptions(before) is None
    assert subscriptions(before, check_registration=False) is not None


@pytest.mark.parametrize("held", [plan(status="suspended"), legacy_azure("plan")])
def test_a_registration_not_needed_makes_nothing_due(held: CommerceSubscription) -> None:
    assert subscriptions(known(held, registration="")) is not None


def test_a_country_is_asked_if_it_is_due_or_not_known() -> None:
    assert cached.country(known(), ACME, LATER) == customer()
    assert cached.country(known(), ACME, TOO_LATE) is None
    assert cached.country(known(), "nobody", LATER) is None
    assert cached.country(known(countries_read={}), ACME, LATER) is None
    assert cached.country(known(customers={ACME: customer(country="")}), ACME, LATER) is None


# The catalog --------------------------------------------------------------------------------


def catalog(
    *skus: Sku,
    views: Mapping[str, str] | None = None,
    listed: Mapping[tuple[str, str], RememberedListing] | None = None,
    due: Due = LATER,
    segments: tuple[str, ...] = ("commercial",),
    target_views: tuple[str, ...] = (VIEW,),
    unlisted: frozenset[tuple[str, str, str, str]] = frozenset(),
    where: tuple[str, str] = DE,
) -> CatalogAsListed:
    """Return a catalog whose view and whose product DZH1 were answered."""
    skus = skus or (sku(),)
    names = {(f"view:{VIEW}", ""): OF_VIEW, ("DZH1", ""): COMMERCIAL} if listed is None else listed
    known = Known(
        partner_tenant_id=P,
        skus={DE: {s.name: s for s in skus}},
        views={DE: dict({"DZH1": VIEW} if views is None else views)},
        catalog_listed={DE: {name: (AT, what) for name, what in names.items()}},
        unlisted=unlisted,
    )
    return CatalogAsListed(known, where, due, segments=segments, target_views=target_views)


def test_products_and_skus_that_are_not_due_are_taken_from_the_store() -> None:
    of = catalog(sku(), sku("0002"), sku(product_id="DZH2"))
    assert of.products(VIEW) == {"DZH1": "Title of DZH1"}
    assert of.skus("DZH1") == (sku(), sku("0002"))
    assert of.skus("DZH2") is None


@pytest.mark.parametrize(
    "of",
    [
        catalog(due=TOO_LATE),
        catalog(segments=("commercial", "education")),
        catalog(segments=("education",)),
        catalog(where=("DE", "")),
        catalog(where=("FR", "AzurePlan")),
        catalog(listed={}),
        catalog(unlisted=frozenset({("", *DE, "DZH1"), ("", *DE, f"view:{VIEW}")})),
        catalog(views={}, due=TOO_LATE),
    ],
)
def test_a_listing_due_or_never_asked_with_these_settings_is_asked(of: CatalogAsListed) -> None:
    assert of.products(VIEW) is None
    assert of.skus("DZH1") is None
    assert of.sku("DZH1", "0001") is None
    assert of.named("DZH1", [""]) is None


def test_another_order_of_segments_makes_no_listing_due() -> None:
    two = RememberedListing(segments=("commercial", "education"))
    of = catalog(listed={("DZH1", ""): two}, segments=("education", "commercial"))
    assert of.skus("DZH1") == (sku(),)


def test_an_added_view_makes_views_due_but_not_the_sku_lists() -> None:
    """A product belongs to the first view that lists it."""
    of = catalog(target_views=("Other", VIEW))
    assert of.products(VIEW) is None
    assert of.skus("DZH1") == (sku(),)


def test_a_view_with_a_product_whose_title_is_not_known_is_asked() -> None:
    assert catalog(views={"DZH1": VIEW, "DZH9": VIEW}).products(VIEW) is None
    assert catalog(views={"DZH1": VIEW, "DZH9": "Other"}).products(VIEW) is not None


def test_the_sku_list_of_a_product_that_left_is_not_reused() -> None:
    assert catalog(views={}).skus("DZH1") is None


def test_a_sku_that_was_asked_by_id_is_its_own_listing() -> None:
    of = catalog(sku(), sku("0002"), listed={("DZH1", "0002"): COMMERCIAL}, views={"DZH1": ""})
    assert of.sku("DZH1", "0002") == sku("0002")
    assert of.sku("DZH1", "0001") is None
    assert of.named("DZH1", ["0002"]) == "Title of DZH1"
    assert of.named("DZH1", ["0001", "0002"]) is None
    assert of.named("DZH1", [""]) is None


def test_a_listing_is_remembered_with_its_segments_and_views() -> None:
    of = catalog(segments=("education", "commercial"), target_views=("B", "A"))
    assert msgspec.json.encode(of.of_view) == (
        b'{"segments":["commercial","education"],"views":["B","A"]}'
    )
    assert msgspec.json.encode(of.of_skus) == b'{"segments":["commercial","education"]}'
