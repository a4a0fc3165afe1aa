"""Computes, key by key, what a night must publish, from the contract and the replies alone."""

from collections import Counter, defaultdict
from datetime import datetime
from typing import NamedTuple

from tests.builders.guard import FIRST, GONE, Key, State


class Had(NamedTuple):
    """The known state of a key."""

    state: State
    at: datetime
    pending: State | None = None
    pending_run: datetime = FIRST


class Event(NamedTuple):
    kind: str
    key: Key
    before: State
    after: State
    is_suspect: bool


def flips(before: State, after: State) -> bool:
    return before[0] != after[0] and before[0] != "not_in_catalog"


def kind_of(before: State, after: State) -> str | None:
    """Return the change kind: the table of promise P4."""
    was, now = before[0], after[0]
    if was == now:
        return "restriction_changed" if was == "restricted" and before != after else None
    if now == "not_in_catalog":
        return "left_catalog"
    if was == "not_in_catalog":
        return "entered_catalog"
    return {
        "restricted": "newly_restricted",
        "unrestricted": "restriction_lifted",
        "purchasable": "purchasable_again",
        "not_purchasable": "no_longer_purchasable",
    }[now]


class Received(NamedTuple):
    """The answers that one run received: the first and the second for each key."""

    began: datetime
    first: dict[Key, tuple[State, datetime]]
    second: dict[Key, State]


class ByHand:
    """The state of all keys, changed by each publication according to the contract."""

    def __init__(self) -> None:
        self.known: dict[Key, Had] = {}

    def doubted(self, received: Received) -> set[Key]:
        """Return the keys that the guard must ask again, given the current state."""
        counted: dict[tuple[str, bool], list[Key]] = defaultdict(list)
        cells = Counter((key.customer, bool(key.cycle)) for key in self.known)
        for key, (state, at) in received.first.items():
            had = self.known.get(key)
            if had is None or at < had.at or not flips(had.state, state):
                continue
            if had.pending is not None and (at < had.pending_run or had.pending == state):
                continue
            counted[key.customer, bool(key.cycle)].append(key)
        return {
            key
            for cell, keys in counted.items()
            if len(keys) > max(20, cells[cell] / 5)
            for key in keys
        }

    def publish(self, received: Received, doubted: set[Key]) -> list[Event]:
        """Apply a run to the state; return the events that it must publish."""
        wrong = {key for key in doubted if received.second.get(key) != received.first[key][0]}
        checks = {key[:3] for key in wrong if key.cycle}
        events = []
        for key, (state, at) in received.first.items():
            had = self.known.get(key)
            if key in wrong or (key.cycle and key[:3] in checks):
                continue
            if had is None:
                if not (key.cycle and state == GONE):  # a term that was never listed has no row
                    self.known[key] = Had(state, at)
                continue
            if at < had.at or (had.pending is not None and at < had.pending_run):
                continue
            is_suspect = key in doubted and flips(had.state, state) and had.pending != state
            kind = kind_of(had.state, state)
            if kind:
                events.append(Event(kind, key, had.state, state, is_suspect))
            if is_suspect:
                self.known[key] = had._replace(pending=state, pending_run=received.began)
            else:
                self.known[key] = Had(state, at)
        return events

    def left(self, customers: set[str]) -> None:
        """Forget customers that are no longer listed: a return is a new baseline."""
        self.known = {key: had for key, had in self.known.items() if key.customer in customers}
