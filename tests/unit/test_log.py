"""Each record of the log is one line, whatever its fields are, and never shows a secret."""

import base64
import io
import json
import urllib.parse
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.log import Events, LogFormat, clean, redacted
from auditor.secret import Secret

NOW = datetime(2026, 11, 21, 12, 3, 4, 567_000, tzinfo=UTC)


def events(log_format: LogFormat, *, is_quiet: bool = False) -> tuple[Events, io.StringIO]:
    stream = io.StringIO()
    return Events(stream, log_format, is_quiet=is_quiet, now=lambda: NOW), stream


def test_the_console_format_is_a_line_with_fields() -> None:
    writer, stream = events(LogFormat.CONSOLE)
    writer.event("run.started", partner="contoso-eu", customers=3, title="two words", empty="")
    assert stream.getvalue() == (
        '12:03:04 run.started partner=contoso-eu customers=3 title="two words" empty=""\n'
    )


def test_the_json_format_is_one_object_per_line() -> None:
    writer, stream = events(LogFormat.JSON)
    writer.event("run.started", partner="contoso-eu", seconds=1.5, kinds=("a", "b"), at=NOW)
    writer.error("E_LOCKED", "locked", "wait")
    writer.note("for people")
    assert [json.loads(line) for line in stream.getvalue().splitlines()] == [
        {
            "time": "2026-11-21T12:03:04.567Z",
            "event": "run.started",
            "partner": "contoso-eu",
            "seconds": 1.5,
            "kinds": ["a", "b"],
            "at": str(NOW),
        },
        {
            "time": "2026-11-21T12:03:04.567Z",
            "level": "error",
            "code": "E_LOCKED",
            "message": "locked",
            "hint": "wait",
        },
    ]


def test_nested_field_values_stay_json() -> None:
    writer, stream = events(LogFormat.JSON)
    writer.hide([Secret(SECRET)])
    writer.event("x", none=None, yes=True, deep={"a": [SECRET, {1: 2}]}, odd=float("nan"))
    writer.event("x", many=float("inf"), few=float("-inf"))
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["none"], first["yes"], first["odd"]) == (None, True, "nan")
    assert first["deep"] == {"a": ["***", {"1": 2}]}
    assert (second["many"], second["few"]) == ("inf", "-inf")


def test_a_traceback_is_a_field_or_its_own_lines() -> None:
    for log_format, ending in (
        (LogFormat.JSON, '"hint": "h", "traceback": "a\\nb"}\n'),
        (LogFormat.CONSOLE, "error[E_X]: m\nhint: h\na\nb\n"),
    ):
        writer, stream = events(log_format)
        writer.error("E_X", "m", "h", "a\nb")
        assert stream.getvalue().endswith(ending)


def test_a_word_with_quotes_is_quoted() -> None:
    writer, stream = events(LogFormat.CONSOLE)
    writer.event("x", key='"')
    assert stream.getvalue() == '12:03:04 x key="\\""\n'


def test_a_note_is_a_line_for_a_person() -> None:
    writer, stream = events(LogFormat.CONSOLE)
    writer.note("look\nhere")
    assert stream.getvalue() == "look\\nhere\n"


def test_an_error_is_a_line_and_a_hint() -> None:
    writer, stream = events(LogFormat.CONSOLE)
    writer.error("E_LOCKED", "another\nrun", "wait\r\nfor it")
    writer.warning("E_REGION", "odd")
    assert stream.getvalue() == (
        "error[E_LOCKED]: another\\nrun\nhint: wait\\r\\nfor it\nwarning[E_REGION]: odd\n"
    )


@pytest.mark.parametrize("log_format", LogFormat)
def test_quiet_leaves_only_errors(log_format: LogFormat) -> None:
    writer, stream = events(log_format, is_quiet=True)
    writer.event("run.started")
    writer.warning("E_REGION", "odd")
    writer.note("note")
    assert stream.getvalue() == ""
    writer.error("E_LOCKED", "locked")
    assert "E_LOCKED" in stream.getvalue()


@given(st.text() | st.sampled_from(["\x1b[31m", "a\u202eb", "\u2028", "\x85", "\udcff", "\0"]))
def test_one_record_is_one_line_that_moves_no_cursor(text: str) -> None:
    """S7 and S20: a text from an API cannot forge a line."""
    for log_format in LogFormat:
        writer, stream = events(log_format)
        writer.event("x", key=text)
        writer.error("E_X", text, text)
        lines = stream.getvalue().splitlines()
        assert len(lines) == (2 if log_format is LogFormat.JSON else 2 + bool(text))
        assert all(line.isprintable() or " " in line for line in lines)
        assert not any(ord(each) < 32 or each in "\x7f\x9b\u202e\u2066" for each in "".join(lines))
        if log_format is LogFormat.JSON:
            assert [json.loads(line)["time"] for line in lines]


@given(st.text())
def test_clean_text_is_one_line(text: str) -> None:
    assert len(clean(text).splitlines()) <= 1
    assert clean(clean(text)) == clean(text)


SECRET = "p+ss/w0rd=é of contoso"


@pytest.mark.parametrize("log_format", LogFormat)
@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        urllib.parse.quote(SECRET, safe=""),
        urllib.parse.quote_plus(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        json.dumps(SECRET),
    ],
)
def test_a_secret_is_left_out_in_every_form(log_format: LogFormat, form: str) -> None:
    """S1."""
    writer, stream = events(log_format)
    writer.hide([Secret(SECRET)])
    writer.event("x", detail=f"<{form}>", parts=[form])
    writer.error("E_X", f"it said {form}", form, f"Traceback\n  {form}\n")
    written = stream.getvalue()
    for hidden in (SECRET, form.strip('"').rstrip("="), json.dumps(SECRET)[1:-1]):
        assert hidden not in written
    assert "***" in written


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer aaaabbbbcccc.dddd-eeee",
        "token eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.sig-hunter2pass",
        "postgresql://auditor:hunter2pass@db/audit",
        "grant_type=x&client_secret=hunter2pass&scope=y",
    ],
)
def test_text_that_looks_like_a_secret_is_left_out(text: str) -> None:
    shown = redacted(text)
    assert "hunter2pass" not in shown
    assert "aaaabbbbcccc" not in shown
    assert "***" in shown


def test_short_secrets_do_not_hide_ordinary_words() -> None:
    writer, stream = events(LogFormat.CONSOLE)
    writer.hide([Secret("run")])
    writer.event("run.started")
    assert "run.started" in stream.getvalue()


def test_a_closed_reader_ends_only_the_writing() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    writer = Events(Gone(), LogFormat.CONSOLE, is_quiet=False, now=lambda: NOW)
    writer.event("run.started")
    writer.error("E_X", "x")
