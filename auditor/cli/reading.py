"""What every command that reads a store writes: its rows, and how far they can be trusted."""

from typing import TYPE_CHECKING

from auditor.cli.console import Console
from auditor.cli.shared_options import Format

if TYPE_CHECKING:  # both load Arrow, which most commands never need
    import pyarrow as pa

    from auditor.store.interface import Store


def write_rows(table: "pa.Table", how: Format, console: Console) -> int:
    """Write rows to stdout and return exit status 0."""
    from auditor.report import formats  # noqa: PLC0415 - heavy

    formats.write(table, how.value, console.stdout)
    return 0


def write_trust(
    store: "Store", console: Console, how: Format | None = None, customer: str | None = None
) -> None:
    """Write how far the rows can be trusted: below a table on stdout, otherwise to stderr."""
    from auditor.report import terminal, trust  # noqa: PLC0415 - heavy

    found = trust.of_partners(store)
    unknown = [] if customer is None else trust.of_customer(store, customer)
    if how is Format.TABLE:
        terminal.write_trust(found, unknown, console.stdout)
        return
    for line in (*unknown, *(each.sentence() for each in found if each.is_lacking)):
        console.events.note(line)
