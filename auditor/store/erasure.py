"""What identifies one customer, and how rows and texts are rid of it.

See docs/decisions/0022-a-customer-is-erased-from-history-too.md.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from auditor.customer_names import CustomerName, comparable
from auditor.store import conform, sql
from auditor.store.shared_files import SharedFiles

COUNTS = (
    "checks_answered",
    "checks_failed",
    "checks_skipped",
    "checks_not_eligible",
    "listings_failed",
    "customers_unlisted",
)
"""Columns of `snapshot` that are the sums of the columns of `coverage` with the same names."""
ROW_COUNTS = {
    "inventory": "inventory_rows",
    "availability": "availability_rows",
    "change": "changes",
}
"""The column of `snapshot` that counts the rows of a relation, by relation."""
WITH_SCOPE = ("snapshot", "coverage")
"""The relations whose column `scope` may name customers or Azure subscriptions, in any row."""
ERASED = pa.schema(
    [
        pa.field("what", pa.string(), nullable=False),
        pa.field("files", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("bytes", pa.int64()),
    ]
)
"""One row for each relation, and for each kind of file of a run, that holds the customer.

`rows` counts rows that are deleted or altered, `files` and `bytes` the files that are written anew
or removed. A number is null where it means nothing.
"""
Json = Any  # a decoded JSON text


class Traces(msgspec.Struct, frozen=True, kw_only=True):
    """Every text that identifies one customer."""

    customer_id: str
    names: tuple[str, ...] = ()
    """Its company names and domains, former ones too."""
    subscriptions: tuple[str, ...] = ()
    """Its Azure and commerce subscriptions."""
    partners: tuple[str, ...] = ()
    """The tenants of the partners that ever asked about it."""

    def joined(self, other: "Traces") -> "Traces":
        """Return the traces of two sources, for the same customer."""
        return Traces(
            customer_id=self.customer_id,
            names=_together(self.names, other.names),
            subscriptions=_together(self.subscriptions, other.subscriptions),
            partners=_together(self.partners, other.partners),
        )

    def as_names(self) -> list[CustomerName]:
        """Return the names by which the customer is found."""
        return [
            CustomerName(customer_id=self.customer_id, company_name=each) for each in self.names
        ]

    def is_named(self, text: str) -> bool:
        """Return whether a text is an id or a name of the customer, as `--customer` compares."""
        given = comparable(text)
        return given in {comparable(each) for each in self._all() if each}

    def is_mentioned(self, text: str) -> bool:
        """Return whether a text holds an id or a name of the customer."""
        within = comparable(text)
        return any(comparable(each) in within for each in self._all() if comparable(each))

    def _all(self) -> tuple[str, ...]:
        return (self.customer_id, *self.names, *self.subscriptions)

    def without(self, value: Json) -> Json:
        """Return decoded JSON without the list items and texts that name the customer."""
        if isinstance(value, Mapping):
            return {key: self.without(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self.without(each) for each in value if not self._is_text(each)]
        return "" if self._is_text(value) else value

    def _is_text(self, value: Json) -> bool:
        return isinstance(value, str) and self.is_named(value)

    def scope(self, text: str | None) -> str | None:
        """Return a `scope` without the customer; unchanged if it does not name the customer."""
        if not text or not self.is_mentioned(text):
            return text
        return json.dumps(self.without(json.loads(text)), sort_keys=True)

    def attempt(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of `attempt` without the customer."""
        kept = [each for each in (row["customers"] or "").split(";") if not self.is_named(each)]
        customers = ";".join(kept)
        # A name with a semicolon is in pieces.
        customers = "" if self.is_mentioned(customers) else customers
        reason = "" if self.is_mentioned(row["reason"] or "") else row["reason"]
        return {**row, "customers": customers, "reason": reason}


traces_file = msgspec.json.Decoder(Traces)
"""Made by one thread: two partners' threads that prepare the same type at once can crash."""


def _together(one: Iterable[str], other: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other} - {""}))


def customers_ever(con: duckdb.DuckDBPyConnection) -> list[CustomerName]:
    """Return every customer that a snapshot names, by each name that it ever had."""
    return [
        CustomerName(customer_id=customer_id, company_name=name or "", domain=domain or "")
        for customer_id, name, domain in con.execute(sql.statement("read/traces/name")).fetchall()
    ]


def query() -> str:
    """Return SQL that reads at least the relations that `traces` reads."""
    return sql.statement("read/traces/subscription") + sql.statement("read/traces/partner")


def traces(
    con: duckdb.DuckDBPyConnection, customer_id: str, names: Iterable[CustomerName]
) -> Traces:
    """Return the traces of a customer with these names, over the relations of `query`."""
    bound = {"customer": customer_id}
    ids = con.execute(sql.statement("read/traces/subscription"), bound).fetchall()
    partners = con.execute(sql.statement("read/traces/partner"), bound).fetchall()
    texts = [text for name in names for text in (name.company_name, name.domain)]
    return Traces(
        customer_id=customer_id,
        names=_together(texts, ()),
        subscriptions=_together((row[0] for row in ids), ()),
        partners=_together((row[0] for row in partners), ()),
    )


def erased(relation: str, table: pa.Table, traces: Traces) -> pa.Table:
    """Return a relation's rows without the customer, in text too; dictionaries are written anew."""
    if "customer_id" in table.column_names:
        is_other = pc.not_equal(table.column("customer_id").cast(pa.string()), traces.customer_id)
        table = table.filter(is_other)
    if relation in WITH_SCOPE:
        table = _with_scope(table, traces)
    return conform.tidied(table)


def _with_scope(table: pa.Table, traces: Traces) -> pa.Table:
    """Return rows without the customer in `scope`. There are few scopes, for many rows."""
    field = table.schema.field("scope")
    texts = table.column("scope").cast(pa.string())
    for scope in texts.unique().to_pylist():
        if (without := traces.scope(scope)) != scope:
            is_this = pc.equal(texts, scope)
            texts = pc.if_else(is_this, pa.scalar(without, pa.string()), texts)
    place = table.column_names.index("scope")
    return table.set_column(place, field, texts.cast(field.type))


def snapshot_without(
    row: Mapping[str, Any], traces: Traces, sums: Mapping[str, int], rows: Mapping[str, int]
) -> dict[str, Any]:
    """Return the row of a snapshot from which a customer is erased.

    `sums` are the sums of `COUNTS` in the customer's cells, `rows` its rows by relation.
    """
    less = {**sums, **{ROW_COUNTS[name]: rows.get(name, 0) for name in ROW_COUNTS}}
    counts = {
        name: None if row[name] is None else row[name] - less.get(name, 0)
        for name in (*COUNTS, *ROW_COUNTS.values())
        if name in row
    }
    return {**row, **counts, "scope": traces.scope(row["scope"])}


def table(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Return rows as a table with the columns of `ERASED`."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=ERASED)


def shared(files: SharedFiles, traces: Traces, *, apply: bool) -> list[dict[str, object]]:
    """Return how many files of divided runs go; with `apply`, delete them.

    Like a journal, they hold replies about many customers. The header of a run stays, unless it
    names the customer: by it a late part finds out that the run was published.
    """
    found = {name: files.get(name) or b"" for name in files.names("")}
    gone = [
        name
        for name, data in found.items()
        if not name.endswith("/run") or traces.is_mentioned(data.decode("utf-8", "replace"))
    ]
    if apply:
        for name in gone:
            files.delete(name)
    size = sum(len(found[name]) for name in gone)
    return [{"what": "shared_files", "files": len(gone), "bytes": size}] if gone else []


def sums_of(coverage: pa.Table) -> dict[str, int]:
    """Return the sums of `COUNTS` in rows of `coverage`; a file of an older release lacks some."""
    return {
        name: pc.sum(coverage.column(name)).as_py() or 0
        for name in COUNTS
        if name in coverage.column_names
    }
