"""`--customer` is decided over all partners together, before any of them is audited."""

import asyncio

import pytest

from auditor.customer_names import CustomerName
from auditor.errors import UsageError
from auditor.run.naming import Naming, NothingNamed
from auditor.scope.customer_list import CustomerMatches

ACME, BOND = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"


def found(**ids: str | tuple[str, ...]) -> CustomerMatches:
    """Return what a partner found: ids by name."""
    each = {name: (one,) if isinstance(one, str) else one for name, one in ids.items()}
    return CustomerMatches(
        ids=each, seen=(CustomerName(customer_id=ACME, company_name="Acme Corporation"),)
    )


async def decided(
    names: tuple[str, ...], *partners: CustomerMatches | None
) -> list[tuple[str, ...] | BaseException]:
    """Return what each partner is told; None stands for one that failed before it looked."""
    naming = Naming(names, map(str, range(len(partners))))

    async def one(partner: str, of: CustomerMatches | None) -> tuple[str, ...]:
        try:
            return () if of is None else await naming.agree(partner, of)
        finally:
            naming.out(partner)

    work = (one(str(place), of) for place, of in enumerate(partners))
    return await asyncio.wait_for(asyncio.gather(*work, return_exceptions=True), 10)


@pytest.mark.asyncio
async def test_each_partner_gets_its_own_customers_and_one_without_any_is_left_out() -> None:
    first, second, third = await decided(
        ("a", "b", "c"), found(a=ACME, c=ACME), found(b=BOND), found()
    )
    assert (first, second) == ((ACME,), (BOND,))
    assert isinstance(third, NothingNamed)


@pytest.mark.asyncio
async def test_a_name_of_two_customers_is_refused_to_every_partner() -> None:
    for partners in (
        (found(a=(ACME, BOND)), found(b=BOND)),
        (found(a=ACME), found(a=BOND, b=ACME)),
    ):
        for error in await decided(("a", "b"), *partners):
            assert isinstance(error, UsageError)
            assert ACME in error.message
            assert BOND in error.message


@pytest.mark.asyncio
async def test_one_customer_of_two_partners_is_one() -> None:
    assert await decided(("a",), found(a=ACME), found(a=ACME)) == [(ACME,), (ACME,)]


@pytest.mark.asyncio
async def test_a_name_that_no_partner_knows_is_refused_with_the_nearest_of_all() -> None:
    nobody = CustomerMatches(ids={"b": (BOND,)}, seen=())
    for error in await decided(("acme corp", "b"), nobody, found()):
        assert isinstance(error, UsageError)
        assert error.error_code == "E_CUSTOMER_UNKNOWN"
        assert "'acme corp'" in error.message
        assert "'b'" not in error.message
        assert "Acme Corporation" in error.hint


@pytest.mark.asyncio
async def test_while_a_partner_could_not_look_nobody_is_unknown() -> None:
    failed, asked, other = await decided(("a", "b"), None, found(a=ACME), found())
    assert (failed, asked) == ((), (ACME,))
    assert isinstance(other, NothingNamed)


@pytest.mark.asyncio
async def test_what_two_partners_know_of_is_ambiguous_though_a_third_failed() -> None:
    _, *others = await decided(("a",), None, found(a=ACME), found(a=BOND))
    assert all(isinstance(error, UsageError) for error in others)
