"""Ask the questions of wave 2, many at once; what became of each is a value."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import aclosing

import msgspec

from auditor import inventory_reply
from auditor.errors import (
    NotFound,
    PartnerCenterError,
    Rejected,
    Unauthorized,
    UnexpectedReply,
)
from auditor.fan_out import fan_out
from auditor.inventory_reply import SkusOf
from auditor.model import (
    Check,
    CheckKind,
    Outcome,
    Question,
    Reason,
    Reply,
    Request,
    Settled,
    Unasked,
)
from auditor.normalize import UNREADABLE, unreadable_availability
from auditor.partner_center import requests, wire
from auditor.partner_center.replies import error_of
from auditor.targets import CUSTOMER, SUBSCRIPTION

NOT_IN_CATALOG_CODES = frozenset({"400013", "400018"})
"""On an availability these are answers: the product or SKU does not exist (facts section 4)."""
UNSENDABLE = "unsendable"
TOO_MUCH = frozenset({400, 413})
"""What a batch with a bad item in it, or too large a batch, is answered with."""


class Fetch:
    """Asks one partner's questions; `skus_of` gives the asked SKUs of a check."""

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Reply]],
        skus_of: SkusOf,
        *,
        lifecycle: bool,
        at_once: int,
    ) -> None:
        self._send = send
        self._skus_of = skus_of
        self._lifecycle = lifecycle
        self._at_once = at_once
        self._is_out = False

    async def ask(
        self, questions: Iterable[Question | Unasked]
    ) -> AsyncGenerator[tuple[Settled, ...]]:
        """Yield what became of each question, in the order of completion.

        A batch that is too much is halved until the bad item stands alone, and of a reply that
        can be trusted in part the rest is set apart: so one question may settle as several.
        """
        async with aclosing(fan_out(questions, self._settle, at_once=self._at_once)) as results:
            async for settled in results:
                yield settled

    async def _settle(self, question: Question | Unasked) -> tuple[Settled, ...]:
        if isinstance(question, Unasked):
            alone = Question(checks=(question.check,))
            return (Settled(question=alone, outcome=question.outcome, reason=question.reason),)
        if self._is_out:
            return (_out(question),)
        return await self._answered(question)

    async def _answered(self, question: Question) -> tuple[Settled, ...]:
        try:
            request = self._request(question)
            reply = await self._send(request)
        except Rejected:  # an id that fits no path is never sent
            if len(question.checks) > 1:
                return await self._halves(question)
            return (Settled(question=question, outcome=Outcome.FAILED, reason=UNSENDABLE),)
        except Unauthorized:
            self._is_out = True
            return (_out(question),)
        settled = _outcome(question, request, reply)
        is_too_much = reply.status in TOO_MUCH or reply.cause == "timeout"
        if len(question.checks) > 1 and settled.outcome is Outcome.FAILED and is_too_much:
            return await self._halves(question)
        if settled.outcome is Outcome.ANSWERED and _is_inventory(question):
            return self._item_by_item(settled, reply.body)
        return (settled,)

    async def _halves(self, question: Question) -> tuple[Settled, ...]:
        middle = len(question.checks) // 2
        first, second = question.checks[:middle], question.checks[middle:]
        return (
            *await self._settle(msgspec.structs.replace(question, checks=first)),
            *await self._settle(msgspec.structs.replace(question, checks=second)),
        )

    def _item_by_item(self, settled: Settled, body: bytes) -> tuple[Settled, ...]:
        """Part the checks that a reply answers from the keys that it says nothing usable of.

        A product of which one SKU is untold is answered; that SKU is a failed check of its own.
        """
        question = settled.question
        try:
            reading = inventory_reply.read(question, body, self._skus_of)
        except wire.Malformed:
            return (_failed(settled, UNREADABLE),)
        apart = ", ".join(f"{count} {reason}" for reason, count in reading.set_apart.items())
        settled = msgspec.structs.replace(settled, set_apart=apart)
        if not reading.untold:
            return (settled,)
        told = {key.check for key in reading.told}
        failed: dict[Check, str] = {}
        for reason, keys in reading.untold.items():
            for key in keys:
                alone = msgspec.structs.replace(key.check, sku_id=key.sku_id)
                failed.setdefault(alone if key.check in told else key.check, reason)
        parts = [
            msgspec.structs.replace(_failed(settled, reason), question=_part(question, checks))
            for reason in reading.untold
            if (checks := tuple(c for c, why in failed.items() if why == reason))
        ]
        answered = tuple(check for check in question.checks if check not in failed)
        if answered:
            whole = _part(question, answered)
            parts.append(msgspec.structs.replace(settled, question=whole, sent=question))
        return tuple(parts)

    def _request(self, question: Question) -> Request:
        check = question.checks[0]
        if _is_inventory(question):
            sent = question.variables
            context = requests.InventoryContext(
                customer_id=check.customer_id if CUSTOMER in sent else "",
                azure_subscription_id=check.azure_subscription_id if SUBSCRIPTION in sent else "",
                arm_region=question.arm_region_name,
            )
            return requests.inventory_request(
                check.country,
                [(c.product_id, c.sku_id) for c in question.checks],
                context,
                question.resource_type,
                for_customer=check.customer_id,
            )
        product_id, sku_id = check.product_id, check.sku_id
        if check.customer_id:
            return requests.customer_availability_request(
                check.customer_id, product_id, sku_id, lifecycle=self._lifecycle
            )
        return requests.availability_request(
            check.country, product_id, sku_id, question.segment, check.reservation_scope
        )


def _is_inventory(question: Question) -> bool:
    return question.checks[0].kind is CheckKind.INVENTORY


def _part(question: Question, checks: tuple[Check, ...]) -> Question:
    return msgspec.structs.replace(question, checks=checks)


def _failed(settled: Settled, reason: str) -> Settled:
    return msgspec.structs.replace(settled, outcome=Outcome.FAILED, reason=reason)


def _out(question: Question) -> Settled:
    return Settled(question=question, outcome=Outcome.SKIPPED, reason=Reason.PARTNER_OUT)


def _outcome(question: Question, request: Request, reply: Reply) -> Settled:
    """Return what a reply means for the question as a whole."""
    error = error_of(request, reply)
    code = error.error_code_sent if error else ""
    is_inventory = _is_inventory(question)
    not_found = not is_inventory and isinstance(error, NotFound) and code in NOT_IN_CATALOG_CODES
    reason = "" if error is None or not_found else _reason(error, reply)
    if error is None and not is_inventory:
        reason = unreadable_availability(reply.body)
    return Settled(
        question=question,
        outcome=Outcome.FAILED if reason else Outcome.ANSWERED,
        reason=reason,
        not_found=not_found,
        key=request.key(),
        http_status=reply.status,
        error_code=code,
        request_id=reply.request_id,
        correlation_id=reply.correlation_id,
        attempts=reply.attempts,
        sent_at=reply.sent_at,
    )


def _reason(error: PartnerCenterError, reply: Reply) -> str:
    """Return a short word for why an answer is missing, for `check_outcome.reason`."""
    if reply.cause:
        return reply.cause
    if isinstance(error, UnexpectedReply):
        return UNREADABLE
    return f"http_{reply.status}"
