"""Verifies that each key of a run ends exactly once, with an answer or without. Pure.

A check of a whole product counts once for each SKU in the listing. A check that waits for a learned
context is not counted; the checks that are planned in its place are counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from auditor.errors import Bug
from auditor.model import Check, CheckKind, Outcome, Question, Settled, Unasked
from auditor.normalize.inventory import SkusOf
from auditor.scope.found import Found


class Ledger:
    """Counts the keys of one partner, by kind of check: planned keys, and settled keys."""

    def __init__(self, partner: str) -> None:
        self._partner = partner
        self._asked: list[tuple[Sequence[Question | Unasked], SkusOf]] = []
        self._waited: list[tuple[Sequence[Check], SkusOf]] = []

    def ask(self, questions: Sequence[Question | Unasked], skus_of: SkusOf) -> None:
        """Count the keys of planned questions, and of checks that the plan does not ask."""
        self._asked.append((questions, skus_of))

    def wait(self, checks: Sequence[Check], skus_of: SkusOf) -> None:
        """Take back the keys of checks that wait: they are counted when they are planned again."""
        self._waited.append((checks, skus_of))

    def close(self, settled: Iterable[Settled], rows: Mapping[bytes, int], skus_of: SkusOf) -> None:
        """Compare planned and settled keys. `rows` gives the number of keys each reply answers.

        Raises:
            Bug: a key is missing or counted twice: nothing may be published.
        """
        settled = tuple(settled)
        asked = self._asked_by_kind()
        ended: Counter[CheckKind] = Counter()
        for each in settled:
            is_answered = each.outcome is Outcome.ANSWERED
            count = rows.get(each.key, 0) if is_answered else _keys(each.question.checks, skus_of)
            ended[each.question.checks[0].kind] += count
        wrong = [kind for kind in CheckKind if asked[kind] != ended[kind]]
        at = _uneven_reply(settled, rows, skus_of)
        if not wrong and at is None:
            return
        at = at or self._first_uneven(settled, skus_of)
        kind = wrong[0] if at is None else at.kind
        raise self._broken(kind, asked, ended, at)

    def recount(self, settled: Iterable[Settled], inventory: int, skus_of: SkusOf) -> None:
        """Compare once more after the guard has removed answers; call `close` first.

        `inventory` is the number of inventory keys in all replies whose answer the guard kept.

        Raises:
            Bug: as in `close`.
        """
        asked = self._asked_by_kind()
        ended = Counter({CheckKind.INVENTORY: inventory})
        for each in settled:
            kind = each.question.checks[0].kind
            if each.outcome is not Outcome.ANSWERED or kind is CheckKind.AVAILABILITY:
                ended[kind] += _keys(each.question.checks, skus_of)
        for kind in CheckKind:
            if asked[kind] != ended[kind]:
                raise self._broken(kind, asked, ended, None)

    def _broken(
        self,
        kind: CheckKind,
        asked: Counter[CheckKind],
        ended: Counter[CheckKind],
        at: Check | None,
    ) -> Bug:
        return Bug(
            f"{self._partner}: {kind} checks do not add up: {asked[kind]} keys asked,"
            f" {ended[kind]} settled, first at {_named(at)}; nothing is published"
        )

    def _asked_by_kind(self) -> Counter[CheckKind]:
        asked: Counter[CheckKind] = Counter()
        for questions, skus_of in self._asked:
            for question in questions:
                checks = _checks(question)
                asked[checks[0].kind] += _keys(checks, skus_of)
        for waiting, skus_of in self._waited:
            for check in waiting:
                asked[check.kind] -= _keys((check,), skus_of)
        return asked

    def _first_uneven(self, settled: Sequence[Settled], skus_of: SkusOf) -> Check | None:
        """Return the first check with a key too few or too many. Slow; used only after a bug."""
        owed: Counter[tuple[Check, str]] = Counter()
        for questions, as_planned in self._asked:
            for question in questions:
                owed.update(_each_key(_checks(question), as_planned))
        for checks, as_planned in self._waited:
            owed.subtract(_each_key(checks, as_planned))
        failed = {
            (each.key, *key)
            for each in settled
            if each.outcome is not Outcome.ANSWERED
            for key in _each_key(each.question.checks, skus_of)
        }
        for each in settled:
            is_answered = each.outcome is Outcome.ANSWERED
            owed.subtract(
                key
                for key in _each_key(each.question.checks, skus_of)
                if not (is_answered and (each.key, *key) in failed)
            )
        return next((check for (check, _), count in owed.items() if count), None)


def check_listings(found: Found) -> None:
    """Verify that a failed listing explains each item that discovery carried or could not read.

    Raises:
        Bug: no failed listing explains an unknown item: nothing may be published.
    """
    noted = {listing.customer_id for listing in found.failed_listings}
    places = {listing.country for listing in found.failed_listings}
    is_list_whole = found.list_ended_after is None
    for each in found.customers:
        customer_id = each.customer.customer_id
        is_unknown = bool(each.failed or each.carried or each.unlisted)
        if is_unknown and customer_id not in noted and is_list_whole:
            raise Bug(f"customer {customer_id} is not listed whole, and no failed listing says why")
    for catalog in found.catalogs:
        # a list that only customers can see has no country
        if catalog.failed and catalog.country not in places and noted <= {""}:
            raise Bug(f"the catalog of {catalog.country} failed, and no failed listing says why")


def _uneven_reply(
    settled: Iterable[Settled], rows: Mapping[bytes, int], skus_of: SkusOf
) -> Check | None:
    """Return the first check of a reply whose answered and failed keys do not add up, or None."""
    failed: Counter[bytes] = Counter()
    for each in settled:
        if each.outcome is not Outcome.ANSWERED:
            failed[each.key] += _keys(each.question.checks, skus_of)
    for each in settled:
        if each.outcome is Outcome.ANSWERED:
            sent = (each.sent or each.question).checks
            if rows.get(each.key, 0) != _keys(sent, skus_of) - failed[each.key]:
                return each.question.checks[0]
    return None


def _checks(question: Question | Unasked) -> Sequence[Check]:
    return question.checks if isinstance(question, Question) else (question.check,)


def _keys(checks: Iterable[Check], skus_of: SkusOf) -> int:
    """Count keys. A product whose SKUs are unknown counts as one."""
    return sum(1 if check.sku_id else len(skus_of(check)) or 1 for check in checks)


def _each_key(checks: Iterable[Check], skus_of: SkusOf) -> Iterator[tuple[Check, str]]:
    for check in checks:
        product = msgspec.structs.replace(check, sku_id="")
        for sku_id in skus_of(check) or ("",):
            yield product, sku_id


def _named(check: Check | None) -> str:
    """Return the parts of a check that are not empty, as text."""
    if check is None:
        return "no check by itself"
    parts = msgspec.structs.asdict(check)
    return ", ".join(f"{name} {value}" for name, value in parts.items() if value)
