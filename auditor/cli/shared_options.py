"""Options of several commands, as the base classes of the commands."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

import msgspec

from auditor.cli import words
from auditor.cli.annotations import EVERY_COMMAND, NARROWER, OUTPUT, HelpPage, Option
from auditor.log import LogFormat
from auditor.settings.values import Narrow


class Format(StrEnum):
    """How rows are written to stdout."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """The options of every command."""

    page: ClassVar[HelpPage]

    quiet: Annotated[bool, Option("write only errors to stderr", heading=EVERY_COMMAND)] = False
    log_format: Annotated[
        LogFormat,
        Option(
            "format of the lines on stderr",
            "console|json",
            words.member(LogFormat),
            heading=EVERY_COMMAND,
        ),
    ] = LogFormat.CONSOLE
    debug: Annotated[
        bool, Option("show the traceback of an error, without secrets", heading=EVERY_COMMAND)
    ] = False


class Configured(Command, frozen=True, kw_only=True):
    """A command that reads the configuration."""

    config: Annotated[
        Path | None,
        Option(
            "default: ./auditor.toml, then $AUDITOR_CONFIG",
            "FILE",
            words.path,
            heading=EVERY_COMMAND,
        ),
    ] = None


class RowsCommand(Configured, frozen=True, kw_only=True):
    """A command that writes rows."""

    format: Annotated[
        Format,
        Option(
            "format of the rows on stdout (default: table)",
            "table|json|csv|markdown",
            words.member(Format),
            heading=OUTPUT,
        ),
    ] = Format.TABLE


class Narrowed(RowsCommand, frozen=True, kw_only=True):
    """A command that asks Partner Center, and can be narrowed to a part of the portfolio."""

    customers: Annotated[
        tuple[str, ...],
        Option(
            "an id, a domain or an exact company name",
            "X",
            words.customer,
            flag="customer",
            heading=NARROWER,
        ),
    ] = ()
    customers_from: Annotated[
        tuple[Path, ...],
        Option(
            "a file with such customers, one per line; - is stdin",
            "FILE",
            words.path,
            heading=NARROWER,
        ),
    ] = ()
    partners: Annotated[
        tuple[str, ...],
        Option("the name of a [[partner]]", "N", words.text, flag="partner", heading=NARROWER),
    ] = ()
    countries: Annotated[
        tuple[str, ...],
        Option("two letters", "CC", words.country, flag="country", heading=NARROWER),
    ] = ()

    @property
    def narrow(self) -> Narrow:
        """The part of the portfolio that is asked."""
        return Narrow(customers=self.customers, partners=self.partners, countries=self.countries)
