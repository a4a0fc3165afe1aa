"""Log lines on stderr: events with fields, for people or as JSON, never with a secret."""

import base64
import json
import re
import unicodedata
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from auditor.secret import Secret

_HIDDEN = "***"
_SHORTEST_SECRET = 8
"""Hiding shorter secrets would hide ordinary words too; such short secrets are not hidden."""

_UNSAFE = frozenset(["Cc", "Cf", "Cs", "Zl", "Zp"])
"""Unicode's control, format (bidi too), surrogate, line and paragraph separator characters."""

_TELLTALE = (
    re.compile(r"(?i)(\bbearer\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"()\beyJ[A-Za-z0-9_-]{8}[A-Za-z0-9._-]*"),
    re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)"),
    re.compile(r"(?i)((?:client_secret|refresh_token|access_token|password)=)[^&\s'\"]+"),
)
"""What looks like a bearer token, a JWT, a password in a URL, or a secret in a form body."""


class LogFormat(StrEnum):
    """How log lines are written."""

    CONSOLE = "console"
    JSON = "json"


class Events:
    """Writes events, warnings and errors; `is_quiet` silences all but errors.

    If the reader of stderr goes away (`2>&1 | head`), writing ends and the run goes on.
    """

    def __init__(
        self, stream: TextIO, log_format: LogFormat, *, is_quiet: bool, now: Callable[[], datetime]
    ) -> None:
        self.stream = stream
        self.log_format = log_format
        self.is_quiet = is_quiet
        self._now = now
        self._hidden: tuple[str, ...] = ()
        self._is_gone = False

    def hide(self, secrets: Iterable[Secret]) -> None:
        """Hide these secrets too in everything written from now on."""
        forms = {*self._hidden, *forms_of(secret.reveal() for secret in secrets)}
        self._hidden = tuple(sorted(forms, key=len, reverse=True))

    def event(self, name: str, /, **fields: object) -> None:
        """Write what happened: `run.started partner=contoso-eu`."""
        if self.is_quiet:
            return
        if self.log_format is LogFormat.JSON:
            self._record({"event": name} | fields)
            return
        words = [f"{self._now():%H:%M:%S}", clean(name)]
        words += [f"{clean(key)}={_word(value)}" for key, value in fields.items()]
        self._write(" ".join(words))

    def warning(self, code: str, message: str, hint: str = "") -> None:
        """Write a problem that stops nothing."""
        if not self.is_quiet:
            self._problem("warning", code, message, hint, "")

    def error(self, code: str, message: str, hint: str = "", traceback: str = "") -> None:
        """Write what is wrong and how to fix it."""
        self._problem("error", code, message, hint, traceback)

    def note(self, text: str) -> None:
        """Write a line for a person; nothing in JSON format."""
        if not self.is_quiet and self.log_format is LogFormat.CONSOLE:
            self._write(clean(text))

    def _problem(self, level: str, code: str, message: str, hint: str, traceback: str) -> None:
        if self.log_format is LogFormat.JSON:
            record = {"level": level, "code": code, "message": message, "hint": hint}
            self._record(record | ({"traceback": traceback} if traceback else {}))
            return
        self._write(f"{level}[{code}]: {clean(message)}")
        if hint:
            self._write(f"hint: {clean(hint)}")
        for line in traceback.splitlines():
            self._write(clean(line))

    def _record(self, fields: Mapping[str, object]) -> None:
        time = self._now().astimezone(UTC).isoformat(timespec="milliseconds")
        record = {"time": time.replace("+00:00", "Z")}
        record |= {key: _plain(value, self._hidden) for key, value in fields.items()}  # type: ignore[misc] # plain JSON
        self._write(json.dumps(record))

    def _write(self, line: str) -> None:
        if self._is_gone:
            return
        try:
            self.stream.write(redacted(line, self._hidden) + "\n")
            self.stream.flush()
        except BrokenPipeError:
            self._is_gone = True


def clean(text: str) -> str:
    """Return text with escapes for every character that breaks the line or moves the cursor."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        each.encode("unicode_escape").decode() if unicodedata.category(each) in _UNSAFE else each
        for each in text
    )


def redacted(text: str, hidden: Iterable[str] = ()) -> str:
    """Return text without the hidden strings, and without what looks like a secret."""
    for each in hidden:
        text = text.replace(each, _HIDDEN)
    for pattern in _TELLTALE:
        text = pattern.sub(rf"\g<1>{_HIDDEN}", text)
    return text


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return the encoded forms in which secrets may appear in text, longest first."""
    forms: set[str] = set()
    for secret in secrets:
        if len(secret) < _SHORTEST_SECRET:
            continue
        content = secret.encode(errors="surrogatepass")
        forms |= {secret, urllib.parse.quote(content, safe=""), urllib.parse.quote_plus(content)}
        forms |= {json.dumps(secret)[1:-1], clean(secret)}
        for encoded in (base64.b64encode(content), base64.urlsafe_b64encode(content)):
            forms.add(encoded.decode().rstrip("="))
        forms |= {line for line in secret.splitlines() if len(line) >= _SHORTEST_SECRET}
    return tuple(sorted(forms, key=len, reverse=True))


def _word(value: object) -> str:
    text = clean(value if isinstance(value, str) else str(value))
    return json.dumps(text, ensure_ascii=False) if " " in text or '"' in text or not text else text


def _plain(value: object, hidden: tuple[str, ...]) -> object:
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if value == value and abs(value) != float("inf") else str(value)  # noqa: PLR0124 - NaN
        case dict():
            return {str(key): _plain(each, hidden) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(each, hidden) for each in value]
        case _:
            return redacted(str(value), hidden)
