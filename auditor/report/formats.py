"""Writes rows as text for people and programs, and as a workbook."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from math import isfinite
from typing import Any, TextIO

import pyarrow as pa

from auditor.errors import UsageError

Cell = Any  # what Arrow gives for one cell: text, a number, a boolean, a time, a list, nothing

_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_UNSAFE = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029{_BIDI}]")
_UNSAFE_IN_CSV = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029{_BIDI}]")
_UNSAFE_IN_JSON = re.compile(f"[\x7f-\x9f\u2028\u2029{_BIDI}]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_SHEET_ROWS = 1_048_576
_CELL_LENGTH = 32_767
_BATCH = 10_000


def write(table: pa.Table, how: str, stream: TextIO) -> None:
    """Write rows as `table`, `json`, `csv` or `markdown`.

    The output never moves a terminal's cursor. In CSV, text that a spreadsheet would take for a
    formula gets a leading '.
    """
    match how:
        case "table" if stream.isatty():
            _write_rich(table, stream)
        case "table":
            _write_plain(table, stream)
        case "json":
            _write_json(table, stream)
        case "csv":
            _write_csv(table, stream)
        case "markdown":
            _write_markdown(table, stream)
        case _:
            raise UsageError(f"no format {how!r}", hint="table, json, csv or markdown")


def _rows(table: pa.Table) -> Iterator[list[Cell]]:
    """Yield rows by position: two columns of a query may have the same name."""
    for batch in table.to_batches(max_chunksize=_BATCH):
        columns = [column.to_pylist() for column in batch.columns]
        yield from (list(row) for row in zip(*columns, strict=True))


def _plain(value: Cell) -> Cell:
    """Return a value that JSON can hold: times in ISO 8601 with Z, null for NaN and infinity."""
    match value:
        case date():  # a datetime is a date too
            return _iso(value)
        case float() if not isfinite(value):
            return None
        case bool() | int() | float() | str() | None:
            return value
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case _:
            return str(value)


def _iso(value: date) -> str:
    if not isinstance(value, datetime):
        return value.isoformat()
    utc = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return utc.isoformat().replace("+00:00", "Z")


def _text(value: Cell) -> str:
    plain = _plain(value)
    if plain is None:
        return ""
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _safe(value: Cell) -> str:
    return _UNSAFE.sub(" ", _text(value))


def _write_json(table: pa.Table, stream: TextIO) -> None:
    names = table.column_names
    before = "[\n"
    for row in _rows(table):
        found = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        line = json.dumps(found, ensure_ascii=False)
        escaped = _UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", line)
        stream.write(f"{before}  {escaped}")
        before = ",\n"
    stream.write("\n]\n" if table.num_rows else "[]\n")


def write_object(texts: Mapping[str, str], tables: Mapping[str, pa.Table], stream: TextIO) -> None:
    """Write one JSON object of texts and of lists, which have the rows of the tables."""
    found: dict[str, object] = dict(texts)
    for name, table in tables.items():
        columns = table.column_names
        found[name] = [
            {column: _plain(value) for column, value in zip(columns, row, strict=True)}
            for row in _rows(table)
        ]
    text = json.dumps(found, ensure_ascii=False, indent=2)
    stream.write(_UNSAFE_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", text) + "\n")


def _write_csv(table: pa.Table, stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(_csv_cell(name) for name in table.column_names)
    writer.writerows([_csv_cell(value) for value in row] for row in _rows(table))


def _csv_cell(value: Cell) -> str:
    text = _UNSAFE_IN_CSV.sub("", _text(value))
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text


def _write_markdown(table: pa.Table, stream: TextIO) -> None:
    def line(cells: list[str]) -> str:
        return f"| {' | '.join(cells)} |\n"

    stream.write(line([markdown(name) for name in table.column_names]))
    stream.write(line(["---"] * table.num_columns))
    stream.writelines(line([markdown(value) for value in row]) for row in _rows(table))


def markdown(value: Cell) -> str:
    """Return a value as text in which Markdown sees no mark."""
    return _MARKDOWN.sub(r"\\\1", _safe(value))


def _write_plain(table: pa.Table, stream: TextIO) -> None:
    """Write aligned columns, each as wide as its longest cell: a file has no fixed width."""
    lines = [[_safe(name) for name in table.column_names]]
    lines += [[_safe(value) for value in row] for row in _rows(table)]
    widths = [max(len(line[at]) for line in lines) for at in range(table.num_columns)]
    for line in lines:
        padded = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        stream.write("  ".join(padded).rstrip() + "\n")


def _write_rich(table: pa.Table, stream: TextIO) -> None:
    from rich.console import Console  # noqa: PLC0415 - only for a terminal
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    shown = Table(header_style="bold")
    for name in table.column_names:
        shown.add_column(Text(_safe(name)), overflow="fold")
    for row in _rows(table):
        shown.add_row(*(Text(_safe(value)) for value in row))
    Console(file=stream).print(shown)


def workbook(table: pa.Table) -> memoryview:
    """Return an Excel workbook with a filter row; text stays text, times are UTC.

    Raises UsageError for more rows than a sheet holds.
    """
    import xlsxwriter  # noqa: PLC0415 - only for a workbook

    if table.num_rows >= _SHEET_ROWS:
        raise UsageError(f"--out: a sheet holds {_SHEET_ROWS} rows", hint="use --format csv")
    made = io.BytesIO()
    book = xlsxwriter.Workbook(made, {"constant_memory": True})
    bold = book.add_format({"bold": True})
    time = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    day = book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, table.num_rows, max(table.num_columns - 1, 0))
    for column, name in enumerate(table.column_names):
        sheet.set_column(column, column, min(max(len(name), 12), 40))
        sheet.write_string(0, column, name, bold)
    for row, values in enumerate(_rows(table), start=1):
        for column, value in enumerate(values):
            match value:
                case None:
                    pass
                case bool():
                    sheet.write_boolean(row, column, value)
                case int() | float() if isfinite(value):
                    sheet.write_number(row, column, value)
                case datetime():
                    utc = value.astimezone(UTC) if value.tzinfo else value
                    sheet.write_datetime(row, column, utc.replace(tzinfo=None), time)
                case date():
                    sheet.write_datetime(row, column, value, day)
                case _:
                    sheet.write_string(row, column, _text(value)[:_CELL_LENGTH])
    book.close()
    return made.getbuffer()
