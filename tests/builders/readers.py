"""Logins of a store's readers, and what they may see."""

import itertools
import os

from sqlalchemy import make_url

from tests.builders.owning import as_superuser

_numbers = itertools.count()


def reader(store_url: str, *scopes: tuple[str, str], role: str = "auditor_reader") -> str:
    """Return the URL of a new member of a role, with what it is given to see."""
    name = f"bi_{os.getpid()}_{next(_numbers)}"
    with as_superuser(store_url) as con:
        con.execute(f"CREATE ROLE {name} LOGIN IN ROLE {role}".encode())
        for scope in scopes:
            con.execute("INSERT INTO reader_scope VALUES (%s, %s, %s)", (name, *scope))
    return make_url(store_url).set(username=name).render_as_string(hide_password=False)
