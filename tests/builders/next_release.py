"""A process that behaves as the next release: with more columns, and with a relation more.

`run` starts it on a store. What it imports of ours is as a developer would have changed it, by the
steps of docs/contributing.md.
"""

# ruff: noqa: SLF001 - what a developer would edit is private

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    from auditor.store.interface import Store

ROOT = Path(__file__).parents[2]
COLUMNS = {"inventory": "note", "coverage": "pages", "sku": "channel"}
"""A column that is null in older rows, one that counts, and one that is part of a key."""
RELATION = "extra"
_KEY = ("snapshot_id", "partner_tenant_id", "customer_id", "country")
_STEP = """
ALTER TABLE inventory_interval ADD note text COLLATE "C";
ALTER TABLE staged_inventory_interval ADD note text COLLATE "C";
ALTER TABLE coverage ADD pages bigint NOT NULL DEFAULT 0;
ALTER TABLE staged_coverage ADD pages bigint;
CREATE TABLE extra (
    snapshot_id text COLLATE "C" NOT NULL REFERENCES snapshot, partner_tenant_id text NOT NULL,
    customer_id text COLLATE "C" NOT NULL, country text COLLATE "C" NOT NULL, word text COLLATE "C",
    PRIMARY KEY (snapshot_id, partner_tenant_id, customer_id, country)
);
CREATE UNLOGGED TABLE staged_extra (
    epoch bigint NOT NULL, snapshot_id text, partner_tenant_id text, customer_id text, country text,
    word text
);
GRANT SELECT, INSERT, DELETE ON extra, staged_extra TO auditor_writer;
"""


class Failed(Exception):
    """The process ended with this traceback."""


def run(url: str, *commands: str) -> list[Any]:  # whatever the commands answer
    """Return what each command answered."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.builders.next_release", url, *commands],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise Failed(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _become(sql_folder: Path, *, is_database: bool) -> None:
    """Change what other modules take from `tables` and `sql`, before they are imported."""
    from auditor import tables  # noqa: PLC0415 - before all that derives from it
    from auditor.store import sql  # noqa: PLC0415

    tables.SCHEMA_VERSION += 1
    later = tables.SCHEMA_VERSION
    tables._INTS.add("pages")
    for relation, name in COLUMNS.items():
        if is_database and relation == "sku":
            continue  # a key of a database is a key of its indexes too
        tables.SINCE[f"{relation}.{name}"] = later
        tables._REST[relation] = (*tables._REST[relation], name)
    tables.DEFAULTS["coverage.pages"] = 0
    if not is_database:
        tables.KEYS["sku"] = (*tables.KEYS["sku"], "channel")
    tables.KEYS[RELATION] = _KEY
    tables._REST[RELATION] = ("word",)
    tables.SINCE[RELATION] = later
    tables.PER_SNAPSHOT = (*tables.PER_SNAPSHOT, RELATION)  # type: ignore[assignment] # one more
    for relation in tables.KEYS:
        tables.SCHEMAS[relation] = tables._schema(relation)

    shutil.copytree(ROOT / "sql", sql_folder)
    sql._folder = lambda: sql_folder
    sql.BASE = (*sql.BASE, RELATION)  # type: ignore[assignment] # one more
    view = (sql_folder / "duckdb" / "change.sql").read_text()
    view = view.replace("VIEW change", f"VIEW {RELATION}").replace("change_files", "extra_files")
    (sql_folder / "duckdb" / f"{RELATION}.sql").write_text(view)
    (sql_folder / "postgres" / f"{RELATION}.sql").write_text(
        "CREATE VIEW extra AS SELECT * FROM auditor_tables.extra;"
    )
    (sql_folder / "schema" / "0099_next.sql").write_text(_STEP)
    meanings = (sql_folder / "columns.toml").read_text()
    words = "".join(f'{name} = "As said"\n' for name in (*COLUMNS.values(), "word"))
    (sql_folder / "columns.toml").write_text(meanings.replace("[column]\n", f"[column]\n{words}"))
    for folder, name, before in (
        ("inventory", "i.note", "\nFROM"),
        ("current_inventory", "i.note", "\nFROM"),
        ("coverage", "pages", "\nFROM"),
    ):
        path = sql_folder / "postgres" / f"{folder}.sql"
        path.write_text(path.read_text().replace(before, f", {name}{before}", 1))


class Commands:
    """What a test can tell the process to do, by the names of the methods."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def _store(self) -> "Store":
        from auditor.store import open_store  # noqa: PLC0415 - see _become

        return open_store(self._url)

    def upgrade(self) -> object:
        from auditor.store.postgres import schema  # noqa: PLC0415 - see _become
        from auditor.store.postgres.connection import Database  # noqa: PLC0415

        return schema.upgrade(Database(self._url))

    def views(self) -> object:
        """Count the rows of each relation and view."""
        from auditor.store import sql  # noqa: PLC0415 - see _become

        return {name: self._store.arrow(name).num_rows for name in (*sql.BASE, *sql.VIEWS)}

    def rows(self, relation: str) -> object:
        return self._store.arrow(relation).to_pylist()

    def sql(self, relation: str) -> object:
        return self._store.sql(f"SELECT * FROM {relation}").to_pylist()

    def known(self, relation: str) -> object:
        from tests.builders.store_lake import P  # noqa: PLC0415 - see _become

        store = self._store
        tables = (store.known(relation, bucket, P) for bucket in range(store.buckets))
        return [row for table in tables for row in table.to_pylist()]

    def verify(self) -> object:
        store = self._store
        return [str(fault) for name in store.published() for fault in store.verify(name)]

    def prune(self) -> object:
        """Prune what is older than the third night; return how many snapshots that were."""
        from tests.builders.store_lake import at  # noqa: PLC0415 - see _become

        return self._store.prune(at(400) - at(3), at(400), apply=True).num_rows

    def publish(self, customer_id: str) -> object:
        """Publish the third night of one customer, with a value in each new column."""
        from tests.builders.store_lake import (  # noqa: PLC0415 - see _become
            at,
            cover,
            listed,
            publish,
            stock,
        )

        rows = {
            "coverage": [cover(customer_id, "DE", pages=7), cover("", "DE", pages=0)],
            "inventory": [stock(customer_id, "0011", "unrestricted", at(3), note="seen")],
            "sku": [listed("0011", channel="web")],
            "extra": [{"customer_id": customer_id, "country": "DE", "word": "new"}],
        }
        return publish(self._store, "20261103T020000Z-00000c", at(3), rows)

    def file(self, path: str) -> object:
        """Write a DuckDB file of views."""
        job = runpy.run_path(str(ROOT / "jobs" / "duckdb_views.py"))
        return job["write"](Path(self._url), Path(path))

    def count(self, path: str) -> object:
        """Count the rows of each relation in a DuckDB file of views."""
        from auditor.store import sql  # noqa: PLC0415 - see _become

        with duckdb.connect(path, read_only=True) as con:
            counts = (f"SELECT '{name}', count(*) FROM {name}" for name in sql.BASE)
            return dict(con.sql(" UNION ALL ".join(counts)).fetchall())


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _become(Path(folder) / "sql", is_database="://" in sys.argv[1])
        for command in sys.argv[2:]:
            name, *argument = command.split("=", 1)
            answer = getattr(Commands(sys.argv[1]), name)(*argument)
            print(json.dumps(answer, default=str))  # noqa: T201 - its answer
