"""Searches every byte of a store and a state folder for texts that identify a customer."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from auditor.journal.journal import replies
from auditor.store.objects.client import Objects
from auditor.store.postgres.tables import SCHEMA
from tests.builders.database_logins import as_superuser


def found_in_files(needles: tuple[str, ...], *folders: Path) -> list[str]:
    """Return each file that holds a needle, in its bytes or in what they are compressed from."""
    return [
        f"{needle} in {path}"
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for needle in needles
        if any(needle.lower().encode() in each.lower() for each in _contents(path))
    ]


def found_in_objects(needles: tuple[str, ...], objects: Objects, folder: Path) -> list[str]:
    """Return each object that holds a needle; `folder` gets a copy of all."""
    shutil.rmtree(folder, ignore_errors=True)
    for one in objects.list(""):
        found = objects.get(one.key)
        if found is not None:
            (folder / one.key).parent.mkdir(parents=True, exist_ok=True)
            (folder / one.key).write_bytes(found.data)
    return found_in_files(needles, folder)


def found_in_database(needles: tuple[str, ...], url: str) -> list[str]:
    """Return each table of the store that holds a needle, in a dump of all its rows."""
    with as_superuser(url) as con:
        return [
            f"{needle} in {table}"
            for table, dump in _dumps(con)
            for needle in needles
            if needle.lower().encode() in dump.lower()
        ]


def _dumps(con: psycopg.Connection) -> Iterator[tuple[str, bytes]]:
    query = "SELECT tablename FROM pg_tables WHERE schemaname = %s"
    for (table,) in con.execute(query, [SCHEMA]).fetchall():
        copy = psycopg.sql.SQL("COPY {} TO STDOUT").format(psycopg.sql.Identifier(SCHEMA, table))
        with con.cursor().copy(copy) as rows:
            yield table, b"".join(map(bytes, rows))


def _contents(path: Path) -> Iterator[bytes]:
    """Yield a file's bytes, its path, and the bytes that it was compressed from."""
    yield path.read_bytes()
    yield str(path).encode()
    if path.suffix == ".parquet":
        yield from _plain(path)
    if path.suffix == ".journal":
        yield from (reply.body for reply in replies(path))


def _plain(path: Path) -> Iterator[bytes]:
    """Yield a Parquet file without compression: with its statistics and unused texts."""
    stream = pa.BufferOutputStream()
    table = pq.read_table(path, partitioning=None)  # the dictionaries as they are in the file
    pq.write_table(table, stream, compression="none")
    yield stream.getvalue().to_pybytes()
    metadata = pq.read_metadata(path)
    for group in range(metadata.num_row_groups):
        yield repr(metadata.row_group(group).to_dict()).encode()
