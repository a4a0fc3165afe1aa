"""`--customer` with several partners: who is asked, who is refused, and who has nothing to do."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from auditor.progress import Silent
from auditor.run.forecast_run import forecast_run
from auditor.run.result import NothingPublished
from auditor.run.runtime import Runtime
from auditor.sandbox import Fault, World
from auditor.sandbox.world.model import Customer
from auditor.settings import Narrow
from tests.builders.nightly import SMALL, Night, nights

TWO = dataclasses.replace(SMALL, partners=2, customers=12)
NOBODY = "00000000-0000-4000-8000-00000000dead"


class Told(Silent):
    """Keeps the names of the events."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def event(self, name: str, **fields: object) -> None:
        del fields
        self.events.append(name)


def sold_to(world: World) -> Iterator[Customer]:
    """Yield a customer of each partner that can be asked about."""
    for partner in world.partners():
        yield next(
            c
            for c in world.customers(partner)
            if c.relationship == "reseller" and c.country in partner.countries
        )


def renamed(world: World, customer: Customer, name: str) -> None:
    """Give a customer another company name, in every night."""
    portfolio = world.portfolio
    other = dataclasses.replace(portfolio.customer_by_id[customer.customer_id], company_name=name)
    portfolio.customer_by_id[customer.customer_id] = other
    of = portfolio.customers_of[customer.partner_tenant_id]
    portfolio.customers_of[customer.partner_tenant_id] = [
        other if one.customer_id == other.customer_id else one for one in of
    ]


async def refused(night: Night, *customers: str) -> NothingPublished:
    """Run for these customers; return the error, once nothing has been checked or published."""
    with pytest.raises(NothingPublished) as caught:
        await night.run(customers=customers)
    assert not night.sandbox.log.of("check_inventory", "customer_availabilities")
    assert night.store.arrow("snapshot").num_rows == 0
    assert caught.value.exit_status == caught.value.report.exit == 64
    return caught.value


async def forecast_refused(night: Night, *customers: str) -> str:
    """Return the error code of a forecast for these customers."""
    runtime = Runtime(environ=night.environ)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - its code is compared
        await forecast_run(night.settings, Narrow(customers=customers), runtime=runtime)
    return str(getattr(caught.value, "error_code", ""))


@pytest.mark.asyncio
async def test_a_name_of_two_customers_is_refused_before_anything_is_checked(
    tmp_path: Path,
) -> None:
    """Of one partner or of two."""
    async with nights(tmp_path, 1, size=TWO) as night:
        one, other = sold_to(night.world)
        renamed(night.world, one, "Café Contoso")
        renamed(night.world, other, "CAFE\u0301 contoso ")
        error = await refused(night, "café contoso", one.domain)
        assert error.error_code == "E_USAGE"
        assert one.customer_id in error.message
        assert other.customer_id in error.message
        assert await forecast_refused(night, "café contoso") == "E_USAGE"

        first, second = night.world.customers(night.world.partners()[0])[:2]
        renamed(night.world, first, "Twins")
        renamed(night.world, second, "twins")
        error = await refused(night, "TWINS")
        assert first.customer_id in error.message
        assert second.customer_id in error.message


@pytest.mark.asyncio
async def test_who_does_not_have_the_customer_is_not_a_failure(tmp_path: Path) -> None:
    async with nights(tmp_path, 1, size=TWO) as night:
        one, other = sold_to(night.world)
        for name in (one.domain.upper(), f"{other.company_name} ", one.customer_id.upper()):
            told = Told()
            report = await night.run(customers=(name,), progress=told)
            assert report.exit == 0
            [snapshot] = report.snapshots
            assert snapshot.published
            assert not {"partner.not_published", "partner.failed"} & set(told.events)
        both = await night.run(customers=(one.domain, other.domain))
        assert [s.published for s in both.snapshots] == [True, True]
        runtime = Runtime(environ=night.environ)
        narrow = Narrow(customers=(other.domain,))
        found = await forecast_run(night.settings, narrow, runtime=runtime)
        owner = night.world.partner(other.partner_tenant_id)
        assert {line.partner for line in found.lines} == {owner.name}


@pytest.mark.asyncio
@pytest.mark.parametrize("is_id", [False, True])
async def test_who_is_nobodys_customer_is_refused_though_another_is_found(
    tmp_path: Path, *, is_id: bool
) -> None:
    """The names nearest to it are looked for in every partner."""
    async with nights(tmp_path, 1, size=TWO) as night:
        one, other = sold_to(night.world)
        name = NOBODY if is_id else other.company_name[:-1]
        error = await refused(night, one.domain, name)
        assert error.error_code == "E_CUSTOMER_UNKNOWN"
        assert name in error.message
        assert one.domain not in error.message
        assert is_id or other.company_name in error.hint
        assert await forecast_refused(night, name) == "E_CUSTOMER_UNKNOWN"


@pytest.mark.asyncio
async def test_while_a_partner_fails_its_customers_are_not_unknown(tmp_path: Path) -> None:
    async with nights(tmp_path, 1, size=TWO) as night:
        one, other = sold_to(night.world)
        first, second = night.world.partners()
        night.sandbox.faults.add(
            Fault(endpoint="customers", partner=second.name, status=401, code="900421")
        )
        report = await night.run(customers=(one.domain,))
        assert (report.exit, [s.published for s in report.snapshots]) == (3, [True, False])
        with pytest.raises(NothingPublished) as caught:
            await night.run(customers=(other.domain,))
        assert caught.value.exit_status == 77
        assert [s.partner for s in caught.value.report.snapshots] == [second.name]
        assert first.name != second.name


@pytest.mark.asyncio
async def test_the_library_finds_whom_a_run_finds(tmp_path: Path) -> None:
    async with nights(tmp_path, 1, size=TWO) as night:
        one, other = sold_to(night.world)
        renamed(night.world, one, "Straße")
        await night.run()
        for name in ("STRASSE", one.domain.upper(), one.customer_id.upper(), " straße "):
            assert night.store.find_customer(name) == one.customer_id
            assert (await night.run(customers=(name,))).exit == 0
        assert night.store.changes(customer="strasse").num_rows == 0
        assert other.customer_id != one.customer_id
