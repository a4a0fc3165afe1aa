"""Asks once more if answers take back many verdicts of one customer and country at once.

If the second answer equals the first, the change is published as suspect, and the new answer is
pending until another snapshot confirms it. If the two answers differ, neither is used. So a broken
reply lifts no restriction. The SQL in `sql/guard/` counts and compares: see docs/decisions/0010.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import duckdb
import msgspec
import pyarrow as pa

from auditor.model import Check, CheckKind, Outcome, Question, Settled
from auditor.normalize.settled import asked_segment, settled_table
from auditor.normalize.staged import ANSWERS, AT_ONCE, SUSPECTS, Body, Staged, together
from auditor.plan.plan import Plan
from auditor.store.duck import working
from auditor.store.interface import Store
from auditor.store.span import Chunk
from auditor.store.sql import statement
from auditor.tables import AVAILABILITY_KEY, INVENTORY_KEY

UNSTABLE = "unstable"
"""The reason of a check whose two answers differ."""
ROUND = 2
"""The round of the guard's second question. Round 1 is used to ask whether an API is gone."""

_COMPARED = {
    "inventory": (
        *INVENTORY_KEY,
        "verdict",
        "checked_at",
        "pending_verdict",
        "pending_reason_codes",
        "pending_restriction_values",
        "pending_snapshot_id",
    ),
    "availability": (
        *AVAILABILITY_KEY,
        "verdict",
        "checked_at",
        "pending_verdict",
        "pending_snapshot_id",
    ),
}
"""The columns of the known rows that the guard needs to find flips, by relation."""
_SETTLED_AVAILABILITY = "steps/03_settled_availability"
_FLIPS = (
    "guard/01_flipped_inventory",
    _SETTLED_AVAILABILITY,
    "guard/01_flipped_availability",
    "guard/02_doubted",
)
_KEPT = (*_COMPARED, "restriction")
_Recheck = Mapping[str, pa.Table]


class Doubted(msgspec.Struct, frozen=True, kw_only=True):
    """A customer and country where many verdicts flipped at once."""

    subject: str
    customer_id: str
    country: str
    flips: int
    keys: int
    """Number of known keys of this subject, customer and country."""


class Guard:
    """Examines the staged answers of a run before the comparison. All calls block: use a thread."""

    def __init__(self, store: Store, staged: Staged, plan: Plan) -> None:
        self._store = store
        self._staged = staged
        self._plan = plan
        self.doubted: list[Doubted] = []
        self.at_once = AT_ONCE
        self._recheck: dict[Chunk, _Recheck] = {}
        """The keys that are checked again, by chunk and relation."""
        self._refuted: dict[str, set[str]] = defaultdict(set)
        """The SKUs whose second answer differs from the first, by check id."""

    def questions(self, settled: Sequence[Settled]) -> list[Question]:
        """Return the questions to send a second time, with only the checks of doubted keys."""
        self.doubted, self._recheck = [], {}
        again: set[str] = set()
        by_chunk = self._staged.by_chunk(settled)
        size = {chunk: sum(map(self._staged.size, some)) for chunk, some in by_chunk.items()}
        for group in together(sorted(by_chunk), size, self.at_once):
            with working(
                spill=self._staged.spill
            ) as con:  # one for each group: DuckDB frees some memory only when it is closed
                con.register("asked_segment", asked_segment(self._plan))
                if self._flips(con, {chunk: by_chunk[chunk] for chunk in group}):
                    for chunk in group:
                        again |= self._doubt(con, chunk, by_chunk[chunk])
        return [
            msgspec.structs.replace(_sent(each), checks=checks, round=ROUND)
            for each in settled
            if again and each.outcome is Outcome.ANSWERED
            if (checks := tuple(c for c in each.question.checks if c.check_id() in again))
        ]

    def _flips(
        self, con: duckdb.DuckDBPyConnection, settled: Mapping[Chunk, Sequence[Settled]]
    ) -> list[Doubted]:
        """Return the customers and countries for which these answers take back many verdicts."""
        partner = self._plan.rules.partner_tenant_id
        answers = [self._staged.answers(chunk) for chunk in settled]
        joined = {name: pa.concat_tables([one[name] for one in answers]) for name in ANSWERS}
        _register(con, joined, [each for of_chunk in settled.values() for each in of_chunk])
        for name, columns in _COMPARED.items():
            known = [
                self._store.known(name, bucket, partner, columns=columns, span=span)
                for bucket, span in settled
            ]
            con.register(f"known_{name}", pa.concat_tables(known))
        for statement_name in _FLIPS:
            con.execute(statement(statement_name))
        rows = con.sql("FROM doubted ORDER BY ALL").to_arrow_table().to_pylist()
        return [Doubted(**row) for row in rows]

    def _doubt(
        self, con: duckdb.DuckDBPyConnection, chunk: Chunk, settled: Sequence[Settled]
    ) -> set[str]:
        """Store which keys of one chunk must be asked again; return the ids of their checks."""
        doubted = self._flips(con, {chunk: settled})
        if not doubted:
            return set()
        self.doubted += doubted
        recheck = {name: _result(con, f"guard/03_recheck_{name}") for name in _COMPARED}
        self._recheck[chunk] = recheck
        return {i for table in recheck.values() for i in table.column("check_id").to_pylist()}

    def judge(self, second: Sequence[Settled], body: Body) -> None:
        """Compare the second answers with the first answers.

        If the two differ, the staged answer is removed. If they are the same, the key is staged
        as suspect.
        """
        by_chunk = self._staged.by_chunk(second)
        with working(spill=self._staged.spill) as con:
            con.register("asked_segment", asked_segment(self._plan))
            for chunk, recheck in self._recheck.items():
                of_chunk = by_chunk.get(chunk, [])
                _register(con, self._staged.rows(of_chunk, body), of_chunk)
                con.execute(statement(_SETTLED_AVAILABILITY))
                for check_id, sku_id in self._judge(con, chunk, recheck):
                    self._refuted[check_id].add(sku_id)

    def _judge(
        self, con: duckdb.DuckDBPyConnection, chunk: Chunk, recheck: _Recheck
    ) -> Iterator[tuple[str, str]]:
        """Stage the answers of one chunk that are kept; yield check id and SKU of the removed."""
        for name in _COMPARED:
            con.register(f"recheck_{name}", recheck[name])
            con.register(f"second_answer_{name}", _result(con, f"guard/04_second_answer_{name}"))
        suspects = {
            f"suspect_{name}": con.sql(f"FROM second_answer_{name} WHERE is_same")
            .to_arrow_table()
            .select(schema.names)
            .cast(schema)
            for name, schema in SUSPECTS.items()
        }
        first = self._staged.answers(chunk)
        for name, table in first.items():
            con.register(f"answer_{name}", table)
        kept = {
            name: _result(con, f"guard/05_kept_{name}").cast(first[name].schema) for name in _KEPT
        }
        self._staged.write(chunk, {**kept, **suspects})
        for name in _COMPARED:
            rows = con.sql(f"FROM second_answer_{name} WHERE NOT is_same")
            yield from (
                (row["check_id"], row["sku_id"]) for row in rows.to_arrow_table().to_pylist()
            )

    def believed(self, settled: Sequence[Settled], second: Sequence[Settled]) -> Iterator[Settled]:
        """Yield how each check ended; a key whose two answers differ becomes a failed check."""
        why = _Second(second)
        for each in settled:
            if each.outcome is not Outcome.ANSWERED:
                yield each
                continue
            left = []
            for check in each.question.checks:
                skus = self._refuted.get(check.check_id(), set())
                if skus and self._is_whole(check, skus):
                    yield why.to(check)
                    continue
                left.append(check)
                for sku_id in sorted(skus):
                    yield why.to(check, sku_id)
            if left:
                yield msgspec.structs.replace(each, question=_only(each, left))

    def _is_whole(self, check: Check, skus: Iterable[str]) -> bool:
        if check.kind is CheckKind.AVAILABILITY:
            return True
        return set(self._plan.skus_of(check)) <= set(skus)


class _Second:
    """How the second questions ended."""

    def __init__(self, settled: Iterable[Settled]) -> None:
        self._of: dict[Check, Settled] = {}
        for each in settled:
            for check in each.question.checks:
                # If a check was sent for two segments, the worse outcome counts.
                if check not in self._of or each.outcome is not Outcome.ANSWERED:
                    self._of[check] = each

    def to(self, check: Check, sku_id: str = "") -> Settled:
        """Return how a check, or one SKU of it, ended if its two answers are not the same."""
        alone = msgspec.structs.replace(check, sku_id=sku_id or check.sku_id)
        why = self._of.get(alone) or self._of[check]
        if why.outcome is Outcome.ANSWERED:
            why = msgspec.structs.replace(why, outcome=Outcome.FAILED, reason=UNSTABLE)
        return msgspec.structs.replace(why, question=_only(why, [alone]))


def _sent(settled: Settled) -> Question:
    return settled.sent or settled.question


def _only(settled: Settled, checks: Iterable[Check]) -> Question:
    return msgspec.structs.replace(settled.question, checks=tuple(checks))


def _register(
    con: duckdb.DuckDBPyConnection, answers: Mapping[str, pa.Table], settled: Iterable[Settled]
) -> None:
    for name, table in answers.items():
        con.register(f"answer_{name}", table)
    con.register("settled_check", settled_table(settled))


def _result(con: duckdb.DuckDBPyConnection, name: str) -> pa.Table:
    return con.sql(statement(name)).to_arrow_table()
