"""Rows are written as text that neither a terminal nor a spreadsheet executes."""

import csv
import io
import json
from datetime import UTC, date, datetime
from zipfile import ZipFile

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import UsageError
from auditor.report import formats

TIME = datetime(2026, 11, 1, 2, 3, 4, tzinfo=UTC)
TABLE = pa.table(
    {
        "sku_id": ["0011", "=1+1", None],
        "checked_at": pa.array([TIME, None, TIME], pa.timestamp("us", tz="UTC")),
        "business_date": [date(2026, 11, 1), None, None],
        "calls": [1, -2, None],
        "ram_gb": [1.5, float("nan"), None],
        "suspect": [True, False, None],
    }
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(table: pa.Table, how: str) -> str:
    stream = io.StringIO()
    formats.write(table, how, stream)
    return stream.getvalue()


def test_json_is_a_list_of_objects_with_times_in_utc() -> None:
    found = json.loads(written(TABLE, "json"))
    assert found[0] == {
        "sku_id": "0011",
        "checked_at": "2026-11-01T02:03:04Z",
        "business_date": "2026-11-01",
        "calls": 1,
        "ram_gb": 1.5,
        "suspect": True,
    }
    assert found[1]["ram_gb"] is None
    assert set(found[2].values()) == {None, "2026-11-01T02:03:04Z"}
    assert json.loads(written(TABLE.slice(0, 0), "json")) == []


def test_csv_keeps_ids_and_disarms_formulas() -> None:
    lines = list(csv.DictReader(io.StringIO(written(TABLE, "csv"))))
    assert [line["sku_id"] for line in lines] == ["0011", "'=1+1", ""]
    assert [line["calls"] for line in lines] == ["1", "-2", ""]
    assert lines[0]["checked_at"] == "2026-11-01T02:03:04Z"
    assert lines[0]["suspect"] == "true"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_no_text_is_a_formula_in_csv(text: str) -> None:
    """S8."""
    out = written(pa.table({"a": [text], "b": ["x"]}), "csv")
    cell = list(csv.reader(io.StringIO(out, newline="")))[1][0]
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_json_keeps_every_text_unchanged(text: str) -> None:
    assert json.loads(written(pa.table({"a": [text]}), "json")) == [{"a": text}]


@pytest.mark.parametrize("how", ["table", "json", "csv", "markdown"])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_no_text_moves_the_cursor(how: str, stream: type[io.StringIO]) -> None:
    """S7."""
    out = stream()
    formats.write(pa.table({"a": ["x\x1b[2Jy\x9bz\u202eevil\x07"]}), how, out)
    shown = out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")
    assert not set(shown) & {"\x1b", "\x9b", "\u202e", "\x07"}


def test_a_table_in_a_file_is_aligned_and_not_cut() -> None:
    long = "x" * 300
    out = written(pa.table({"a": ["1", long], "b": ["2", "3"]}), "table").splitlines()
    assert out[0].split() == ["a", "b"]
    assert out[1].index("2") == out[2].index("3") == 302


def test_a_table_on_a_terminal_shows_every_value() -> None:
    out = Terminal()
    formats.write(pa.table({"a": ["[bold]not markup[/]"]}), "table", out)
    assert "[bold]not markup[/]" in out.getvalue()


def test_markdown_is_escaped() -> None:
    out = written(pa.table({"a_b": ["x|y\nz <b>*w*</b>"]}), "markdown")
    assert out == "| a\\_b |\n| --- |\n| x\\|y z \\<b\\>\\*w\\*\\</b\\> |\n"


def test_columns_of_the_same_name_are_all_written() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert written(table, "csv") == "a,a\n1,2\n"


def test_lists_and_structures_are_written_as_json() -> None:
    table = pa.table({"a": [[1, 2]], "b": [{"t": TIME}], "c": [b"x"]})
    assert json.loads(written(table, "json"))[0]["b"] == {"t": "2026-11-01T02:03:04Z"}
    assert written(table, "csv").splitlines()[1].startswith('"[1, 2]"')


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="yaml"):
        written(TABLE, "yaml")


def test_a_workbook_holds_text_as_text() -> None:
    """S8: no cell is a formula; ids keep their zeros; times become dates."""
    with ZipFile(io.BytesIO(formats.workbook(TABLE))) as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert "<t>0011</t>" in sheet
    assert "<t>=1+1</t>" in sheet
    assert 'state="frozen"' in sheet
    assert '<autoFilter ref="A1:F4"/>' in sheet
    assert "<v>46327.0854" in sheet


def test_an_empty_workbook_has_its_header() -> None:
    with ZipFile(io.BytesIO(formats.workbook(TABLE.slice(0, 0)))) as book:
        assert "sku_id" in book.read("xl/worksheets/sheet1.xml").decode()
