"""Draws in a terminal what was known of a key over time, and which answers prove it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, TextIO

from rich.text import Text

from auditor.log import clean
from auditor.questions.timeline import Timeline
from auditor.report import cells
from auditor.report.listings import Line, Listing, listing
from auditor.report.terminal_page import TerminalPage, plain

Row = Mapping[str, Any]  # a row of an answer
_STYLES = {
    "restricted": "red",
    "not_purchasable": "red",
    "not_in_catalog": "magenta",
    "unrestricted": "green",
    "purchasable": "green",
}
_LETTERS = {
    "restricted": "#",
    "not_purchasable": "#",
    "not_in_catalog": "x",
    "unrestricted": "=",
    "purchasable": "=",
}
_ABSENT, _SILENT = " ", "?"
LEGEND = "= can be bought   # cannot   x not in the catalog   ? no answer   blank: key not there"
_ENDINGS = {
    "left": "the customer or subscription left",
    "not_eligible": "by a rule nothing was to be asked",
    "not_asked": "it was not asked any more",
    "forgotten": "it was not known any more",
    "left_catalog": "the SKU left the catalog",
}
_INDENT = 19


def write(found: Timeline, asked: str, now: datetime, stream: TextIO) -> None:
    """Write one bar for each key, and below it a line for each interval, gap and missing answer."""
    page = TerminalPage(stream)
    rows = found.table.to_pylist()
    if not rows:
        page.print(Text(clean(f"Nothing was ever known of {asked} for this customer.")))
        return
    page.print(Text(LEGEND, "dim"))
    for _, of_key in groupby(rows, key=lambda row: row["key_name"]):
        _write_key(page, list(of_key), now)


def as_listing(found: Timeline, asked: str) -> Listing:
    """Return the same as rows."""
    columns = ("SKU", "region", "from", "to", "is", "why", "snapshot", "request", "correlation")
    rows = [
        Line(
            cells=(
                cells.sku(row),
                row["region"],
                cells.minute(row["valid_from"]),
                cells.minute(row["valid_to"]),
                _what(row),
                _why(row),
                row["snapshot_id"],
                row["request_id"],
                row["correlation_id"] or _proof(row),
            )
        )
        for row in found.table.to_pylist()
    ]
    return listing(f"{asked} over time", columns, rows, ())


def _write_key(page: TerminalPage, rows: Sequence[Row], now: datetime) -> None:
    first = rows[0]
    where = ", ".join(filter(None, (first["region"], first["country"])))
    page.heading(clean(f"{first['company_name']}  {cells.sku(first)}"), clean(where))
    if first["azure_subscription_id"]:
        page.print(Text(clean(f"Azure subscription {first['azure_subscription_id']}"), "dim"))
    page.print(_bar(rows, now, page.width))
    begin, end = cells.day(rows[0]["valid_from"]), "now"
    page.print(Text(begin + end.rjust(page.width - len(begin)), "dim"))
    is_first = True
    for row in rows:
        _write_row(page, row, is_first=is_first and row["kind"] == "interval")
        is_first = False


def _bar(rows: Sequence[Row], now: datetime, width: int) -> Text:
    """Return a line in which each character is a stretch of time of the same length."""
    begin = rows[0]["valid_from"]
    whole = max((now - begin).total_seconds(), 1.0)

    def at(moment: datetime | None) -> int:
        share = 1.0 if moment is None else (moment - begin).total_seconds() / whole
        return min(max(int(share * width), 0), width)

    letters, styles = [_ABSENT] * width, [""] * width
    for row in rows:
        if row["kind"] == "interval":
            start = min(at(row["valid_from"]), width - 1)
            for place in range(start, max(at(row["valid_to"]), start + 1)):
                letters[place] = _LETTERS[row["verdict"]]
                styles[place] = _STYLES[row["verdict"]]
    for row in rows:
        if row["kind"] == "no_answer":
            place = min(at(row["valid_from"]), width - 1)
            letters[place], styles[place] = _SILENT, "bold yellow"
    bar = Text()
    for letter, style in zip(letters, styles, strict=True):
        bar.append(letter, style)
    return bar


def _write_row(page: TerminalPage, row: Row, *, is_first: bool) -> None:
    text = Text(f"{cells.minute(row['valid_from'])}  ".rjust(_INDENT))
    text.append(
        _what(row), "yellow" if row["kind"] == "no_answer" else _STYLES.get(row["verdict"], "")
    )
    if is_first:
        text.append("  first seen", "dim")
    page.print(text)
    for said in filter(None, (_why(row), *_proof_lines(row))):
        page.print(Text(" " * _INDENT).append_text(plain(said)), is_whole=True)


def _what(row: Row) -> str:
    match row["kind"]:
        case "gap":
            return f"not there: {_ENDINGS.get(row['ended_by'], row['ended_by'])}"
        case "no_answer":
            return f"no answer ({row['outcome']})"
        case _:
            return cells.verdict(row)


def _why(row: Row) -> str:
    if row["kind"] == "no_answer":
        return str(row["reason"]).replace("_", " ")
    codes = row["reason_codes"]
    if row["verdict"] != "restricted":
        return ""
    values = f" ({row['restriction_values']})" if row["restriction_values"] else ""
    return f"{codes or 'no reason named'}{values}".replace(";", ", ")


def _proof_lines(row: Row) -> list[str]:
    ids = {"request": row["request_id"], "correlation": row["correlation_id"]}
    lines = [f"{name} {value}" for name, value in ids.items() if value]
    return [
        *(lines or [_proof(row)]),
        *([f"snapshot {row['snapshot_id']}"] if row["snapshot_id"] else []),
    ]


def _proof(row: Row) -> str:
    """Return why there are no ids of an answer."""
    match row["proof"]:
        case "pruned":
            return "pruned: the ids of the answer are gone"
        case "not_checked":
            return "proved by the catalog, not by a check of its own"
        case "kept":
            return "Partner Center gave no id"
        case _:
            return ""
