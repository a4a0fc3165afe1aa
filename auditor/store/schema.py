"""The schema of a PostgreSQL store: what is there, whether it will do, and how it is made.

Only `upgrade` makes or changes tables; it is the owner's. See docs/decisions/0014.
"""

from sqlalchemy import Connection, text

from auditor.errors import StoreTooNew, StoreTooOld
from auditor.store import sql
from auditor.store.database import Database

NEWEST = 3
"""The last file of `sql/schema/`: what this version is built for."""
FIRST_RELEASED = 3
"""No version wrote into anything older."""
_OLDEST_SERVER = 150000
_LOCK = 0x5CA1_AB1E
"""Of `pg_advisory_lock`: who upgrades holds it until its transaction ends."""


def check(con: Connection) -> None:
    """Raise StoreTooOld or StoreTooNew unless a writer or reader of this version can use it."""
    _check_server(con)
    have = version(con)
    if have > NEWEST:
        raise StoreTooNew(
            f"the database has schema {have}, this auditor knows {NEWEST}",
            hint="use a newer auditor",
        )
    if have < max(FIRST_RELEASED, NEWEST - 1):
        raise StoreTooOld(
            f"the database has schema {have or 'none'}, this auditor needs {NEWEST}",
            hint="run `auditor db upgrade` as the owner of the database",
        )


def _check_server(con: Connection) -> None:
    number = int(con.execute(text("SHOW server_version_num")).scalar_one())
    if number < _OLDEST_SERVER:
        raise StoreTooOld(
            f"PostgreSQL {number // 10000} is too old, 15 is the oldest that will do",
            hint="upgrade the server",
        )


def version(con: Connection) -> int:
    """Return the last step that was applied; 0 where there is none."""
    if con.execute(text("SELECT to_regclass('schema_step')")).scalar() is None:
        return 0
    found = con.execute(text("SELECT max(step) FROM schema_step")).scalar()
    return 0 if found is None else int(found)


def upgrade(database: Database, *, until: int = NEWEST) -> tuple[str, ...]:
    """Apply the steps that are missing, all of them or none, and return their names.

    The views are dropped and made anew, so that they are always those of this version.
    """
    with database.telling(), database.engine.begin() as con:
        con.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _check_server(con)
        have = version(con)
        if have > NEWEST:
            check(con)
        _drop_views(con)
        missing = [(step, name) for step, name in sql.schema_steps() if have < step <= until]
        for step, name in missing:
            _run(con, sql.statement(f"schema/{name}"))
            record = text("INSERT INTO schema_step (step, name) VALUES (:step, :name)")
            con.execute(record, {"step": step, "name": name})
        if until == NEWEST:
            for definition in sql.postgres_views().values():
                _run(con, definition)
    return tuple(name for _, name in missing)


def _drop_views(con: Connection) -> None:
    for name in reversed(sql.postgres_views()):
        _run(con, f"DROP VIEW IF EXISTS {name}")


def _run(con: Connection, statements: str) -> None:
    """Run a file as it is: a colon or a percent sign in it binds nothing."""
    con.execution_options(no_parameters=True).exec_driver_sql(statements)
