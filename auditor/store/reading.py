"""DuckDB on a folder store: read-only, and blind to everything outside the folder."""

import re
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa

from auditor.errors import AuditorError, ScopeError, StoreCorrupt, StoreFailed, UsageError
from auditor.model import bucket_of
from auditor.store import sql
from auditor.store.duck import connect
from auditor.store.folder.index import Entry, Index
from auditor.tables import KEYS

SPARING = "256MB"
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


_GONE = ("No files found", "No such file or directory")
"""What DuckDB says of a file that is not there when it looks for it, and when it opens it."""


class FileGone(StoreFailed):
    """A file that was there when the connection was made is not there any more."""


def _opened(*, is_sparing: bool) -> duckdb.DuckDBPyConnection:
    return connect(threads=1, memory_limit=SPARING) if is_sparing else connect()


@contextmanager
def connection(
    root: Path,
    index: Index,
    buckets: int,
    customer_id: str | None = None,
    asking: str | None = None,
    *,
    is_sparing: bool = False,
    spill: str | None = None,
    copied: frozenset[str] | None = None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB in memory with every relation and view over the snapshots in `index`.

    With `asking`, only with those that this statement stands on: making all takes a while. DuckDB
    can read and write every file of the store. Where `copied` names base views, it can reach no
    file of it: these were copied before, to memory or to `spill`, and no other can be read.
    """
    con = _opened(is_sparing=is_sparing)
    try:
        try:
            con.execute("SET temp_directory = $1", [_spill() if spill is None else spill])
            only = None if asking is None else sql.needed(asking)
            _name_all_files(con, root, index, _buckets_of(customer_id, buckets), only)
            for definition in sql.definitions(only, copied or frozenset()):
                con.execute(definition)
            _shut(con, root, is_copied=copied is not None)
        except duckdb.Error as error:
            raise explained(error) from error
        yield con
    finally:
        con.close()


@contextmanager
def filled(
    relations: Iterable[tuple[str, pa.RecordBatchReader]],
    only: frozenset[str] | None,
    *,
    is_sparing: bool = False,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open DuckDB on copies of base views, and above them every view, or `only` these.

    The copies are made before it is given, a batch at a time; what memory does not hold is spilled.
    """
    con = _opened(is_sparing=is_sparing)
    try:
        con.execute("SET temp_directory = $1", [_spill()])
        for name, batches in relations:
            _fill(con, name, batches)
        for name in sql.VIEWS:
            if only is None or name in only:
                con.execute(sql.statement(f"views/{name}"))
        con.execute("SET enable_external_access = false")
        con.execute("SET lock_configuration = true")
        yield con
    finally:
        con.close()


def _fill(con: duckdb.DuckDBPyConnection, name: str, batches: pa.RecordBatchReader) -> None:
    con.register("_batch", batches.schema.empty_table())
    con.execute(f"CREATE TABLE {name} AS FROM _batch")
    for batch in batches:  # by us, so that what goes wrong is the driver's and not DuckDB's
        con.register("_batch", pa.Table.from_batches([batch]))
        con.execute(f"INSERT INTO {name} FROM _batch")
    con.unregister("_batch")


def _spill() -> str:
    """Return a folder that DuckDB makes if it needs one, and removes."""
    return f"{tempfile.gettempdir()}/auditor-{uuid.uuid4()}"


def _buckets_of(customer_id: str | None, buckets: int) -> frozenset[int] | None:
    """Return the buckets that can hold rows for a customer: its own and the catalog's."""
    if customer_id is None:
        return None
    return frozenset({bucket_of(customer_id, buckets), bucket_of("", buckets)})


def _name_all_files(
    con: duckdb.DuckDBPyConnection,
    root: Path,
    index: Index,
    buckets: frozenset[int] | None,
    only: frozenset[str] | None,
) -> None:
    con.register("latest_map", index.latest)
    current = [entry for entry in index.entries if entry.snapshot_id in index.named_in_latest]
    for relation in KEYS:
        for name, entries in ((relation, index.entries), (f"current_{relation}", current)):
            if only is None or name in only:
                name_files(con, name, files(root, relation, entries, buckets))


def files(
    root: Path, relation: str, entries: Iterable[Entry], buckets: frozenset[int] | None = None
) -> list[str]:
    """Return the files of a relation, as DuckDB reads them: a list is still one of patterns.

    The first one has no rows: it gives the columns.
    """
    folder = re.sub(r"[*?\[]", r"[\g<0>]", str(root))
    found = [f"{folder}/_schema/{relation}.parquet"]
    for entry in entries:
        found += entry.paths(folder, relation, buckets)
    return found


def is_whole(root: Path, index: Index) -> bool:
    """Tell whether each file is there that a relation or view reads."""
    paths = [f"{root}/_schema/{relation}.parquet" for relation in KEYS]
    for entry in index.entries:
        for relation in KEYS:
            paths += entry.paths(root, relation)
    return all(Path(path).exists() for path in paths)


def name_files(con: duckdb.DuckDBPyConnection, name: str, paths: Sequence[str]) -> None:
    """Give a base view the files it reads."""
    con.execute(f"SET VARIABLE {name}_files = $1", [paths])


def _shut(con: duckdb.DuckDBPyConnection, root: Path, *, is_copied: bool) -> None:
    as_pattern = files(root, "snapshot", ())[0].removesuffix("/_schema/snapshot.parquet")
    if not is_copied:
        con.execute("SET allowed_directories = $1", [[str(root), as_pattern]])
    con.execute("SET enable_external_access = false")
    con.execute("SET lock_configuration = true")


def check_name(name: str) -> None:
    """Raise UsageError unless a relation or view is called so."""
    known = (*sql.BASE, *sql.VIEWS)
    if name not in known:
        near = get_close_matches(name, known, n=3)
        raise UsageError(f"no relation or view {name!r}", hint=", ".join(near or sorted(known)))


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What a row must hold: a piece of SQL over one column, and what is bound in it."""

    column: str
    text: str
    values: tuple[object, ...]


_OF_PARTNER = (
    '"partner_tenant_id" IN (SELECT partner_tenant_id FROM snapshot'
    " WHERE partner_tenant_id = lower(?) OR partner_name = ?)"
)


def wanted(
    customer_id: str | None,
    product: str | None,
    sku: str | None,
    partner: str | None,
    columns: Mapping[str, object],
) -> list[Condition]:
    """Return the conditions that keywords ask for; None asks nothing."""
    equal = {"customer_id": customer_id, "product_id": product, "sku_id": sku, **columns}
    if sku is not None and ":" in sku:
        equal["product_id"], equal["sku_id"] = sku.split(":", 1)
    found = [
        Condition(column=column, text=f'"{column}" = ?', values=(value,))
        for column, value in equal.items()
        if value is not None
    ]
    if partner is not None:
        values = (partner, partner)
        found.append(Condition(column="partner_tenant_id", text=_OF_PARTNER, values=values))
    return found


def rows(con: duckdb.DuckDBPyConnection, name: str, asked: Sequence[Condition]) -> pa.Table:
    """Return the rows of a relation or view that hold what is asked, in a stable order."""
    try:
        columns = con.sql(f'SELECT * FROM "{name}" LIMIT 0').columns  # noqa: S608 - a known name
        for condition in asked:
            if condition.column not in columns:
                hint = ", ".join(columns)
                raise UsageError(f"{name} has no column {condition.column!r}", hint=hint)
        conditions = " AND ".join(["true", *(condition.text for condition in asked)])
        order = _order(name, columns)
        statement = f'SELECT * FROM "{name}" WHERE {conditions} ORDER BY {order}'  # noqa: S608 - known names, bound values
        values = [value for condition in asked for value in condition.values]
        return con.sql(statement, params=values).to_arrow_table()
    except duckdb.Error as error:
        raise explained(error) from error


def _order(name: str, columns: Sequence[str]) -> str:
    key = KEYS.get(name.removeprefix("latest_").removeprefix("current_"), ())
    return ", ".join(f'"{column}"' for column in key if column in columns) or "ALL"


def find_customer(con: duckdb.DuckDBPyConnection, customer: str) -> str:
    """Return the id of the customer that has this id, domain or exact company name."""
    query = sql.statement("duckdb/query/find_customer")
    found = [row[0] for row in con.sql(query, params={"customer": customer}).fetchall()]
    if len(found) == 1:
        return str(found[0])
    if found:
        raise UsageError(f"customer {customer!r} is {len(found)} customers", hint=", ".join(found))
    if _GUID.fullmatch(customer.lower()):
        return customer.lower()
    rows = con.sql("SELECT company_name, domain FROM current_customer").fetchall()
    near = get_close_matches(customer, [name for row in rows for name in row if name], n=3)
    raise ScopeError(
        f"no customer {customer!r}",
        code="E_CUSTOMER_UNKNOWN",
        hint=f"did you mean {', '.join(near)}?" if near else "an id, a domain or the exact name",
    )


def explained(error: duckdb.Error, *, asked: bool = False) -> AuditorError:
    """Return the error as ours; `asked` says that the query came from outside."""
    said = str(error).strip().splitlines()[0]
    if isinstance(error, duckdb.IOException) and any(words in said for words in _GONE):
        return FileGone(said)
    if asked:
        return refused(said)
    if isinstance(error, duckdb.InvalidInputException):
        return StoreCorrupt(said, hint="see: auditor snapshots verify")
    return StoreFailed(said)


def refused(said: str) -> UsageError:
    """Return the error of a statement from outside, by what the engine said of it."""
    hint = "what can be asked: SELECT table_name FROM information_schema.tables"
    return UsageError(f"sql: {said}", hint=hint)
