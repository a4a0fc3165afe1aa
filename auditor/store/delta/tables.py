"""One Delta table: read, append to, replace, delete from. Only this module imports deltalake.

deltalake takes keys and tokens from the environment (`AWS_…`, `AZURE_…`); we never hold them.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from auditor.errors import SettingsError, StoreFailed, UsageError
from auditor.tables import schema_of

if TYPE_CHECKING:
    from deltalake import CommitProperties, DeltaTable

_SCHEMES = ("s3://", "s3a://", "az://", "azure://", "abfs://", "abfss://")
_TRIES = 20
"""How often a commit is tried. Each conflict means that another exporter has committed."""
_DELETED_AT_ONCE = 100
"""Customers in one statement that deletes."""
_QUERY = re.compile(r"\?[^\s\"')]*")
"""The part of a URL that may hold a signature."""
Result = TypeVar("Result")
RowsAfter = Callable[[int], tuple[int, Iterator[pa.RecordBatch]] | None]


def checked_url(url: str) -> str:
    """Return the URL of a folder of tables: a path, or a URL of S3, Azure or OneLake."""
    if "://" in url and not url.startswith(_SCHEMES):
        raise UsageError(
            "--to-delta: this kind of URL is not known",
            hint="a path, s3://BUCKET/PATH, az://CONTAINER/PATH or"
            " abfss://CONTAINER@ACCOUNT.dfs.core.windows.net/PATH",
        )
    if "://" in url and ("?" in url or "#" in url or ":" in url.partition("://")[2]):
        raise UsageError(
            "--to-delta: the URL must hold no key or signature (it is not shown)",
            hint="keys are read from the environment: see docs/bi.md",
        )
    return url.rstrip("/") or url


def require() -> None:
    """Raise SettingsError if the extra is not installed."""
    try:
        import deltalake  # noqa: F401, PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise SettingsError(
            "Delta tables need the package deltalake, which is not installed",
            hint="pip install 'csp-sku-auditor[delta]'",
        ) from error


def schema(relation: str) -> pa.Schema:
    """Return the schema of a relation's Delta table: Delta has no dictionaries.

    No column is required, because a column of a later release is null in the rows before it.
    """
    return pa.schema(
        (field.name, field.type.value_type if pa.types.is_dictionary(field.type) else field.type)
        for field in schema_of(relation)
    )


class Table:
    """The Delta table of one relation. A commit on top of an unseen one is refused and retried.

    `app` names the store that is exported. Each commit records the sequence of the newest snapshot
    that the table then holds.
    """

    def __init__(self, folder: str, relation: str, app: str) -> None:
        self.relation = relation
        self._url = f"{folder}/{relation}"
        self._app = app

    def append(self, rows_after: RowsAfter) -> int | None:
        """Append rows in one commit, exactly once; return how many, None if nothing is lacking.

        `rows_after` is given the sequence that the table holds (0: none), and returns the sequence
        that it holds with the rows, and the rows; None if the table needs none.
        """

        def write(table: "DeltaTable") -> int | None:
            from deltalake import write_deltalake  # noqa: PLC0415 - an extra

            found = rows_after(table.transaction_version(self._app) or 0)
            if found is None:
                return None
            sequence, batches = found
            counted = _Counted(batches)
            reader = pa.RecordBatchReader.from_batches(schema(self.relation), iter(counted))
            write_deltalake(
                table,
                reader,
                mode="append",
                schema_mode="merge",
                commit_properties=self._commit(sequence),
            )
            return counted.rows

        return self._committed(write)

    def replace(self, sequence: int, rows: pa.Table) -> int:
        """Make these the rows of a small table, if it is not of a newer snapshot.

        Return the number of rows if the table was written, else 0.
        """

        def write(table: "DeltaTable") -> int:
            from deltalake import write_deltalake  # noqa: PLC0415 - an extra

            held = table.transaction_version(self._app) or 0
            if held > sequence or (held == sequence and _same(table.to_pyarrow_table(), rows)):
                return 0
            commit = self._commit(sequence)
            write_deltalake(
                table, rows, mode="overwrite", schema_mode="overwrite", commit_properties=commit
            )
            return int(rows.num_rows)

        return self._committed(write)

    def customers(self) -> set[str]:
        """Return the ids of all customers in the table."""
        with self._errors():
            dataset = self._open().to_pyarrow_dataset()
            found: set[str] = set()
            for batch in dataset.to_batches(columns=["customer_id"]):
                found.update(batch.column("customer_id").unique().to_pylist())
        return found

    def delete(self, customers: Sequence[str]) -> int:
        """Delete the rows of some customers; return how many."""
        some = range(0, len(customers), _DELETED_AT_ONCE)
        return sum(self._deleted(customers[at : at + _DELETED_AT_ONCE]) for at in some)

    def _deleted(self, customers: Sequence[str]) -> int:
        quoted = ", ".join("'" + name.replace("'", "''") + "'" for name in customers)

        def write(table: "DeltaTable") -> int:
            from deltalake import CommitProperties  # noqa: PLC0415 - an extra

            commit = CommitProperties(max_commit_retries=0)
            found = table.delete(f"customer_id IN ({quoted})", commit_properties=commit)
            return int(found["num_deleted_rows"])

        return self._committed(write)

    def _commit(self, sequence: int) -> "CommitProperties":
        from deltalake import CommitProperties, Transaction  # noqa: PLC0415 - an extra

        transaction = Transaction(self._app, sequence)
        return CommitProperties(app_transactions=[transaction], max_commit_retries=0)

    def _open(self) -> "DeltaTable":
        """Return the table, made if it is not there. Raise UsageError if it is another store's."""
        from deltalake import DeltaTable  # noqa: PLC0415 - an extra
        from deltalake.exceptions import DeltaError, TableNotFoundError  # noqa: PLC0415 - likewise

        try:
            table = DeltaTable(self._url)
        except TableNotFoundError:
            try:
                made = schema(self.relation)
                table = DeltaTable.create(self._url, made, mode="error", description=self._app)
            except DeltaError:  # another exporter made it just now
                table = DeltaTable(self._url)
        if table.metadata().description != self._app:
            raise UsageError(
                f"{self._url}: this table was not made from this store",
                hint="use one folder for each store",
            )
        return table

    def _committed(self, write: Callable[["DeltaTable"], Result]) -> Result:
        from deltalake.exceptions import CommitFailedError  # noqa: PLC0415 - an extra

        with self._errors():
            for _ in range(_TRIES - 1):
                # If another exporter has committed meanwhile: look again.
                with suppress(CommitFailedError):
                    return write(self._open())
            return write(self._open())

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from deltalake.exceptions import DeltaError  # noqa: PLC0415 - an extra

        try:
            yield
        except (DeltaError, OSError) as error:
            message = _QUERY.sub("?…", str(error).strip().splitlines()[0])
            raise StoreFailed(
                f"{self._url}: {message}",
                hint="export again: what was committed is not written twice",
            ) from error


class _Counted:
    def __init__(self, batches: Iterator[pa.RecordBatch]) -> None:
        self._batches = batches
        self.rows = 0

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for batch in self._batches:
            self.rows += batch.num_rows
            yield batch


def _same(one: pa.Table, other: pa.Table) -> bool:
    """Return True if two tables have the same rows, in any order."""
    if one.column_names != other.column_names or one.num_rows != other.num_rows:
        return False
    order = [(name, "ascending") for name in other.column_names]
    return bool(one.cast(other.schema).sort_by(order).equals(other.sort_by(order)))
