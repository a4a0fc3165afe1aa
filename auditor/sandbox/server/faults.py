"""A script of faults: which calls go wrong, and how.

In a file, TOML or JSON, a fault is a table of the list `fault`, with the fields of `Fault`:

    seed = 7

    [[fault]]
    endpoint = ["check_inventory", "by_resource_type"]
    share = 0.05
    status = 503

The first fault that matches a call is applied. One that only delays lets the next ones match too.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from auditor.sandbox.answers.calls import ENDPOINT_NAMES, Call
from auditor.sandbox.world import draws

Texts = str | tuple[str, ...]
Nights = int | tuple[int, ...]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls, and what happens to them. Fields left out do not narrow, and do nothing."""

    name: str = ""
    """For the log; made from the action if left out."""

    endpoint: Texts = ()
    """Names as in `calls.ENDPOINTS`."""
    method: Texts = ()
    partner: Texts = ()
    """Tenant ids or names."""
    customer: Texts = ()
    product: Texts = ()
    """Product ids; a check matches if it targets one of them."""
    night: Nights = ()
    share: float = 1.0
    """Of different questions, so many fail; the same ones on every retry of a night."""
    share_per_try: float = 1.0
    """Of tries, so many fail; a retry draws again."""
    after: int = 0
    """Let so many matching calls pass first."""
    count: int | None = None
    """Then fault so many of them. `None`: all."""

    status: int | None = None
    code: str = ""
    description: str = "This error was made by the sandbox."
    headers: dict[str, str] = {}
    """A 429 has no Retry-After unless it is given here."""
    body: str | None = None
    """Sent instead of the true body, with status 200 unless `status` says otherwise."""
    body_bytes: bytes | None = None
    """Likewise, for what is no text; base64 in a file."""
    delay_s: float = 0.0
    reset: bool = False
    """The connection is reset, and nothing is sent."""
    cut: bool = False
    """The connection is closed after half of the body."""
    omit: int | str | tuple[str, ...] = 0
    """Inventory items left out: so many, or those of these `PRODUCT` or `PRODUCT:SKU`."""
    truncate: int | None = None
    """A list has only its first so many items, and says that these are all."""
    post_only: bool = False
    """The endpoint takes a POST for the question and answers a GET with 405: the documents' tables
    have it so where their examples have a GET."""

    def __post_init__(self) -> None:
        unknown = sorted(set(_tuple(self.endpoint)) - ENDPOINT_NAMES)
        if unknown:
            known = ", ".join(sorted(ENDPOINT_NAMES))
            message = f"unknown endpoint {unknown[0]!r}; there are {known}"
            raise ValueError(message)
        if not (0 <= self.share <= 1 and 0 <= self.share_per_try <= 1):
            message = f"a share is from 0 to 1, not {self.share} or {self.share_per_try}"
            raise ValueError(message)
        if self.only_delays and not self.delay_s:
            message = (
                "a fault has to do something: status, body, delay_s, reset, cut, omit, truncate,"
                " post_only"
            )
            raise ValueError(message)

    @property
    def replaces_body(self) -> bool:
        return self.body is not None or self.body_bytes is not None

    @property
    def only_delays(self) -> bool:
        return self.status is None and not (
            self.replaces_body
            or self.reset
            or self.cut
            or bool(self.omit)
            or self.truncate is not None
            or self.post_only
        )

    @property
    def label(self) -> str:
        if self.name:
            return self.name
        if self.status is not None:
            return f"status {self.status}"
        done = {
            "reset": self.reset,
            "cut": self.cut,
            "body": self.replaces_body,
            "omit": bool(self.omit),
            "truncate": self.truncate is not None,
            "post_only": self.post_only,
        }
        return next((what for what, is_done in done.items() if is_done), "delay")

    def concerns(self, call: Call) -> bool:
        """Say whether the call is of the kind that this fault is for, shares and counts aside."""
        endpoint = call.endpoint.name if call.endpoint else ""
        partner = call.partner
        names = {partner.partner_tenant_id, partner.name} if partner else set()
        nights = (self.night,) if isinstance(self.night, int) else self.night
        return (
            _holds(self.endpoint, {endpoint})
            and _holds(self.method, {call.method})
            and not (self.post_only and call.method == "POST")
            and _holds(self.partner, names)
            and _holds(self.customer, {call.customer_id})
            and _holds(self.product, call.products)
            and (not nights or call.night in nights)
        )

    def leaves_out(self, key: tuple[str, str]) -> bool:
        names = () if isinstance(self.omit, int) else _tuple(self.omit)
        return key[0] in names or f"{key[0]}:{key[1]}" in names


def _tuple(texts: Texts) -> tuple[str, ...]:
    return (texts,) if isinstance(texts, str) else texts


def _holds(wanted: Texts, found: set[str]) -> bool:
    """Say whether one of the wanted ids is there, whatever its letter case; none wanted: yes."""
    texts = {text.lower() for text in _tuple(wanted)}
    return not texts or bool(texts & {text.lower() for text in found})


@dataclass(frozen=True, slots=True)
class Choice:
    """What happens to a call. `fault` is `None` if it only waits, or nothing at all happens."""

    delay_s: float = 0.0
    fault: Fault | None = None
    label: str | None = None


class _Script(msgspec.Struct, forbid_unknown_fields=True):
    seed: int = 0
    fault: list[Fault] = []


class Faults:
    """Faults in order, and how often each has matched. They can be replaced while it runs."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.seed = seed
        self._faults: list[Fault] = list(faults)
        self._matches: Counter[int] = Counter()
        self._tries: Counter[tuple[int, str]] = Counter()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def add(self, fault: Fault) -> None:
        self._faults.append(fault)

    def clear(self) -> None:
        self._faults.clear()
        self._matches.clear()
        self._tries.clear()

    def takes_post(self, endpoint: str) -> bool:
        """Say whether an endpoint that takes a GET otherwise takes a POST now."""
        return any(f.post_only and _holds(f.endpoint, {endpoint}) for f in self._faults)

    def choose(self, call: Call) -> Choice:
        """Return what happens to a call, and count the matches."""
        delay_s, label = 0.0, None
        for place, fault in enumerate(self._faults):
            if not fault.concerns(call) or not self._is_drawn(place, fault, call):
                continue
            self._matches[place] += 1
            number = self._matches[place] - fault.after
            if number < 1 or (fault.count is not None and number > fault.count):
                continue
            delay_s += fault.delay_s
            label = fault.label
            if not fault.only_delays:
                return Choice(delay_s, fault, label)
        return Choice(delay_s, None, label)

    def _is_drawn(self, place: int, fault: Fault, call: Call) -> bool:
        if fault.share >= 1 and fault.share_per_try >= 1:
            return True
        about = (place, call.night, call.identity)
        if draws.share(self.seed, "share", *about) >= fault.share:
            return False
        if fault.share_per_try >= 1:
            return True
        self._tries[place, call.identity] += 1
        attempt = self._tries[place, call.identity]
        return draws.share(self.seed, "try", *about, attempt) < fault.share_per_try

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a script; the file's ending says whether it is JSON or TOML."""
        text = path.read_text(encoding="utf-8")
        try:
            value = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        except ValueError as error:
            message = f"{path}: {error}"
            raise ValueError(message) from error
        return cls.parse(value, where=str(path))

    @classmethod
    def parse(cls, value: object, where: str = "faults") -> Self:
        """Make a script of decoded TOML or JSON; whatever is not understood is a ValueError."""
        try:
            script = msgspec.convert(value, type=_Script)
        except ValueError as error:
            message = f"{where}: {error}"
            raise ValueError(message) from error
        return cls(script.fault, script.seed)
