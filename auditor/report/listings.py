"""Shows the answers to questions that have many rows: who is affected, renewals, alternatives."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TextIO

import msgspec
import pyarrow as pa
from rich.cells import cell_len
from rich.text import Text

from auditor import reasons
from auditor.log import clean
from auditor.questions.affected import Affected
from auditor.questions.renewals import Renewals
from auditor.report import cells, formats
from auditor.report.terminal_page import TerminalPage, table

Row = Mapping[str, Any]  # a row of an answer
_LONGEST_WORD = 24
"""A longer word is broken, so that it leaves room for other columns."""
_BAD = {"restricted", "not_in_catalog", "not_purchasable"}
RESERVATIONS = (
    "Azure reservations that customers hold: not readable with this credential"
    " (Partner Center shows them only to an app with a signed-in user)"
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One row for people."""

    cells: tuple[str, ...]
    style: str = ""
    """How a terminal shows the row: a style of rich."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """Rows for people, and what is said about all of them."""

    title: str
    columns: tuple[str, ...]
    """`>` before a name aligns the column right."""
    rows: tuple[Line, ...]
    lines: tuple[str, ...]
    """Sentences below the rows."""


def affected(found: Affected, asked: str) -> Listing:
    """Return who is affected by a SKU; rows of several Azure subscriptions that agree are one."""
    columns = ("customer", "SKU", "region", "is", "since", ">subs.")
    rows = [
        Line(
            cells=(
                row["company_name"] or row["customer_id"] or f"everybody in {row['country']}",
                cells.sku(row),
                row["region"],
                cells.verdict(row),
                cells.day(row["verdict_since_at"]),
                subscriptions(same),
            ),
            style=style(row),
        )
        for row, same in alike(found.table.to_pylist())
    ]
    return listing(f"Affected by {asked}", columns, rows, [_of(found), *_why(found)])


def _of(found: Affected) -> str:
    if not found.asked:
        return "No customer was asked about it."
    kinds = {
        "restricted": found.restricted,
        "not in the catalog": found.not_in_catalog,
        "not purchasable": found.not_purchasable,
    }
    parts = ", ".join(f"{what} {number:,}" for what, number in kinds.items() if number)
    said = f"{found.affected:,} of {cells.count(found.asked, 'customer')} affected"
    unknown = f"not known of {found.unknown:,}" if found.unknown else "known of every one of them"
    return f"{said}{f' ({parts})' if parts else ''}; {unknown}."


def _why(found: Affected) -> list[str]:
    """Return each reason of the rows in plain words, the most frequent first."""
    rows = found.table.to_pylist()
    codes = Counter(code for row in rows for code in row["reason_codes"].split(";") if code)
    silent = Counter((row["reason"], row["outcome"]) for row in rows if row["outcome"])
    said = [f"{code} ({n:,}): {reasons.sentence(code)}" for code, n in codes.most_common()]
    said += [
        f"{reason.replace('_', ' ')} ({n:,}): {reasons.sentence(reason, outcome)}"
        for (reason, outcome), n in silent.most_common()
    ]
    return said


def alike(rows: Iterable[Row]) -> list[tuple[Row, list[Row]]]:
    """Return the rows that differ only in the Azure subscription once, with all of their kind."""
    groups: dict[Hashable, list[Row]] = {}
    for row in rows:
        said = (
            *(row["customer_id"], row["country"], cells.sku(row), row["product_id"]),
            *(row["region"], cells.verdict(row), row["reason_codes"], row.get("reason")),
            *(cells.day(row["verdict_since_at"]), row.get("segment"), row.get("billing_cycle")),
        )
        groups.setdefault(said, []).append(row)
    return [(same[0], same) for same in groups.values()]


def subscriptions(rows: Sequence[Row]) -> str:
    """Return in how many Azure subscriptions rows are; `''` for what belongs to none."""
    ids = {row["azure_subscription_id"] for row in rows} - {""}
    return f"{len(ids):,}" if ids else ""


def renewals(found: Renewals) -> Listing:
    """Return the renewals ahead, those at risk first."""
    columns = (
        *("customer", "licence", ">quantity", "term ends", ">days", "renews as", "which is"),
        "could renew to",
    )
    rows = [
        Line(
            cells=(
                row["company_name"] or row["customer_id"],
                row["held_title"] or row["commerce_subscription_id"],
                "" if row["quantity"] is None else f"{row['quantity']:,}",
                cells.day(row["term_ends_at"]),
                f"{row['days_left']}",
                _bought(row),
                _verdict_of_renewal(row),
                ", ".join(sorted({*row["renew_to_titles"].split(";")} - {row["held_title"]})),
            ),
            style=style(row),
        )
        for row in found.table.to_pylist()
    ]
    days = cells.count(found.days, "day")
    of = f"{found.at_risk:,} of {cells.count(found.total, 'renewal')} within {days} at risk"
    lines = (f"{of}; not known of {found.unknown:,}.", f"{RESERVATIONS}.")
    return listing(f"Renewals within {days}", columns, rows, lines)


def listing(
    title: str, columns: Sequence[str], rows: Sequence[Line], lines: Sequence[str]
) -> Listing:
    """Return a listing without the columns that are empty in every row."""
    kept = [at for at in range(len(columns)) if any(row.cells[at] for row in rows)]
    return Listing(
        title=title,
        columns=tuple(columns[at] for at in kept),
        rows=tuple(
            msgspec.structs.replace(row, cells=tuple(row.cells[at] for at in kept)) for row in rows
        ),
        lines=tuple(lines),
    )


def _bought(row: Row) -> str:
    named = "the same" if row["bought_title"] == row["held_title"] else row["bought_title"]
    return f"{named}, {cells.term(row['bought_term_duration'])}".removesuffix(", ")


def _verdict_of_renewal(row: Row) -> str:
    if row["verdict"] != "unknown":
        return cells.verdict(row)
    reason = row["reason"].replace("_", " ") or "it was never asked"
    return f"{cells.verdict(row)}: {reason}"


def style(row: Row) -> str:
    """Return how a terminal shows a row by its verdict: a style of rich."""
    if row["verdict"] == "unknown" or row.get("is_stale"):
        return "yellow"
    return "bold red" if row["verdict"] in _BAD else ""


def write_terminal(shown: Listing, stream: TextIO) -> None:
    """Write a listing to a terminal."""
    page = TerminalPage(stream)
    page.heading(shown.title)
    if shown.rows:
        drawn = table(*shown.columns)
        for at, column in enumerate(drawn.columns):  # no narrower than its longest word
            words = (word for line in shown.rows for word in line.cells[at].split())
            column.min_width = min(max(map(cell_len, words), default=0), _LONGEST_WORD)
        for line in shown.rows:
            drawn.add_row(*(Text(clean(cell)) for cell in line.cells), style=line.style)
        page.print(drawn)
        page.print()
    for sentence in shown.lines:
        page.print(Text(clean(sentence)))


def write_markdown(shown: Listing, stream: TextIO) -> None:
    """Write a listing as Markdown."""
    stream.write(f"## {formats.markdown(shown.title)}\n\n")
    if shown.rows:
        names = [name.removeprefix(">") for name in shown.columns]
        columns = zip(*(line.cells for line in shown.rows), strict=True)
        formats.write(pa.table(list(map(pa.array, map(list, columns))), names), "markdown", stream)
        stream.write("\n")
    stream.writelines(f"{formats.markdown(line)}\n\n" for line in shown.lines)
