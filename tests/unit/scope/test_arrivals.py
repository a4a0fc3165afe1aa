"""Customers are found one by one while the run goes on."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from auditor.model import Customer
from auditor.scope.arrivals import Arrivals
from auditor.scope.found import CustomerFound

pytestmark = pytest.mark.asyncio


def found(name: str) -> CustomerFound:
    customer = Customer(
        partner_tenant_id="t",
        customer_id=name,
        company_name="",
        domain="",
        country="DE",
        relationship="",
        reseller_id="",
    )
    return CustomerFound(customer=customer)


def ids(customers: list[CustomerFound]) -> list[str]:
    return [each.customer.customer_id for each in customers]


class Source:
    """Yields the customers that the test puts into its queue."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[CustomerFound | Exception | None] = asyncio.Queue()
        self.is_closed = False

    async def __call__(self, count: int) -> AsyncGenerator[CustomerFound | None]:
        try:
            for _ in range(count):
                each = await self.queue.get()
                if isinstance(each, Exception):
                    raise each
                yield each
        finally:
            self.is_closed = True


async def test_until_waits_until_few_customers_are_missing_or_none() -> None:
    source, steps = Source(), list[CustomerFound]()
    async with Arrivals(source(3), 3, steps.append) as arrivals:
        waiting = asyncio.create_task(arrivals.until(1))
        source.queue.put_nowait(found("a"))
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()

        source.queue.put_nowait(None)  # a customer of another country: not returned
        await waiting
        assert ids(arrivals.take()) == ["a"]

        source.queue.put_nowait(found("c"))
        await arrivals.until(0)
        assert ids(arrivals.take()) == ["c"]
        assert arrivals.take() == []
    assert ids(steps) == ["a", "c"]


async def test_an_error_in_the_background_is_raised_where_it_is_awaited() -> None:
    source = Source()
    async with Arrivals(source(2), 2, lambda _: None) as arrivals:
        await arrivals.until(2)
        source.queue.put_nowait(RuntimeError("a bug"))
        with pytest.raises(RuntimeError, match="a bug"):
            await arrivals.until(0)


async def test_leaving_the_block_ends_the_search() -> None:
    source = Source()
    async with Arrivals(source(2), 2, lambda _: None) as arrivals:
        source.queue.put_nowait(found("a"))
        await arrivals.until(1)
    assert source.is_closed
