"""Reads the statements in `sql/`: one in each file, which is named as Python names it."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from auditor.errors import Bug

BASE = (
    "snapshot",
    "coverage",
    "check_outcome",
    "inventory",
    "restriction",
    "availability",
    "change",
    "ending",
    "sku",
    "customer",
    "azure_subscription",
    "commerce_subscription",
    "remembered",
    "latest_cell",
    "current_check_outcome",
    "current_inventory",
    "current_restriction",
    "current_availability",
    "current_sku",
    "current_customer",
    "current_azure_subscription",
    "current_commerce_subscription",
    "current_remembered",
    "known_sku_title",
    "change_since",
    "attempt",
)
"""The base views, in an order in which they can be created. Each engine has its own files."""

VIEWS = (
    "partner_now",
    "sku_name",
    "latest_sku",
    "latest_customer",
    "latest_inventory",
    "latest_restriction",
    "latest_availability",
    "latest_commerce_subscription",
    "latest_change",
    "newly_restricted",
    "unanswered",
    "partner_night",
    "partner_status",
    "restriction_timeline",
    "renewal_at_risk",
    "snapshot_health",
    "dim_partner",
    "dim_customer",
    "dim_reseller",
    "dim_sku",
    "dim_region",
    "country_name",
    "dim_country",
    "known_reason",
    "dim_reason",
    "dim_date",
    "fact_run_day",
    "fact_restriction_day",
)
"""The views over the base views, in an order in which they can be created, for both engines."""

BESIDE_DUCKDB = ("latest_map",)
"""A view that only a DuckDB file over a folder needs; `jobs/duckdb_views.py` creates it first."""

BESIDE_POSTGRES = ("held_cell",)
"""A view in the schema of PostgreSQL's tables; PostgreSQL's base views read it."""

_ROWS = re.compile(r"\('\{(\w+)\}'\)")
"""The place of rows from a TOML file, such as `('{reasons}')` for those of `reasons.toml`."""
_WORD = re.compile(r"[a-z_]+")
_COMMENT = re.compile(r"--.*")


def _folder() -> Path:
    package = Path(__file__).resolve().parent.parent
    shipped = package / "_sql"
    return shipped if shipped.is_dir() else package.parent / "sql"


@cache
def statement(name: str) -> str:
    """Return the statement in `sql/<name>.sql`; a name is, say, `views/latest_inventory`.

    If the statement names a TOML file of `sql/`, the rows of that file are part of it.
    """
    return _ROWS.sub(lambda found: _values(found[1]), _written(name))


def _written(name: str) -> str:
    path = _folder() / f"{name}.sql"
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Bug(f"no statement {name!r}: {path} is missing") from error


def _values(name: str) -> str:
    rows = (map(_literal, row) for row in toml_rows(name))
    return ",\n".join(f"({', '.join(row)})" for row in rows)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def toml_rows(name: str) -> tuple[tuple[str, ...], ...]:
    """Return the rows of `sql/<name>.toml`: the keys on the way to each row, then its texts."""
    return tuple(_rows(tomllib.loads(_toml(name))))


def _rows(part: Mapping[str, object]) -> Iterator[tuple[str, ...]]:
    for key, value in part.items():
        if isinstance(value, Mapping):
            deeper = any(isinstance(each, Mapping) for each in value.values())
            found = _rows(value) if deeper else [tuple(map(str, value.values()))]
            yield from ((key, *row) for row in found)
        else:
            yield key, str(value)


def columns() -> str:
    """Return the text of `sql/columns.toml`: the meaning of each column."""
    return _toml("columns")


def _toml(name: str) -> str:
    return (_folder() / f"{name}.toml").read_text(encoding="utf-8")


@cache
def names(folder: str) -> tuple[str, ...]:
    """Return the names of the statements directly in one folder of `sql/`, sorted."""
    return tuple(sorted(path.stem for path in (_folder() / folder).glob("*.sql")))


@cache
def heading(name: str) -> str:
    """Return what the head of a statement's file says: its purpose, then its grain."""
    lines: list[str] = []
    for line in _written(name).splitlines():
        if not line.startswith("--") or (lines and lines[-1].startswith("Grain:")):
            break
        lines.append(line.removeprefix("--").strip())
    return " ".join(lines).replace("Grain:", "One row:")


def uncommented(text: str) -> str:
    """Return a statement without its `--` comments."""
    return _COMMENT.sub("", text)


@cache
def needed(text: str) -> frozenset[str]:
    """Return the base views and views that a statement reads, directly or through other views."""
    words = set(_WORD.findall(_COMMENT.sub("", text)))
    found = frozenset(words.intersection((*BASE, *VIEWS)))
    return found.union(*(_needed_by(name) for name in found))


@cache
def _needed_by(name: str) -> frozenset[str]:
    text = _written(f"duckdb/{name}" if name in BASE else f"views/{name}")
    own = set(_WORD.findall(_COMMENT.sub("", text))).intersection((*BASE, *VIEWS)) - {name}
    return frozenset(own).union(*(_needed_by(one) for one in own))


@cache
def beside_postgres() -> dict[str, str]:
    """Return the statement of each view in the schema of PostgreSQL's tables, by its name."""
    return {name: statement(f"postgres/{name}") for name in BESIDE_POSTGRES}


@cache
def postgres_views() -> dict[str, str]:
    """Return, by name, the statement of each view that readers query.

    The views are in an order in which they can be created.
    """
    base = ("store_info", *BASE)
    return {name: statement(f"postgres/{name}") for name in base} | {
        name: statement(f"views/{name}") for name in VIEWS
    }


def schema_steps() -> tuple[tuple[int, str], ...]:
    """Return the number and name of each file in `sql/schema/`, in the order of the numbers."""
    return tuple((int(name.partition("_")[0]), name) for name in names("schema"))


def definitions(
    only: frozenset[str] | None = None, copied: frozenset[str] = frozenset()
) -> tuple[str, ...]:
    """Return the statements that create every base view and view of DuckDB, or `only` these.

    Base views in `copied` become tables, so that later queries of these read no file.
    """
    folders = (("duckdb", BASE), ("views", VIEWS))
    made = {
        name: statement(f"{folder}/{name}")
        for folder, found in folders
        for name in found
        if only is None or name in only
    }
    for name in copied.intersection(BASE, made):
        made[name] = made[name].replace("CREATE VIEW", "CREATE TABLE", 1)
    return tuple(made.values())
