"""Reads the customers of `--customers-from`: one id, domain or exact company name per line."""

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TextIO

from auditor.cli import words
from auditor.errors import InputMissing, ScopeError, UsageError

LARGEST = 16 * 2**20
_FLAG = "--customers-from"
_STDIN = Path("-")
_CODE = "E_INPUT"


def read_customers(path: Path, stdin: TextIO) -> tuple[str, ...]:
    """Return the customers in a file, or in stdin if the path is `-`.

    Empty lines, lines that begin with `#`, and spaces around a name are ignored.

    Raises:
        InputMissing: the file cannot be read.
        ScopeError: it is too large, not UTF-8, or a line is no name; the line is named.
        UsageError: it has no customer.
    """
    data = _bytes(path, stdin)
    if len(data) > LARGEST:
        raise _unusable(path, f"is larger than {LARGEST >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        raise _unusable(path, f"is not UTF-8 in line {line}") from None
    found: dict[str, None] = {}
    for number, whole in enumerate(text.split("\n"), start=1):
        name = whole.strip()
        if not name or name.startswith("#"):
            continue
        try:
            found[words.customer(name)] = None
        except ArgumentTypeError as exc:
            raise _unusable(path, f"line {number}: {exc}") from None
    if not found:
        raise UsageError(
            f"{_FLAG} {path} has no customer", hint="without the flag, all customers are asked"
        )
    return tuple(found)


def _bytes(path: Path, stdin: TextIO) -> bytes:
    """Return the content, or a little more than is allowed of it."""
    try:
        if path == _STDIN:
            return stdin.buffer.read(LARGEST + 1)
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as exc:
        raise InputMissing(
            f"{_FLAG} {path} cannot be read: {exc.strerror}",
            hint="name a file with one customer per line; - is stdin",
        ) from None


def _unusable(path: Path, what: str) -> ScopeError:
    return ScopeError(
        f"{_FLAG} {path} {what}",
        code=_CODE,
        hint="write one id, domain or exact company name per line, in UTF-8",
    )
