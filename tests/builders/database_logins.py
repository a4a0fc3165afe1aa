"""Logins of a store's database: a superuser, and readers with a limited scope."""

import itertools
import os

import psycopg
from sqlalchemy import make_url

from auditor.store.postgres.tables import SCHEMA

_numbers = itertools.count()


def as_superuser(url: str) -> psycopg.Connection:
    """Connect to a store's database as a superuser, with the store's tables in the search path."""
    superuser = make_url(url).set(username="auditor").render_as_string(hide_password=False)
    return psycopg.connect(superuser, options=f"-c search_path=public,{SCHEMA}")


def reader(store_url: str, *scopes: tuple[str, str], role: str = "auditor_reader") -> str:
    """Return the URL of a new member of a role that sees these rows of `reader_scope`."""
    name = f"bi_{os.getpid()}_{next(_numbers)}"
    with as_superuser(store_url) as con:
        con.execute(f"CREATE ROLE {name} LOGIN IN ROLE {role}".encode())
        for scope in scopes:
            con.execute("INSERT INTO reader_scope VALUES (%s, %s, %s)", (name, *scope))
    return make_url(store_url).set(username=name).render_as_string(hide_password=False)
