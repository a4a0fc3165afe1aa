"""20,000 malformed replies: each has a typed outcome, no key is lost, and nothing crashes."""

import pytest

from tests.builders import replies

SHARES = 8
EACH = 20_000 // SHARES


@pytest.mark.asyncio
@pytest.mark.parametrize("share", range(SHARES))
async def test_every_reply_has_a_typed_outcome_and_no_key_is_lost(share: int) -> None:
    """P24, P26, P28: rows 21, 22 and 25."""
    failed: list[str] = []
    sent = await replies.many(EACH, share * 1_000_000, replies.at_once, failed.append)
    assert sent >= EACH
    assert failed == []


@pytest.mark.asyncio
async def test_the_same_holds_over_a_socket() -> None:
    failed: list[str] = []
    async with replies.by_socket() as carry:
        await replies.many(300, 0, carry, failed.append)
    assert failed == []
