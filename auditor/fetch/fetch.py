"""Sends the questions of wave 2, many at once. A failed question is a value, not an exception."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, suppress

import msgspec

from auditor.concurrency import fan_out
from auditor.errors import Does, PartnerCenterError, Rejected, Unauthorized
from auditor.fetch.learned_context import Learning
from auditor.model import (
    UNREADABLE,
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
from auditor.normalize import inventory
from auditor.normalize.availability import unreadable_availability
from auditor.partner_center import decoding, requests
from auditor.partner_center.error_table import NO_SUCH_SKU
from auditor.partner_center.replies import error_of
from auditor.plan.plan import Plan
from auditor.plan.targets import CUSTOMER, SUBSCRIPTION

UNSENDABLE = "unsendable"
TRIES = 3
"""The most questions that are asked to see whether checkInventory is back, one per customer."""

ReportEvent = Callable[..., None]
"""A function that logs an event: it takes the event's name, and its fields by keyword."""


class Fetched(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one round of questions."""

    settled: tuple[Settled, ...]
    """How the questions ended, in the order in which they ended."""
    waiting: tuple[Check, ...]
    """Checks that are not settled: `once_more` plans them with a learned context."""
    plan: Plan
    """The plan of this round. It is on the newer API if checkInventory turned out to be gone and
    the newer API answered."""


class Fetch:
    """Sends one partner's questions, round by round."""

    def __init__(
        self,
        send: Callable[[Request], Awaitable[Reply]],
        report: ReportEvent,
        *,
        lifecycle: bool,
        at_once: int,
    ) -> None:
        self._send = send
        self._report = report
        self._lifecycle = lifecycle
        self._at_once = at_once
        self._is_out = False
        self._moving = asyncio.Lock()
        self._newer: Plan | None = None
        """The plan on the newer API; None until checkInventory has said twice that it is gone."""
        self._is_none_told = False
        self._learning = Learning()
        self._posted: set[str] = set()
        """Endpoints that answered a GET with 405; they get a POST."""
        self._plan: Plan
        """The plan of the current round."""

    async def ask(
        self,
        plan: Plan,
        questions: Iterable[Question | Unasked],
        follow: Callable[[tuple[Settled, ...]], None] = lambda _: None,
    ) -> Fetched:
        """Settle the questions of a plan; `follow` gets the parts of each as soon as it settles.

        One question may settle in several parts. A refused batch is halved until the bad item
        stands alone. Each key without a usable item in the reply becomes a check of its own.
        """
        self._plan = plan
        if self._newer is not None:
            self._newer = plan.moved()
        settled: list[Settled] = []
        async with aclosing(fan_out(questions, self._settle, at_once=self._at_once)) as results:
            async for parts in results:
                settled += parts
                follow(parts)
        return Fetched(
            settled=tuple(settled), waiting=self._learning.take_waiting(), plan=self._plan
        )

    async def choose_api(self, plan: Plan) -> Plan:
        """Return the plan to use. A partner that moved returns to checkInventory if that answers.

        If the partner has not moved, or checkInventory does not answer, return `plan` unchanged.
        """
        if plan.rules.inventory_api != "auto" or not plan.rules.is_route_gone:
            return plan
        back = plan.moved(back=True)
        questions = _of_several(back, TRIES)
        if not questions:
            return plan
        self._plan = back
        is_back = False
        for question in questions:
            with suppress(Rejected, Unauthorized):
                request = self._request(question)
                reply = await self._send(request)
                error = error_of(request, reply)
                settled = _outcome(question, request, reply, error)
                parts = (settled,) if error else self._item_by_item(settled, reply.body)
                is_back = any(part.outcome is Outcome.ANSWERED for part in parts)
                if is_back or Does.MOVED in _does(error):
                    break
        self._report("inventory_api.tried", api="check_inventory", answered=is_back)
        if is_back:
            self._report("inventory_api.moved", to="check_inventory")
        return back if is_back else plan

    def once_more(self, plan: Plan) -> tuple[Plan, list[Question | Unasked]]:
        """Return the plan with the learned contexts, and the questions that waited for one.

        Call it only once: after it, no more contexts are learned.
        """
        return self._learning.finish(plan)

    async def _settle(self, question: Question | Unasked) -> tuple[Settled, ...]:
        if isinstance(question, Unasked):
            alone = Question(checks=(question.check,))
            return (Settled(question=alone, outcome=question.outcome, reason=question.reason),)
        if self._is_out:
            return (_out(question),)
        ask = self._inventory if _is_inventory(question) else self._availability
        try:
            return await ask(question)
        except Rejected:  # an id that does not fit into a path is never sent
            if len(question.checks) > 1:
                return await self._each(_halves(question))
            return (Settled(question=question, outcome=Outcome.FAILED, reason=UNSENDABLE),)
        except Unauthorized:
            self._is_out = True
            return (_out(question),)

    async def _each(self, questions: Iterable[Question | Unasked]) -> tuple[Settled, ...]:
        return tuple([part for question in questions for part in await self._settle(question)])

    async def _availability(self, question: Question) -> tuple[Settled, ...]:
        request = self._request(question)
        if request.endpoint in self._posted:
            request = requests.as_post(request)
        reply = await self._send(request)
        error = error_of(request, reply)
        if request.method == "GET" and Does.POSTED in _does(error):
            # The API's documents say GET in examples and POST in tables: remember what works.
            self._posted.add(request.endpoint)
            return await self._availability(question)
        return (_outcome(question, request, reply, error),)

    async def _inventory(self, planned: Question) -> tuple[Settled, ...]:
        question = self._learning.hold_back(planned)
        if question is None:
            return ()
        if self._plan.rules.by_resource_type and not question.resource_type:
            return await self._each(self._plan.by_resource_type(question))
        return await self._check(question)

    async def _check(self, question: Question) -> tuple[Settled, ...]:
        request = self._request(question)
        reply = await self._send(request)
        error = error_of(request, reply)
        does = _does(error)
        if Does.MOVED in does and (newer := await self._newer_plan(request)):
            gone = _outcome(question, request, reply, error)
            return await self._by_the_newer(newer, question, gone)
        if Does.LEARNED in does and self._learns(question, reply):
            return ()
        if Does.HALVED in does and len(question.checks) > 1:
            return await self._each(_halves(question))
        settled = _outcome(question, request, reply, error)
        parts = (settled,) if error else self._item_by_item(settled, reply.body)
        if question.resource_type and any(p.outcome is Outcome.ANSWERED for p in parts):
            self._move()
        return parts

    def _learns(self, question: Question, reply: Reply) -> bool:
        description = decoding.error(reply.body).description
        if not self._learning.learn(question, description):
            return False
        product_id = question.checks[0].product_id
        self._report("context.learned", product=product_id, said=description)
        return True

    async def _newer_plan(self, request: Request) -> Plan | None:
        """Return the plan on the newer API, if that is allowed and a second reply says "gone" too.

        Only one task sends the second request; the others wait for the lock and use its result.
        """
        if self._plan.rules.inventory_api != "auto":
            return None
        async with self._moving:
            if self._newer is None:
                again = msgspec.structs.replace(request, round=request.round + 1)
                if Does.MOVED not in _does(error_of(again, await self._send(again))):
                    return None
                self._newer = self._plan.moved()
        return self._newer

    async def _by_the_newer(
        self, newer: Plan, question: Question, gone: Settled
    ) -> tuple[Settled, ...]:
        """Ask the newer API a question that checkInventory said "gone" to; `gone` is that outcome.

        The partner moves to the newer API when that has answered. Until then, each question goes
        to checkInventory first, because it may be back.
        """
        typed: list[Question] = []
        untyped: list[Unasked] = []
        for part in newer.by_resource_type(question):
            if isinstance(part, Question):
                typed.append(part)
            else:
                untyped.append(part)
        parts = await self._each(typed)
        is_moved = self._plan.rules.by_resource_type
        if not is_moved and not self._is_none_told:
            self._is_none_told = True
            self._report("inventory_api.none_answers", code=gone.reason)
        if not untyped:
            return parts
        if is_moved:
            return (*parts, *await self._each(untyped))
        unasked = tuple(each.check for each in untyped)
        return (*parts, msgspec.structs.replace(gone, question=_part(question, unasked)))

    def _move(self) -> None:
        """Move the partner to the newer API, unless it has moved already."""
        if self._newer is not None and not self._plan.rules.by_resource_type:
            self._plan = self._newer
            self._report("inventory_api.moved", to="by_resource_type")

    def _item_by_item(self, settled: Settled, body: bytes) -> tuple[Settled, ...]:
        """Separate the checks that a reply answers from the keys without a usable item.

        If a product lacks one SKU, the product is answered, and the SKU is a failed check of its
        own.
        """
        question = settled.question
        try:
            reading = inventory.read(question, body, self._plan.skus_of)
        except decoding.Malformed:
            return (_failed(settled, UNREADABLE),)
        apart = ", ".join(f"{count} {reason}" for reason, count in reading.set_apart.items())
        settled = msgspec.structs.replace(settled, set_apart=apart)
        if reading.spoiled:
            self._report(
                "item.set_apart",
                endpoint=settled.endpoint,
                customer_id=question.checks[0].customer_id,
                count=len(reading.spoiled),
                names="; ".join(one.shown for one in reading.spoiled[: decoding.MOST_TOLD]),
                correlation_id=settled.correlation_id,
            )
        if not reading.unanswered:
            return (settled,)
        told = {key.check for key in reading.answered}
        failed: dict[Check, str] = {}
        for reason, keys in reading.unanswered.items():
            for key in keys:
                alone = msgspec.structs.replace(key.check, sku_id=key.sku_id)
                failed.setdefault(alone if key.check in told else key.check, reason)
        parts = [
            msgspec.structs.replace(_failed(settled, reason), question=_part(question, checks))
            for reason in reading.unanswered
            if (checks := tuple(c for c, why in failed.items() if why == reason))
        ]
        answered = tuple(check for check in question.checks if check not in failed)
        if answered:
            whole = _part(question, answered)
            parts.append(msgspec.structs.replace(settled, question=whole, sent=question))
        return tuple(parts)

    def _request(self, question: Question) -> Request:
        return msgspec.structs.replace(self._first_request(question), round=question.round)

    def _first_request(self, question: Question) -> Request:
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


def _of_several(plan: Plan, most: int) -> list[Question]:
    """Return up to `most` inventory questions of a plan: the first one of each customer."""
    found: dict[str, Question] = {}
    for question in plan.questions():
        if isinstance(question, Question) and _is_inventory(question):
            found.setdefault(question.checks[0].customer_id, question)
            if len(found) == most:
                break
    return list(found.values())


def _is_inventory(question: Question) -> bool:
    return question.checks[0].kind is CheckKind.INVENTORY


def _halves(question: Question) -> tuple[Question, Question]:
    middle = len(question.checks) // 2
    return _part(question, question.checks[:middle]), _part(question, question.checks[middle:])


def _part(question: Question, checks: Sequence[Check]) -> Question:
    return msgspec.structs.replace(question, checks=checks)


def _failed(settled: Settled, reason: str) -> Settled:
    return msgspec.structs.replace(settled, outcome=Outcome.FAILED, reason=reason)


def _out(question: Question) -> Settled:
    return Settled(question=question, outcome=Outcome.SKIPPED, reason=Reason.PARTNER_OUT)


def _does(error: PartnerCenterError | None) -> tuple[Does, ...]:
    return error.does if error else ()


def _outcome(
    question: Question, request: Request, reply: Reply, error: PartnerCenterError | None
) -> Settled:
    """Return the outcome of the question as a whole."""
    code = error.error_code_sent if error else ""
    # If the question is about a whole product, "no such SKU" does not say which SKU.
    is_named = bool(question.checks[0].sku_id) or code != NO_SUCH_SKU
    not_found = Does.NOT_IN_CATALOG in _does(error) and is_named
    reason = "" if error is None or not_found else error.reason
    if error is None and not _is_inventory(question):
        reason = unreadable_availability(reply.body)
    outcome = Outcome.FAILED if reason else Outcome.ANSWERED
    if reply.cause == Reason.DEADLINE:
        outcome = Outcome.SKIPPED
    return Settled(
        question=question,
        outcome=outcome,
        reason=reason,
        not_found=not_found,
        key=request.key(),
        endpoint=request.endpoint,
        http_status=reply.status,
        error_code=code,
        request_id=reply.request_id,
        correlation_id=reply.correlation_id,
        attempts=reply.attempts,
        sent_at=reply.sent_at,
    )
