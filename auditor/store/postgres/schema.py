"""Checks and upgrades the schema of a PostgreSQL store.

Only `upgrade` makes or changes tables, and only the owner role runs it. See docs/decisions/0015 and
0016.
"""

from sqlalchemy import Connection, func, select, text, true

from auditor.database_url import ALLOW_SUPERUSER
from auditor.errors import SettingsError, StoreTooNew, StoreTooOld
from auditor.store import comments, sql
from auditor.store.postgres import tables
from auditor.store.postgres.connection import Database

NEWEST = max(step for step, _ in sql.schema_steps())
"""The last file of `sql/schema/`, which this version is built for."""
_OPTIONAL = "-- Optional: "
"""The first words of an optional step: this version also works without it. An index is one."""
_OLDEST_SERVER = 150000
_LOCK = 0x5CA1_AB1E
"""Key of the advisory lock that an upgrade holds until its transaction ends."""


def check(
    con: Connection,
    *,
    newest: int = NEWEST,
    oldest: int | None = None,
    oldest_server: int = _OLDEST_SERVER,
) -> None:
    """Raise StoreTooOld or StoreTooNew unless the schema is from `oldest` to `newest`.

    By default, `oldest` is the last step that is not optional, and `newest` is the last step.
    """
    _check_server(con, oldest_server)
    have = version(con)
    if have > newest:
        raise StoreTooNew(
            f"the database has schema {have}, this auditor knows {newest}",
            hint="use a newer auditor",
        )
    if have < (_last_needed() if oldest is None else oldest):
        raise StoreTooOld(
            f"the database has schema {have or 'none'}, this auditor needs {newest}",
            hint="run `auditor db upgrade` as the owner of the database",
        )


def _last_needed() -> int:
    return max(
        step
        for step, name in sql.schema_steps()
        if not sql.statement(f"schema/{name}").startswith(_OPTIONAL)
    )


def check_role(con: Connection) -> None:
    """Refuse a role that row-level security does not restrict: S15."""
    query = "SELECT rolname FROM pg_roles WHERE rolname = current_user"
    role = con.execute(text(f"{query} AND (rolsuper OR rolbypassrls)")).scalar()
    if role is not None:
        raise SettingsError(
            f"store: {role} is a superuser or bypasses row security: it can read or lose any row",
            hint="connect as a member of auditor_writer or auditor_reader, "
            f"or add {ALLOW_SUPERUSER}=yes to the URL",
        )


def _check_server(con: Connection, oldest: int) -> None:
    number = int(con.execute(text("SHOW server_version_num")).scalar_one())
    if number < oldest:
        raise StoreTooOld(
            f"PostgreSQL {number // 10000} is too old, the oldest that works is {oldest // 10000}",
            hint="upgrade the server",
        )
    _check_encoding(con)


def _check_encoding(con: Connection) -> None:
    """Refuse a database whose encoding cannot hold every customer name."""
    encoding = con.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise SettingsError(
            f"store: the database's server_encoding is {encoding}, not UTF8",
            hint="create the database with ENCODING 'UTF8' (TEMPLATE template0)",
        )


def version(con: Connection) -> int:
    """Return the number of the last applied step, from a view; 0 if there is no schema."""
    if con.execute(text("SELECT to_regclass('store_info')")).scalar() is None:
        return 0
    found = con.execute(select(tables.STORE_INFO.c.schema_step)).scalar()
    return 0 if found is None else int(found)


def upgrade(database: Database, *, until: int = NEWEST) -> tuple[str, ...]:
    """Apply the missing steps, all or none, and return their names.

    The views are dropped and created again, so that they are always those of this version.
    """
    with database.translating_errors(), database.engine.begin() as con:
        con.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _check_server(con, _OLDEST_SERVER)
        if version(con) > NEWEST:
            check(con)
        views = con.execute(select(func.current_schema())).scalar_one()
        _run(con, sql.statement("roles/roles"))
        con.execute(text("SET LOCAL ROLE auditor_owner"))
        _set_search_path(con, tables.SCHEMA)
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
    """Return the number of the last applied step, from the table: the view may be missing."""
    if con.execute(text("SELECT to_regclass('schema_step')")).scalar() is None:
        return 0
    found = con.execute(text("SELECT max(step) FROM schema_step")).scalar()
    return 0 if found is None else int(found)


def _set_search_path(con: Connection, *schemas: str) -> None:
    """Search names without a schema in these schemas; create new objects in the first one."""
    quote = con.dialect.identifier_preparer.quote
    path = ", ".join(quote(name) for name in schemas)
    con.execute(select(func.set_config("search_path", path, true())))


def _make_views(con: Connection, views: str) -> None:
    for definition in sql.beside_postgres().values():
        _run(con, definition)
    _set_search_path(con, views, tables.SCHEMA)
    for definition in sql.postgres_views().values():
        _run(con, definition)
    _run(con, sql.statement("roles/view"))
    columns = con.execute(text(sql.statement("roles/column")), {"views": views})
    _run(con, ";".join(comments.statement(*each) for each in columns))
    _run(con, ";".join(map(comments.view_statement, sql.postgres_views())))


def _drop_views(con: Connection, views: str) -> None:
    quote = con.dialect.identifier_preparer.quote
    for schema, names in ((views, sql.postgres_views()), (tables.SCHEMA, sql.beside_postgres())):
        for name in reversed(names):
            _run(con, f"DROP VIEW IF EXISTS {quote(schema)}.{name}")


def _run(con: Connection, statements: str) -> None:
    """Run the SQL of a file unchanged: a colon or percent sign is not read as a bound value."""
    con.execution_options(no_parameters=True).exec_driver_sql(statements)
