"""`--customers-from`: which lines of a file are customers, and how a bad file is refused."""

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.cli.customers_file import LARGEST, read_customers
from auditor.errors import AuditorError

GUID = "ABCDEF00-0000-4000-8000-000000000001"


def read(data: bytes) -> tuple[str, ...]:
    """Return the customers that stdin has."""
    return read_customers(Path("-"), io.TextIOWrapper(io.BytesIO(data)))


def refused(data: bytes) -> AuditorError:
    with pytest.raises(AuditorError) as caught:
        read(data)
    assert "--customers-from -" in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("data", "customers"),
    [
        (b"contoso.com", ("contoso.com",)),
        (b"b.example\na.example\nb.example\n", ("b.example", "a.example")),
        (b"\xef\xbb\xbfcontoso.com\r\n\r\n# all of them\r\n  # too\r\n", ("contoso.com",)),
        ("  Café & Söhne \t\n".encode(), ("Café & Söhne",)),
        (f"{GUID}\n{GUID.lower()}\n".encode(), (GUID.lower(),)),
        (b"Number #1\n", ("Number #1",)),
    ],
)
def test_each_line_is_one_customer(data: bytes, customers: tuple[str, ...]) -> None:
    assert read(data) == customers


def test_a_file_is_read_like_stdin(tmp_path: Path) -> None:
    path = tmp_path / "customers.txt"
    path.write_bytes(b"contoso.com\n")
    assert read_customers(path, io.StringIO()) == ("contoso.com",)


@pytest.mark.parametrize(
    ("data", "status", "code", "what"),
    [
        (b"", 64, "E_USAGE", "has no customer"),
        (b"\n# nobody\n \n", 64, "E_USAGE", "has no customer"),
        (b"a.example\n\n\xff\xfea\n", 65, "E_INPUT", "is not UTF-8 in line 3"),
        ("a.example".encode("utf-16"), 65, "E_INPUT", "is not UTF-8 in line 1"),
        (b"a.example\nb\x00c\n", 65, "E_INPUT", "line 2: 'b\\x00c' is not a name or an id"),
        (b"a\rb\n", 65, "E_INPUT", "line 1: "),
        (b"x" * 257, 65, "E_INPUT", "line 1: "),
        (b"#" * (LARGEST + 1), 65, "E_INPUT", "is larger than 16 MiB"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    data: bytes, status: int, code: str, what: str
) -> None:
    error = refused(data)
    assert (error.exit_status, error.error_code) == (status, code)
    assert what in error.message
    assert len(error.message) < 200


@pytest.mark.parametrize("name", ["missing", ".", "below/missing"])
def test_a_file_that_cannot_be_read_is_66(tmp_path: Path, name: str) -> None:
    with pytest.raises(AuditorError, match="cannot be read") as caught:
        read_customers(tmp_path / name, io.StringIO())
    assert caught.value.exit_status == 66


@given(st.binary(max_size=200))
def test_any_bytes_are_customers_or_an_error_with_a_status(data: bytes) -> None:
    try:
        found = read(data)
    except AuditorError as error:
        assert error.exit_status in {64, 65}  # noqa: PT017 - either way is fine, a crash is not
    else:
        assert found
        assert all(name and name == name.strip() for name in found)
