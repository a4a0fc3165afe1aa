"""The faults that the sandbox injects: which calls go wrong, and how.

In a TOML or JSON file, each entry of the list `fault` has the fields of `Fault`:

    seed = 7

    [[fault]]
    endpoint = ["check_inventory", "by_resource_type"]
    share = 0.05
    status = 503

The first matching fault is applied. After a fault that only delays, later faults are tried too.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from auditor.sandbox.answers.calls import ENDPOINT_NAMES, Call
from auditor.sandbox.world import seeded

Texts = str | tuple[str, ...]
Nights = int | tuple[int, ...]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which calls fail, and how. A selector left out matches every call."""

    name: str = ""
    """Name in the log; derived from the action if left out."""

    endpoint: Texts = ()
    """Names as in `calls.ENDPOINTS`."""
    method: Texts = ()
    partner: Texts = ()
    """Tenant ids or names."""
    customer: Texts = ()
    product: Texts = ()
    """Product ids; an inventory check matches if it targets one of them."""
    night: Nights = ()
    share: float = 1.0
    """Share of distinct questions that fail; a retry in the same night fails again."""
    share_per_try: float = 1.0
    """Share of tries that fail; each retry is drawn anew."""
    after: int = 0
    """Number of matching calls that pass first."""
    count: int | None = None
    """Number of calls that fail after that. `None`: all."""

    status: int | None = None
    code: str = ""
    description: str = "This error was made by the sandbox."
    headers: dict[str, str] = {}
    """A 429 has a Retry-After only if it is set here."""
    body: str | None = None
    """Sent instead of the true body; the status is 200 unless `status` is set."""
    body_bytes: bytes | None = None
    """Like `body`, for bytes that are not text; base64 in a file."""
    replace: tuple[tuple[str, str], ...] = ()
    """Regular expressions, and what is sent instead of the first match of each in the true body, or
    of the match's first group. Both are Latin-1, so that any byte can be sent."""
    delay_s: float = 0.0
    reset: bool = False
    """Reset the connection and send nothing."""
    cut: bool = False
    """Close the connection after half of the body."""
    omit: int | str | tuple[str, ...] = 0
    """Inventory items to leave out: a count, or `PRODUCT` or `PRODUCT:SKU` ids."""
    truncate: int | None = None
    """Keep only this many items of a list; its `totalCount` counts only these."""
    post_only: bool = False
    """The endpoint accepts POST and answers GET with 405: in the documents, the tables say POST
    where the examples say GET."""

    def __post_init__(self) -> None:
        unknown = sorted(set(_tuple(self.endpoint)) - ENDPOINT_NAMES)
        if unknown:
            known = ", ".join(sorted(ENDPOINT_NAMES))
            message = f"unknown endpoint {unknown[0]!r}; known endpoints: {known}"
            raise ValueError(message)
        if not (0 <= self.share <= 1 and 0 <= self.share_per_try <= 1):
            message = f"shares must be from 0 to 1: {self.share}, {self.share_per_try}"
            raise ValueError(message)
        if self.only_delays and not self.delay_s:
            message = (
                "a fault needs an action: status, body, replace, delay_s, reset, cut, omit,"
                " truncate, post_only"
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
            or bool(self.replace)
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
            "replace": bool(self.replace),
            "omit": bool(self.omit),
            "truncate": self.truncate is not None,
            "post_only": self.post_only,
        }
        return next((what for what, is_done in done.items() if is_done), "delay")

    def matches(self, call: Call) -> bool:
        """Return whether the selectors match the call; shares and counts are ignored."""
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
    """Return whether a wanted id is found, in any letter case; true if no id is wanted."""
    texts = {text.lower() for text in _tuple(wanted)}
    return not texts or bool(texts & {text.lower() for text in found})


@dataclass(frozen=True, slots=True)
class Choice:
    """What happens to a call. `fault` is `None` if the call is only delayed or untouched."""

    delay_s: float = 0.0
    fault: Fault | None = None
    label: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    seed: int = 0
    fault: list[Fault] = []


class Faults:
    """Faults in order, and how often each has matched. They may change while the server runs."""

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
        """Return whether a fault makes this GET endpoint accept POST instead."""
        return any(f.post_only and _holds(f.endpoint, {endpoint}) for f in self._faults)

    def choose(self, call: Call) -> Choice:
        """Return what happens to a call; count the matches."""
        delay_s, label = 0.0, None
        for place, fault in enumerate(self._faults):
            if not fault.matches(call) or not self._is_drawn(place, fault, call):
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
        if seeded.share(self.seed, "share", *about) >= fault.share:
            return False
        if fault.share_per_try >= 1:
            return True
        self._tries[place, call.identity] += 1
        attempt = self._tries[place, call.identity]
        return seeded.share(self.seed, "try", *about, attempt) < fault.share_per_try

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read faults from a file: JSON if its name ends in `.json`, else TOML."""
        text = path.read_text(encoding="utf-8")
        try:
            value = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        except ValueError as error:
            message = f"{path}: {error}"
            raise ValueError(message) from error
        return cls.parse(value, where=str(path))

    @classmethod
    def parse(cls, value: object, where: str = "faults") -> Self:
        """Convert decoded TOML or JSON; raise ValueError for anything unknown."""
        try:
            file = msgspec.convert(value, type=_File)
        except ValueError as error:
            message = f"{where}: {error}"
            raise ValueError(message) from error
        return cls(file.fault, file.seed)
