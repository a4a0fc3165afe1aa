"""Turns the tables of TOML into `Settings`, and collects everything that is wrong."""

import functools
import typing
from collections.abc import Iterator
from typing import Any

import msgspec

from auditor.settings import problems
from auditor.settings.problems import Mistake, Path, Wrong, nearest
from auditor.settings.rules import Rule, shown
from auditor.settings.values import Settings

_OURS = frozenset(["folder", "warnings"])
"""Fields of `Settings` that are no keys of the file."""

# A table of TOML as read: until its rule has checked it, a value may have any type.
Table = dict[str, Any]


class ConfigKey(msgspec.Struct, frozen=True):
    """A key: it has a rule for its value, or a table, or a list of tables."""

    rule: Rule | None = None
    table: type[msgspec.Struct] | None = None
    is_list: bool = False
    is_required: bool = False
    blank: object = ""
    """Replaces a required value that is missing or refused."""


@functools.cache
def fields_of(table: type[msgspec.Struct]) -> dict[str, ConfigKey]:
    """Return the keys of a table, in the order in which they are shown."""
    hints = typing.get_type_hints(table, include_extras=True)
    fields: dict[str, ConfigKey] = {}
    for field in msgspec.structs.fields(table):
        if table is Settings and field.name in _OURS:
            continue
        hint = hints[field.name]
        if typing.get_origin(hint) is typing.Annotated:
            blank: object = () if typing.get_origin(hint.__origin__) is tuple else ""
            fields[field.name] = ConfigKey(
                rule=hint.__metadata__[0], is_required=field.required, blank=blank
            )
        elif typing.get_origin(hint) is tuple:
            fields[field.name] = ConfigKey(table=typing.get_args(hint)[0], is_list=True)
        else:
            fields[field.name] = ConfigKey(table=hint)
    return fields


@functools.cache
def tables() -> dict[Path, dict[str, ConfigKey]]:
    """Return the keys of every table, by the table's path; () is the top level."""

    def below(
        path: Path, table: type[msgspec.Struct]
    ) -> Iterator[tuple[Path, dict[str, ConfigKey]]]:
        fields = fields_of(table)
        yield path, fields
        for key, field in fields.items():
            if field.table is not None:
                yield from below((*path, key), field.table)

    return dict(below((), Settings))


class Decoder:
    """Makes `Settings` from tables. `mistakes` says what is wrong, `failed` at which paths.

    A refused value is replaced by its default, so that the rest can still be checked.
    """

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.failed: set[Path] = set()

    def settings(self, document: Table) -> Settings:
        """Return settings; they are valid only if `mistakes` stays empty."""
        return Settings(**self.fields(document, Settings, ()))

    def fields(self, given: Table, table: type[msgspec.Struct], path: Path) -> Table:
        known = fields_of(table)
        for key in given:
            if key not in known:
                self.fail(_unknown_key(key, (*path, key), known))
        made: Table = {}
        for key, field in known.items():
            here = (*path, key)
            if key not in given:
                if field.is_required:
                    self.fail(Mistake(message="is missing", at=here))
                    made[key] = field.blank
            elif field.table is None:
                self.leaf(given[key], field, here, made)
            elif field.is_list:
                made[key] = tuple(self.list_of_tables(given[key], field.table, here))
            else:
                made[key] = self.table(given[key], field.table, here)
        return made

    def leaf(self, value: object, field: ConfigKey, path: Path, made: Table) -> None:
        assert field.rule is not None  # noqa: S101 - a key without table has a rule
        try:
            made[str(path[-1])] = field.rule(value)
        except Wrong as wrong:
            for mistake in wrong.mistakes:
                self.fail(msgspec.structs.replace(mistake, at=(*path, *mistake.at)))
            self.failed.add(path)
            if field.is_required:
                made[str(path[-1])] = field.blank

    def table(self, value: object, table: type[msgspec.Struct], path: Path) -> msgspec.Struct:
        if not isinstance(value, dict):
            name = problems.dotted(path)
            self.fail(
                Mistake(message=f"must be a table, got {shown(value)}", hint=f"[{name}]", at=path)
            )
            value = {}
        return table(**self.fields(value, table, path))

    def list_of_tables(
        self, value: object, table: type[msgspec.Struct], path: Path
    ) -> Iterator[msgspec.Struct]:
        if not isinstance(value, list):
            name = problems.dotted(path)
            message = f"must be a list of tables, got {shown(value)}"
            self.fail(Mistake(message=message, hint=f"[[{name}]], with two brackets", at=path))
            return
        for index, each in enumerate(value):
            yield self.table(each, table, (*path, index))

    def fail(self, mistake: Mistake) -> None:
        self.mistakes.append(mistake)
        self.failed.add(mistake.at)


def _unknown_key(key: str, path: Path, known: dict[str, ConfigKey]) -> Mistake:
    near = nearest(key, known)
    if near:
        return Mistake(
            code=problems.KEY, message="is not a known key", hint=f"did you mean `{near}`?", at=path
        )
    everywhere = {each: table for table, keys in tables().items() for each in keys}
    near = nearest(key, everywhere)
    home = problems.dotted(everywhere[near]) if near else ""
    if near:
        hint = (
            f"did you mean `{near}` of [{home}]?"
            if home
            else f"did you mean `{near}`, at the top level?"
        )
    else:
        hint = f"known here: {', '.join(known)}"
    return Mistake(code=problems.KEY, message="is not a known key", hint=hint, at=path)
