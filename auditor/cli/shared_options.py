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

    quiet: Annotated[bool, Option(help="write only errors to stderr", heading=EVERY_COMMAND)] = (
        False
    )
    log_format: Annotated[
        LogFormat,
        Option(
            read=words.member(LogFormat),
            metavar="console|json",
            help="format of the lines on stderr",
            heading=EVERY_COMMAND,
        ),
    ] = LogFormat.CONSOLE
    debug: Annotated[
        bool,
        Option(help="show the traceback of an error, without secrets", heading=EVERY_COMMAND),
    ] = False


class Configured(Command, frozen=True, kw_only=True):
    """A command that reads the configuration."""

    config: Annotated[
        Path | None,
        Option(
            read=words.path,
            metavar="FILE",
            help="default: ./auditor.toml, then $AUDITOR_CONFIG",
            heading=EVERY_COMMAND,
        ),
    ] = None


class RowsCommand(Configured, frozen=True, kw_only=True):
    """A command that writes rows."""

    format: Annotated[
        Format,
        Option(
            read=words.member(Format),
            metavar="table|json|csv|markdown",
            help="format of the rows on stdout (default: table)",
            heading=OUTPUT,
        ),
    ] = Format.TABLE


class Narrowed(RowsCommand, frozen=True, kw_only=True):
    """A command that asks Partner Center, and can be narrowed to a part of the portfolio."""

    customers: Annotated[
        tuple[str, ...],
        Option(
            flag="customer",
            read=words.customer,
            metavar="X",
            help="an id, a domain or an exact company name",
            heading=NARROWER,
        ),
    ] = ()
    partners: Annotated[
        tuple[str, ...],
        Option(
            flag="partner",
            read=words.text,
            metavar="N",
            help="the name of a [[partner]]",
            heading=NARROWER,
        ),
    ] = ()
    countries: Annotated[
        tuple[str, ...],
        Option(
            flag="country",
            read=words.country,
            metavar="CC",
            help="two letters",
            heading=NARROWER,
        ),
    ] = ()

    @property
    def narrow(self) -> Narrow:
        """The part of the portfolio that is asked."""
        return Narrow(customers=self.customers, partners=self.partners, countries=self.countries)
