"""Reads the content of a report from the store."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.report import trust
from auditor.report.masking import Naming, ReportRow
from auditor.report.values import (
    Change,
    Excerpt,
    FamilyCount,
    Figures,
    Health,
    HeldBack,
    KindCount,
    PlaceCount,
    ReasonCount,
    Renewal,
    Stale,
    Summary,
    Value,
)
from auditor.store import causes, history, reading, sql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditor.store.interface import Store

V = TypeVar("V", bound=Value)

LONGEST = 200
"""The most rows of a list that a report shows."""
NEWEST = 10
"""The number of snapshots per partner whose health is shown."""

_SHOWN = ("inventory", "availability")
_UNANSWERED = (
    "kind, partner_tenant_id, customer_id, country, azure_subscription_id, arm_region,"
    " product_id, sku_id, outcome, reason, correlation_id"
)
_STATEMENTS = (
    "reported",
    "state",
    "place",
    "family",
    "partner",
    "changed",
    "kind",
    "held",
    "tally",
    "reason",
    "unknown",
    "stale",
    "renewal",
    "health",
)
_NOT_BRIEF = ("state", "place", "family", "stale", "renewal", "health")


def read(
    store: "Store",
    snapshots: Iterable[str] = (),
    *,
    mask: bool = False,
    brief: bool = False,
    longest: int = LONGEST,
) -> Summary:
    """Return what is known now and the newest changes; or, with `snapshots`, what these hold.

    `snapshots` holds at most one per partner. `brief` leaves out the current state and the
    health of snapshots: reading them takes the longest, and the memory would make a run grow at its
    end.
    With `mask`, customers have pseudonyms: the same one for the same customer in every report.
    """
    wanted = [store.snapshot_id(name) for name in snapshots]
    is_narrow = brief and bool(wanted)
    names = [name for name in _STATEMENTS if not (is_narrow and name in _NOT_BRIEF)]
    asking = " ".join(sql.statement(f"read/report/{name}") for name in names)
    asking += sql.statement("read/changes/change_named")
    asking += f" inventory availability check_outcome {causes.RELATIONS}"
    if not is_narrow:
        asking += " unanswered current_check_outcome current_inventory current_availability"
        asking += " partner_night"
    of = wanted if is_narrow else ()  # rows of other snapshots are not shown, and may be very many
    with store.connect(query=asking, snapshots=of, is_sparing=brief) as con, _explained():
        return _Reader(con, wanted, longest=longest, is_masked=mask).summary(brief=brief)


@contextmanager
def _explained() -> "Iterator[None]":
    try:
        yield
    except duckdb.Error as error:
        raise reading.translated(error) from error


class _Current(Value, frozen=True, kw_only=True):
    """The current state; the changes are not in it."""

    places: tuple[PlaceCount, ...] = ()
    families: tuple[FamilyCount, ...] = ()
    stale: tuple[Stale, ...] = ()
    renewals: Excerpt[Renewal] = Excerpt(rows=(), total=0)
    not_in_catalog: int = 0
    is_empty: bool = False


class _Reader:
    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        wanted: Sequence[str],
        *,
        longest: int,
        is_masked: bool,
    ) -> None:
        self._con = con
        self._wanted = tuple(wanted)
        self._longest = longest
        self._is_masked = is_masked
        con.register("wanted", pa.table({"snapshot_id": pa.array(wanted, pa.string())}))
        self._reported = self._table("reported")
        con.register("reported", self._reported)
        partners = {
            row["partner_tenant_id"]: row["partner_name"] for row in self._reported.to_pylist()
        }
        self._naming = Naming(partners, is_masked=is_masked)
        self._is_newest = {
            row["snapshot_id"]: row["is_newest"] for row in self._reported.to_pylist()
        }
        self._show()

    def _show(self) -> None:
        """Create views over the state: now, or at the time the snapshots were published."""
        then = "WHERE snapshot_id IN (SELECT snapshot_id FROM reported)"
        for relation in (*_SHOWN, "check_outcome"):
            source = f"{relation} {then}" if self._wanted else f"current_{relation}"
            self._con.execute(f"CREATE TEMP VIEW shown_{relation} AS SELECT * FROM {source}")  # noqa: S608 - known names
        unanswered = (
            f"SELECT {_UNANSWERED}, CAST(NULL AS timestamptz) AS since FROM shown_check_outcome"  # noqa: S608 - likewise
            " WHERE outcome IN ('failed', 'skipped')"
            if self._wanted
            else f"SELECT {_UNANSWERED}, since FROM unanswered"  # noqa: S608 - likewise
        )
        self._con.execute(f"CREATE TEMP VIEW shown_unanswered AS {unanswered}")

    def _table(self, name: str, **binds: object) -> pa.Table:
        query = sql.statement(f"read/report/{name}")
        return self._con.sql(query, params=binds or None).to_arrow_table()

    def _rows(self, kind: type[V], name: str, **binds: object) -> tuple[V, ...]:
        rows = self._table(name, **binds).to_pylist()
        return tuple(msgspec.convert(row, kind) for row in rows)

    def summary(self, *, brief: bool) -> Summary:
        self._con.register("change_row", self._table("changed"))
        changed = self._con.sql(
            sql.statement("read/changes/change_named"), params=history.EVERY_CHANGE
        ).to_arrow_table()
        heads = [row["snapshot_id"] for row in self._reported.to_pylist() if row["is_head"]]
        partners = self._rows(Figures, "partner", heads=heads)
        current = _Current() if brief else self._current()
        return Summary(
            snapshots=self._wanted,
            is_masked=self._is_masked,
            partners=partners,
            places=current.places,
            families=current.families,
            kinds=self._rows(KindCount, "kind"),
            held=self._rows(HeldBack, "held")[0],
            tally={
                (row["partner"], row["kind"]): row["rows"]
                for row in self._table("tally").to_pylist()
            },
            causes=tuple(
                self._naming.cause(row) for row in causes.gather(self._con, changed).to_pylist()
            ),
            changes=self._changes(changed),
            trust=() if self._wanted else self._trust(),
            reasons=self._rows(ReasonCount, "reason"),
            unknown=self._listed(
                self._table("unknown"),
                self._naming.unknown,
                ('auditor sql "SELECT * FROM unanswered"',),
            ),
            stale=current.stale,
            renewals=current.renewals,
            health=() if brief else self._rows(Health, "health", newest=NEWEST),
            not_in_catalog=current.not_in_catalog,
            is_pruned=current.is_empty and any(p.inventory_rows for p in partners),
            is_baseline=all(self._reported.column("is_first").to_pylist()),
        )

    def _trust(self) -> tuple[trust.Trust, ...]:
        return trust.of_rows(self._con.sql("FROM partner_night").to_arrow_table().to_pylist())

    def _current(self) -> "_Current":
        """Return the current state."""
        state = sql.statement("read/report/state").rstrip().rstrip(";")
        self._con.execute(f"CREATE TEMP TABLE state AS {state}")
        absent = self._con.sql(
            " UNION ALL ".join(
                f"SELECT count(*) FROM shown_{one} WHERE verdict = 'not_in_catalog'"  # noqa: S608 - known names
                for one in _SHOWN
            )
        ).fetchall()
        renewals = self._table("renewal")
        if self._wanted:  # the view shows what is known now, not what the snapshots knew
            renewals = renewals.slice(0, 0)
        places = self._rows(PlaceCount, "place")
        return _Current(
            places=places,
            families=self._rows(FamilyCount, "family"),
            stale=self._rows(Stale, "stale"),
            renewals=self._listed(
                renewals, self._naming.renewal, ('auditor sql "SELECT * FROM renewal_at_risk"',)
            ),
            not_in_catalog=sum(int(row[0]) for row in absent),
            is_empty=not places,
        )

    def _changes(self, changed: pa.Table) -> dict[str, Excerpt[Change]]:
        found: dict[str, Excerpt[Change]] = {}
        sure = changed.filter(pc.invert(changed.column("suspect")))
        for kind in pc.unique(sure.column("kind").cast(pa.string())).to_pylist():
            table = history.alike(sure.filter(pc.equal(sure.column("kind"), kind)))
            left_out = table.slice(self._longest).column("snapshot_id").unique().to_pylist()
            found[kind] = self._listed(
                table, self._naming.change, tuple(self._commands(kind, left_out))
            )
        return found

    def _commands(self, kind: str, snapshots: Iterable[str]) -> Iterable[str]:
        """Yield commands that together show all changes of a kind in these snapshots."""
        ids = sorted(snapshots)
        if not self._wanted and all(self._is_newest[one] for one in ids):
            yield f"auditor changes --kind {kind}"
        else:
            yield from (f"auditor changes --kind {kind} --snapshot {one}" for one in ids)

    def _listed(
        self, table: pa.Table, convert: Callable[[ReportRow], V], commands: tuple[str, ...]
    ) -> Excerpt[V]:
        rows = table.slice(0, self._longest).to_pylist()
        return Excerpt(
            rows=tuple(convert(row) for row in rows), total=table.num_rows, commands=commands
        )
