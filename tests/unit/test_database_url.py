"""How a database URL is parsed, which parts a driver gets, and which parts are shown."""

import traceback
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict

from auditor.database_url import PostgresUrl, RedisUrl, Unreadable, read, shown

ANY = st.text(
    st.characters(codec="utf-8", exclude_characters="\0")
    | st.sampled_from(" %+'\"\\@/?#=&:;,[]\n\té"),
    min_size=1,
)
CANARY = "hunter2pass"


def encoded(part: str) -> str:
    return urllib.parse.quote(part, safe="")


@given(user=ANY, password=ANY, database=ANY, option=ANY)
@example(user="u", password="ab+cd/ef=", database="d", option="-ca=b")
def test_each_part_is_decoded_once_for_both_drivers(
    user: str, password: str, database: str, option: str
) -> None:
    """S1."""
    url = PostgresUrl(
        f"postgresql+psycopg://{encoded(user)}:{encoded(password)}@db:5433/{encoded(database)}"
        f"?options={encoded(option)}&allow_superuser=yes"
    )
    expected = {
        "user": user,
        "password": password,
        "host": "db",
        "port": "5433",
        "dbname": database,
        "options": option,
        "application_name": "auditor",
        "client_encoding": "UTF8",
    }
    defaults = {"application_name": "auditor", "port": "1"}
    assert url.parameters(defaults) == expected
    assert conninfo_to_dict(url.conninfo(defaults)) == expected
    assert url.allows_superuser
    assert url.shown == f"postgresql://db:5433/{urllib.parse.quote(database, safe='')}" or any(
        each.isalnum() and not each.isascii() for each in database
    )
    assert shown(url.shown) == url.shown


@given(user=ANY, password=ANY)
def test_each_part_is_decoded_once_for_redis(user: str, password: str) -> None:
    """S1."""
    expected = {"username": user, "password": password}
    for url in (
        f"rediss://{encoded(user)}:{encoded(password)}@cache:6380/2?protocol=3",
        f"rediss://cache:6380/2?username={encoded(user)}&protocol=3&password={encoded(password)}",
    ):
        found = RedisUrl(url)
        assert found.credentials == expected
        assert found.without_credentials == "rediss://cache:6380/2?protocol=3"
        assert found.shown == shown(url) == "rediss://cache:6380/2"
        assert found.has_password


@given(before=ANY, after=ANY, user=ANY)
@example(before="a", after="@?", user="u")
@example(before="a@", after="?", user="u")
@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_no_part_of_an_unencoded_password_is_shown(
    scheme: str, before: str, after: str, user: str
) -> None:
    """S1: the URL is parsed as a whole or refused."""
    url = f"{scheme}://{encoded(user)}:{before}{CANARY}{after}@db:5432/1"
    try:
        found = read(url)
    except Unreadable as error:
        text = "".join(traceback.format_exception(error)) + error.hint + shown(url)
    else:
        text = repr(found) + found.shown + shown(url)
        assert found.shown == f"{scheme}://db:5432/1"
    assert CANARY not in text


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:a@hunter2pass@h/d",
        "postgresql://u:a/hunter2pass@h/d",
        "postgresql://u:1/hunter2pass@h/d",
        "postgresql://u:a?/hunter2pass@h/d",
        "postgresql://u:1?hunter2pass/@h/d",
        "postgresql://u@h:hunter2pass@h/d",
        "postgresql://u:a@hunter2pass?user=b@h/d",
        "postgresql://u:hunter2pass/d",
        "postgresql://u:hunter2pass%zz@h/d",
        "postgresql://u:%FFhunter2pass@h/d",
        "postgresql://u:%00hunter2pass@h/d",
        "postgresql://u:hunter2pass\0@h/d",
        "postgresql://u:hunter2pass\ud800@h/d",
        "postgresql://h/hunter2pass@d",
        "postgresql://h:65536/d",
        "postgresql://h:0/d",
        "postgresql://h:5432,h2:x/d",
        "postgresql://h/d?hunter2pass=1",
        "postgresql://h/d?hunter2pass",
        "postgresql://[::1/d",
        "redis://:a@hunter2pass@h/0",
        "redis://:a/hunter2pass@h/0",
        "redis://:a@hunter2pass?b@h/0",
        "redis://:hunter2pass%zz@h/0",
        "redis://:%FFhunter2pass@h/0",
        "redis://h:hunter2pass",
        "mysql://u:hunter2pass@h",
        "hunter2pass",
    ],
)
def test_an_unreadable_url_is_refused_and_not_repeated(url: str) -> None:
    """S1."""
    with pytest.raises(Unreadable) as caught:
        read(url)
    assert CANARY not in "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "percent-encode" in caught.value.hint or "libpq" in caught.value.hint


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://auditor@db/audit", "postgresql://db/audit"),
        ("postgresql://u:p?w#x:y@db:5/a%20b", "postgresql://db:5/a%20b"),
        ("postgresql://u:p@[::1]:5/Caf%C3%A9", "postgresql://[::1]:5/Café"),
        ("postgresql://u:p@h1:1,h2:2/d", "postgresql://h1:1,h2:2/d"),
        ("postgresql://h1,h2/d?port=5", "postgresql://h1:5,h2:5/d"),
        ("postgresql:///d?host=/var/run&user=me@home&password=x", "postgresql://%2Fvar%2Frun/d"),
        ("postgresql://db?hostaddr=10.0.0.1", "postgresql://db"),
        ("postgresql://?hostaddr=10.0.0.1&dbname=d", "postgresql://10%2E0%2E0%2E1/d"),
        ("postgresql://u:a/b@h/d", "postgresql://…"),
        ("redis://u:p@[::1]:6379/0", "redis://[::1]:6379/0"),
        ("redis://:p@h", "redis://h"),
        ("/srv/a:b@c", "/srv/a:b@c"),
    ],
)
def test_only_host_port_and_database_are_shown(url: str, expected: str) -> None:
    """S1."""
    assert shown(url) == expected.replace("%2E", ".")


def test_the_session_is_in_utf8_whatever_the_url_says() -> None:
    url = PostgresUrl("postgresql://h/d?client_encoding=LATIN1")
    assert url.parameters({"client_encoding": "LATIN1"})["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    ("query", "expected"), [("yes", True), ("no", False), ("yes&allow_superuser=no", False)]
)
def test_allow_superuser_is_not_given_to_the_driver(query: str, expected: bool) -> None:
    url = PostgresUrl(f"postgresql://h/d?allow_superuser={query}")
    assert url.allows_superuser is expected
    assert "allow_superuser" not in url.parameters()


def test_an_equals_sign_in_an_option_needs_no_encoding() -> None:
    url = PostgresUrl("postgresql://h/d?options=-clock_timeout=9")
    assert url.parameters()["options"] == "-clock_timeout=9"


DRIVER_MESSAGES = [
    'unexpected spaces found in "{password}", use percent-encoded spaces (%20) instead',
    'invalid percent-encoded token: "{quoted}"',
    'could not translate host name "{tail}@db" to address',
    'invalid URI query parameter: "{tail}"',
    'password authentication failed for user "night shift"',
    "Passwort-Authentifizierung für Benutzer »night shift« fehlgeschlagen",
    "authentification par mot de passe échouée pour l'utilisateur « {password} »",
    "connection is bad: {password}",
    "option '{option}' is not one",
]


@pytest.mark.parametrize("message", DRIVER_MESSAGES)
@pytest.mark.parametrize(
    "password", ["TopSecret Tail", "it's@Tail/x", 'a "Tail" b', "ab+Tail=", "x"]
)
def test_a_drivers_message_is_shown_without_the_secret(message: str, password: str) -> None:
    """S1: hidden are the whole secret, its encoded form, and the piece that the driver quotes."""
    url = PostgresUrl(
        f"postgresql://night%20shift:{encoded(password)}@db:5432/audit?application_name=odd+option"
    )
    text = message.format(
        password=password, quoted=encoded(password), tail=password[-4:], option="odd+option"
    )
    hidden = url.hide(text)
    for part in ("Tail", "TopSecret", "night shift", "odd+option"):
        assert part not in hidden
    assert password == "x" or password not in hidden


def test_host_port_and_database_stay_in_a_drivers_message() -> None:
    url = PostgresUrl("postgresql://audit:db.example.org@db.example.org:5432/audit")
    for message in (
        'connection to server at "db.example.org", port 5432 failed: Connection refused',
        'FATAL:  database "audit" does not exist',
    ):
        assert url.hide(message) == message
