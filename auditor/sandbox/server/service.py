"""Handles a request: checks token and limits, injects faults, answers, and logs the call."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from auditor.sandbox.answers import problems
from auditor.sandbox.answers.calls import Call, find_endpoint, read_check
from auditor.sandbox.answers.dispatch import Dispatcher
from auditor.sandbox.answers.problems import Problem
from auditor.sandbox.answers.reply import SandboxReply, problem_reply
from auditor.sandbox.server.faults import Choice, Faults
from auditor.sandbox.server.http_response import apply_fault, send
from auditor.sandbox.server.limits import Limiter, ServerLimits
from auditor.sandbox.server.log import Log, Record
from auditor.sandbox.world.model import SkuKey
from auditor.sandbox.world.world import World

Clock = Callable[[], float]
Sleep = Callable[[float], Awaitable[None]]


class Service:
    """One Partner Center: a world, the injected faults, and the log of requests."""

    def __init__(
        self, world: World, faults: Faults, limits: ServerLimits, clock: Clock, sleep: Sleep
    ) -> None:
        self.world = world
        self.faults = faults
        self.limiter = Limiter(limits, clock)
        self.log = Log()
        self._answers = Dispatcher()
        self._clock = clock
        self._sleep = sleep
        self._arrivals = 0
        self._tokens = {f"Bearer {partner.token}": partner for partner in world.partners()}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        call = self._read(request, await request.read())
        arrived = self._clock()
        choice, status, throttled = Choice(), 0, False
        delivered: Sequence[SkuKey] | None = None
        self.log.enter(_tenant(call))
        try:
            reply = self._refusal(call)
            if reply is None:
                reply = self._throttling(call)
                throttled = reply is not None
            if reply is None:
                choice = self.faults.choose(call)
                if choice.delay_s:
                    await self._sleep(choice.delay_s)
                reply = self._answers.answer(self.world.state(call.night), call)
                if choice.fault is not None:
                    reply = apply_fault(reply, choice.fault)
            sent = await send(request, call, reply, choice.fault, self.world.seed)
            status = sent.status
            if sent.is_whole and choice.fault is None:
                delivered = reply.keys
            return sent.response
        finally:
            self.log.leave(_tenant(call))
            self.log.records.append(
                Record(
                    sequence=call.sequence,
                    time=arrived,
                    finished=self._clock(),
                    night=call.night,
                    method=call.method,
                    path=call.path,
                    query=call.query_string,
                    endpoint=call.endpoint.name if call.endpoint else "",
                    api_class=call.endpoint.api_class if call.endpoint else "",
                    partner=_tenant(call),
                    customer=call.customer_id,
                    request_id=call.headers.get("MS-RequestId", ""),
                    correlation_id=call.headers.get("MS-CorrelationId", ""),
                    locale=call.headers.get("X-Locale", ""),
                    client=call.headers.get("MS-PartnerCenter-Client", ""),
                    content_type=call.headers.get("Content-Type", ""),
                    country=call.query.get("country", "").upper(),
                    targets=call.targets,
                    context=call.context,
                    status=status,
                    throttled=throttled,
                    fault=choice.label,
                    delivered=delivered,
                )
            )

    def _read(self, request: web.Request, body: bytes) -> Call:
        self._arrivals += 1
        endpoint, ids, allowed = find_endpoint(request.method, request.path)
        if endpoint is None and request.method == "POST" and "GET" in allowed:
            as_get, its_ids, _ = find_endpoint("GET", request.path)
            if as_get is not None and self.faults.takes_post(as_get.name):
                endpoint, ids = as_get, its_ids
        call = Call(
            sequence=self._arrivals,
            method=request.method,
            path=request.path,
            query_string=request.query_string,
            query={name.lower(): value for name, value in request.query.items()},
            headers=request.headers,
            night=self.world.night,
            partner=self._tokens.get(request.headers.get("Authorization", "")),
            endpoint=endpoint,
            allowed=frozenset(allowed),
            ids=ids,
        )
        if endpoint is not None and endpoint.api_class == "inventory":
            try:
                call.targets, call.context = read_check(body)
            except Problem as problem:
                call.body_problem = problem
        return call

    def _refusal(self, call: Call) -> SandboxReply | None:
        """Return the error for a call with an unknown token, path or method; else `None`."""
        if call.partner is None:
            return problem_reply(problems.access_denied(), problems.REALM)
        if call.endpoint is None and call.allowed:
            problem = problems.method_not_allowed(call.method)
            return problem_reply(problem, {"Allow": ", ".join(sorted(call.allowed))})
        if call.endpoint is None:
            return problem_reply(problems.not_found(call.path))
        return None

    def _throttling(self, call: Call) -> SandboxReply | None:
        api_class = call.endpoint.api_class if call.endpoint else ""
        retry_after = self.limiter.admit(_tenant(call), call.customer_id, api_class)
        if not retry_after:
            return None
        headers = {"Retry-After": str(retry_after)}
        return SandboxReply(429, headers=headers, encoded=problems.throttled_body(retry_after))


def _tenant(call: Call) -> str:
    return call.partner.partner_tenant_id if call.partner else ""
