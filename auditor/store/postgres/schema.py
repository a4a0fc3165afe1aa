"""The schema of a PostgreSQL store: what is there, whether it will do, and how it is made.

Only `upgrade` makes or changes tables; it is the owner's. See docs/decisions/0015 and 0016.
"""

from sqlalchemy import Connection, func, select, text, true

from auditor.database_url import ALLOW_SUPERUSER
from auditor.errors import SettingsError, StoreTooNew, StoreTooOld
from auditor.store import comments, sql
from auditor.store.postgres import tables
from auditor.store.postgres.connection import Database

NEWEST = 4
"""The last file of `sql/schema/`: what this version is built for."""
FIRST_RELEASED = 4
"""No version wrote into anything older."""
_OLDEST_SERVER = 150000
_LOCK = 0x5CA1_AB1E
"""Of `pg_advisory_lock`: who upgrades holds it until its transaction ends."""


def check(con: Connection, *, newest: int = NEWEST, oldest_server: int = _OLDEST_SERVER) -> None:
    """Raise StoreTooOld or StoreTooNew unless a version built for `newest` can use it."""
    _check_server(con, oldest_server)
    have = version(con)
    if have > newest:
        raise StoreTooNew(
            f"the database has schema {have}, this auditor knows {newest}",
            hint="use a newer auditor",
        )
    if have < max(FIRST_RELEASED, newest - 1):
        raise StoreTooOld(
            f"the database has schema {have or 'none'}, this auditor needs {newest}",
            hint="run `auditor db upgrade` as the owner of the database",
        )


def check_role(con: Connection) -> None:
    """Refuse a role that no policy holds for: S15."""
    mighty = "SELECT rolname FROM pg_roles WHERE rolname = current_user"
    role = con.execute(text(f"{mighty} AND (rolsuper OR rolbypassrls)")).scalar()
    if role is not None:
        raise SettingsError(
            f"store: {role} is a superuser or bypasses row security: any row could be read or lost",
            hint="connect as a member of auditor_writer or auditor_reader, "
            f"or say {ALLOW_SUPERUSER}=yes in the URL",
        )


def _check_server(con: Connection, oldest: int) -> None:
    number = int(con.execute(text("SHOW server_version_num")).scalar_one())
    if number < oldest:
        raise StoreTooOld(
            f"PostgreSQL {number // 10000} is too old, {oldest // 10000} is the oldest to do",
            hint="upgrade the server",
        )
    _check_encoding(con)


def _check_encoding(con: Connection) -> None:
    """Refuse a database that cannot hold every name a customer may have."""
    encoding = con.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise SettingsError(
            f"store: the database's server_encoding is {encoding}, not UTF8",
            hint="create the database with ENCODING 'UTF8' (TEMPLATE template0)",
        )


def version(con: Connection) -> int:
    """Return the last step that was applied, as a reader sees it; 0 where there is none."""
    if con.execute(text("SELECT to_regclass('store_info')")).scalar() is None:
        return 0
    found = con.execute(select(tables.STORE_INFO.c.schema_step)).scalar()
    return 0 if found is None else int(found)


def upgrade(database: Database, *, until: int = NEWEST) -> tuple[str, ...]:
    """Apply the steps that are missing, all of them or none, and return their names.

    The views are dropped and made anew, so that they are always those of this version.
    """
    with database.telling(), database.engine.begin() as con:
        con.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _check_server(con, _OLDEST_SERVER)
        if version(con) > NEWEST:
            check(con)
        views = con.execute(select(func.current_schema())).scalar_one()
        _run(con, sql.statement("roles/roles"))
        con.execute(text("SET LOCAL ROLE auditor_owner"))
        _look_into(con, tables.SCHEMA)
        have = _applied(con)
        _drop_views(con, views)
        missing = [(step, name) for step, name in sql.schema_steps() if have < step <= until]
        for step, name in missing:
            _run(con, sql.statement(f"schema/{name}"))
            record = text("INSERT INTO schema_step (step, name) VALUES (:step, :name)")
            con.execute(record, {"step": step, "name": name})
        if until == NEWEST:
            _make_views(con, views)
    return tuple(name for _, name in missing)


def _applied(con: Connection) -> int:
    """Return the last step, as the owner sees it: the views may be gone."""
    if con.execute(text("SELECT to_regclass('schema_step')")).scalar() is None:
        return 0
    found = con.execute(text("SELECT max(step) FROM schema_step")).scalar()
    return 0 if found is None else int(found)


def _look_into(con: Connection, *schemas: str) -> None:
    """Let names without a schema mean what lies in these; what is made is made in the first."""
    quote = con.dialect.identifier_preparer.quote
    path = ", ".join(quote(name) for name in schemas)
    con.execute(select(func.set_config("search_path", path, true())))


def _make_views(con: Connection, views: str) -> None:
    for definition in sql.beside_postgres().values():
        _run(con, definition)
    _look_into(con, views, tables.SCHEMA)
    for definition in sql.postgres_views().values():
        _run(con, definition)
    _run(con, sql.statement("roles/view"))
    columns = con.execute(text(sql.statement("roles/column")), {"views": views})
    _run(con, ";".join(comments.statement(*each) for each in columns))


def _drop_views(con: Connection, views: str) -> None:
    quote = con.dialect.identifier_preparer.quote
    for schema, names in ((views, sql.postgres_views()), (tables.SCHEMA, sql.beside_postgres())):
        for name in reversed(names):
            _run(con, f"DROP VIEW IF EXISTS {quote(schema)}.{name}")


def _run(con: Connection, statements: str) -> None:
    """Run a file as it is: a colon or a percent sign in it binds nothing."""
    con.execution_options(no_parameters=True).exec_driver_sql(statements)
