"""A reply before it is sent. A list stays in items, so that a fault can remove some."""

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from auditor.sandbox.answers.problems import Problem
from auditor.sandbox.world.model import SkuKey

SMALL = 512
"""Bodies below this many bytes are not compressed."""

Wrap = Callable[[Sequence[bytes], bool], bytes]
"""Makes a body from encoded items; the flag says whether no item was removed."""


@dataclass(slots=True)
class SandboxReply:
    """Status and body. The body is encoded once, however often it is sent."""

    status: int = 200
    items: Sequence[bytes] | None = None
    """`None`: the body is not a list."""
    wrap: Wrap | None = None
    keys: Sequence[SkuKey] | None = None
    """For an inventory reply only: the SKU of each item."""
    headers: Mapping[str, str] = field(default_factory=dict)
    encoded: bytes | None = None
    zipped: bytes | None = None

    def body(self) -> bytes:
        if self.encoded is None:
            wrap = self.wrap or array
            self.encoded = wrap(self.items or (), True)  # noqa: FBT003 - see Wrap
        return self.encoded

    def compressed(self) -> bytes:
        if self.zipped is None:
            self.zipped = gzip.compress(self.body(), 1, mtime=0)
        return self.zipped

    def only(self, kept: Sequence[int]) -> "SandboxReply":
        """Return the list with only the items at these places; nothing shows that some are gone."""
        if self.items is None:
            return self
        wrap = self.wrap or array
        keys = None if self.keys is None else [self.keys[place] for place in kept]
        items = [self.items[place] for place in kept]
        return SandboxReply(self.status, items, wrap, keys, self.headers, wrap(items, False))  # noqa: FBT003 - see Wrap


def whole(value: object, status: int = 200) -> SandboxReply:
    return SandboxReply(status, encoded=msgspec.json.encode(value))


def problem_reply(problem: Problem, headers: Mapping[str, str] | None = None) -> SandboxReply:
    return SandboxReply(problem.status, headers=headers or {}, encoded=problem.body())


def array(items: Sequence[bytes], _: bool) -> bytes:  # noqa: FBT001 - see Wrap
    return b"[" + b",".join(items) + b"]"


def collection(
    items: Sequence[bytes],
    links: Mapping[str, object] | None = None,
    keys: Sequence[SkuKey] | None = None,
) -> SandboxReply:
    """Return a list in its envelope. `links` is `None` if the envelope has no links."""

    def wrap(kept: Sequence[bytes], is_all: bool) -> bytes:  # noqa: FBT001 - see Wrap
        shown = (
            links if is_all or links is None else {k: v for k, v in links.items() if k != "next"}
        )
        middle = b"" if shown is None else b',"links":' + msgspec.json.encode(shown)
        return (
            b'{"totalCount":%d,"items":[' % len(kept)
            + b",".join(kept)
            + b"]"
            + middle
            + b',"attributes":{"objectType":"Collection"}}'
        )

    return SandboxReply(items=items, wrap=wrap, keys=keys)
