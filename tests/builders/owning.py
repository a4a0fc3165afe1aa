"""What a test may do to a store behind its back."""

import psycopg
from sqlalchemy import make_url

from auditor.store.postgres.tables import SCHEMA


def as_superuser(url: str) -> psycopg.Connection:
    """Connect to the database of a store as one who may do anything, and sees its tables."""
    mighty = make_url(url).set(username="auditor").render_as_string(hide_password=False)
    return psycopg.connect(mighty, options=f"-c search_path=public,{SCHEMA}")
