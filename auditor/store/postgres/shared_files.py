"""The shared files of a database, in the table `shared_file`."""

from sqlalchemy import ColumnElement, and_, delete, or_, select, true
from sqlalchemy.dialects.postgresql import insert

from auditor.store.postgres.connection import Database
from auditor.store.postgres.tables import SHARED_FILE


class PostgresSharedFiles:
    """See `auditor.store.shared_files`. Each call is a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_if_absent(self, name: str, data: bytes) -> bool:
        """Write a file unless it exists, and return whether this call wrote it."""
        values = insert(SHARED_FILE).values(name=name, data=data)
        put = values.on_conflict_do_nothing().returning(SHARED_FILE.c.name)
        with self._database.translating_errors(), self._database.engine.begin() as con:
            return con.execute(put).scalar() is not None

    def get(self, name: str) -> bytes | None:
        """Return the content of a file; None if there is none."""
        query = select(SHARED_FILE.c.data).where(SHARED_FILE.c.name == name)
        with self._database.translating_errors(), self._database.engine.connect() as con:
            found = con.execute(query).scalar()
        return None if found is None else bytes(found)

    def names(self, folder: str) -> list[str]:
        """Return the names of all files below a folder, sorted."""
        query = select(SHARED_FILE.c.name).where(_below(folder)).order_by(SHARED_FILE.c.name)
        with self._database.translating_errors(), self._database.engine.connect() as con:
            return list(con.execute(query).scalars())

    def delete(self, folder: str) -> None:
        """Delete all files below a folder, or the file of that name."""
        where = or_(SHARED_FILE.c.name == folder, _below(folder))
        with self._database.translating_errors(), self._database.engine.begin() as con:
            con.execute(delete(SHARED_FILE).where(where))


def _below(folder: str) -> ColumnElement[bool]:
    """Return the condition that a name begins with a folder, or any name for ''.

    The index has names in this order.
    """
    name = SHARED_FILE.c.name
    if not folder:
        return true()
    return and_(name >= f"{folder}/", name < f"{folder}0")  # "0" is the character after "/"
