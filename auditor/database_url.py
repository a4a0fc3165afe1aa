"""The URL of a database, PostgreSQL or Redis: its parts for drivers, and what may be shown.

The URL is parsed once, by libpq's rules, and the drivers get its parts. If they got the URL, each
would decode it by its own rules and quote it in its errors.
"""

import re
import urllib.parse
from collections.abc import Mapping

ALLOW_SUPERUSER = "allow_superuser"
"""The option that lets a superuser use a store; it is removed before libpq parses the URL."""

ENCODE = (
    "percent-encode reserved characters in the user, the password and the database:"
    " @ is %40, / is %2F, : is %3A, % is %25, a space is %20"
)
_AMBIGUOUS = "holds an @ or a / that is not percent-encoded (the value is not shown)"
_UNREADABLE = "is not a valid database URL (the value is not shown)"
_NO_PORT = "has a port that is not a number from 1 to 65535 (the value is not shown)"
_OPTIONS = "has an option that libpq does not know, or that has no value (the value is not shown)"
_ANY_DRIVER = re.compile(r"postgresql\+[a-z0-9_]+://")
_SECRETS = frozenset(["password", "sslpassword", "oauth_client_secret"])
_SHOWN = frozenset(["host", "hostaddr", "port", "dbname"])
_HIDDEN = "***"
_QUOTED = re.compile(r"""("[^"\n]*"|'[^'\n]*'|»[^«\n]*«|«[^»\n]*»|„[^“\n]*“|“[^”\n]*”)""")
"""Quoted text in a driver's or a server's message; servers also quote as their language does."""
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LEAST = 3
"""Shorter pieces of a secret are not hidden: they occur in most words."""
_LEAST_UNQUOTED = 6
"""Outside quotes, hide only pieces this long that are not plain words: drivers quote values."""
_HIGHEST_PORT = 65535


class Unreadable(ValueError):
    """A URL that cannot be used. `reason` follows the key's name; it holds no part of the URL."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


class PostgresUrl:
    """The parts of a `postgresql://…` URL, each decoded once."""

    def __init__(self, url: str) -> None:
        """Read a URL.

        Raises:
            Unreadable: libpq refuses it, or it is ambiguous.
        """
        plain = _ANY_DRIVER.sub("postgresql://", url, count=1)
        _check_ambiguity(plain)
        plain, self.allows_superuser = _for_libpq(plain)
        self._parameters = _read_by_libpq(plain)
        _check_ports(self._parameters.get("port", ""))
        self.shown = _place(
            "postgresql",
            self._parameters.get("host") or self._parameters.get("hostaddr", ""),
            self._parameters.get("port", ""),
            self._parameters.get("dbname", ""),
        )

    def __repr__(self) -> str:
        return f"PostgresUrl({self.shown!r})"

    @property
    def has_password(self) -> bool:
        """Return whether the URL holds a secret."""
        return bool(_SECRETS & self._parameters.keys())

    def parameters(self, defaults: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return libpq's parameters: those of the URL over `defaults`.

        The session's encoding is always UTF-8: the startup packet sets it, which overrides the
        environment, the role and the database.
        """
        return {**(defaults or {}), **self._parameters, "client_encoding": "UTF8"}

    def conninfo(self, defaults: Mapping[str, str] | None = None) -> str:
        """Return the parameters as a conninfo text, quoted by libpq's rules, with the secrets."""
        from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - heavy

        return make_conninfo("", **self.parameters(defaults))

    def hide(self, text: str) -> str:
        """Return a driver's text with every part of the URL hidden but host, port and database."""
        visible = {self._parameters.get(name, "") for name in _SHOWN}
        hidden: set[str] = set()
        pieces: set[str] = set()
        for name, value in self._parameters.items():
            if name not in _SHOWN and value not in visible:
                hidden |= {value, *re.split(r"\W+", value)}
                text = text.replace(f'"{value}"', f'"{_HIDDEN}"')  # it may hold quotes itself
            if name in _SECRETS:
                pieces |= _pieces(value)
        for piece in sorted(pieces, key=len, reverse=True):
            if len(piece) >= _LEAST_UNQUOTED and not piece.isalpha() and piece not in visible:
                text = text.replace(piece, _HIDDEN)

        def quoted(match: re.Match[str]) -> str:
            content = match[0][1:-1]
            is_part = content in hidden or any(piece in content for piece in pieces)
            is_shown = not is_part or content in visible or not content
            return match[0] if is_shown else f"{match[0][0]}{_HIDDEN}{match[0][-1]}"

        return _QUOTED.sub(quoted, text)


class RedisUrl:
    """The parts of a `redis://…` or `rediss://…` URL; user and password decoded once."""

    def __init__(self, url: str) -> None:
        """Read a URL.

        Raises:
            Unreadable: it is not encoded correctly, or it is ambiguous.
        """
        _check_ambiguity(url)
        scheme, _, rest = url.partition("://")
        user_info, place, query = _split(rest)
        authority, slash, path = place.partition("/")
        host, port = _host_and_port(authority)
        _check_ports(port)
        self.credentials: dict[str, str] = {}
        user, _, password = user_info.partition(":")
        options = []
        for option in query.split("&"):
            name, _, value = option.partition("=")
            if name == "username":
                user = value
            elif name == "password":
                password = value
            else:
                options.append(option)
        for name, value in (("username", user), ("password", password)):
            if value:
                self.credentials[name] = _decoded(value)
        self.without_credentials = f"{scheme}://{authority}{slash}{path}"
        if any(options):
            self.without_credentials += f"?{'&'.join(options)}"
        self.shown = _place(scheme, host, port, _decoded(path))

    def __repr__(self) -> str:
        return f"RedisUrl({self.shown!r})"

    @property
    def has_password(self) -> bool:
        """Return whether a password stands in the URL."""
        return "password" in self.credentials


def read(url: str) -> PostgresUrl | RedisUrl:
    """Parse a PostgreSQL or Redis URL; Unreadable for any other."""
    scheme = url.partition("://")[0]
    if "://" in url and scheme.partition("+")[0] == "postgresql":
        return PostgresUrl(url)
    if "://" in url and scheme in {"redis", "rediss"}:
        return RedisUrl(url)
    raise Unreadable(_UNREADABLE, ENCODE)


def shown(url: str) -> str:
    """Return the parts of a URL that may be shown: host, port, database. A folder is unchanged."""
    if "://" not in url:
        return url
    try:
        return read(url).shown
    except Unreadable:
        return f"{url.partition('://')[0]}://…"


def _for_libpq(url: str) -> tuple[str, bool]:
    """Return the URL without our own option, and whether that option allows a superuser.

    A second = in an option, as in `?options=-cstatement_timeout=9`, is not ambiguous, but libpq
    requires it to be encoded, so it is encoded here.
    """
    query = _split(url.partition("://")[2])[2]
    if not query:
        return url, False
    options = []
    is_allowed = False
    for option in filter(None, query.split("&")):
        name, equals, value = option.partition("=")
        if name == ALLOW_SUPERUSER:
            is_allowed = value == "yes"
        else:
            options.append(f"{name}{equals}{value.replace('=', '%3D')}")
    before = url[: -len(query) - 1]
    return (f"{before}?{'&'.join(options)}" if options else before), is_allowed


def _split(rest: str) -> tuple[str, str, str]:
    """Return user and password, then host, port and database, then the options, as libpq does."""
    head, at, tail = rest.partition("@")
    user_info, after = (head, tail) if at and "/" not in head else ("", rest)
    place, _, query = after.partition("?")
    return user_info, place, query


def _check_ambiguity(url: str) -> None:
    """Refuse a second @: part of the password would be shown as the host."""
    rest = url.partition("://")[2]
    user_info, place, query = _split(rest)
    may_be_password = bool(user_info) or ":" in place.partition("/")[0]
    if "@" in place or ("@" in query and may_be_password):
        raise Unreadable(_AMBIGUOUS, ENCODE)


def _read_by_libpq(url: str) -> dict[str, str]:
    from psycopg import ProgrammingError  # noqa: PLC0415 - heavy, and a folder store does not need it
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415 - heavy

    try:
        if "\0" in url:  # libpq would stop reading there
            raise Unreadable(_UNREADABLE, ENCODE)
        found = conninfo_to_dict(url)
    except ProgrammingError as error:  # its text quotes the URL
        reason, hint = _UNREADABLE, ENCODE
        if "URI query parameter" in str(error):
            reason, hint = _OPTIONS, f"spell it as libpq does, as in ?sslmode=require; {ENCODE}"
        raise Unreadable(reason, hint) from None
    except UnicodeError:
        raise Unreadable(_UNREADABLE, "percent-encode the UTF-8 of each character") from None
    return {name: str(value) for name, value in found.items()}


def _check_ports(ports: str) -> None:
    for port in ports.split(","):
        is_number = port.isascii() and port.isdecimal()
        if port and not (is_number and 0 < int(port) <= _HIGHEST_PORT):
            raise Unreadable(_NO_PORT, ENCODE)


def _host_and_port(authority: str) -> tuple[str, str]:
    if authority.startswith("["):
        host, _, rest = authority[1:].partition("]")
        return host, rest.removeprefix(":")
    host, _, port = authority.partition(":")
    return host, port


def _place(scheme: str, host: str, port: str, database: str) -> str:
    """Return a URL with only what may be shown, encoded so that its parts are not confused."""
    hosts, ports = host.split(","), port.split(",")
    if len(ports) != len(hosts):
        ports = ports * len(hosts) if len(ports) == 1 else [""] * len(hosts)
    places = [
        (f"[{each}]" if ":" in each else _encoded(each)) + (f":{number}" if number else "")
        for each, number in zip(hosts, ports, strict=True)
    ]
    return f"{scheme}://{','.join(places)}" + (f"/{_encoded(database)}" if database else "")


def _encoded(part: str) -> str:
    return "".join(each if each.isalnum() else urllib.parse.quote(each, safe="") for each in part)


def _decoded(part: str) -> str:
    if _BAD_PERCENT.search(part):
        raise Unreadable(_UNREADABLE, ENCODE)
    try:
        return urllib.parse.unquote(part, errors="strict")
    except UnicodeError:
        raise Unreadable(_UNREADABLE, "percent-encode the UTF-8 of each character") from None


def _pieces(secret: str) -> set[str]:
    """Return the forms of a secret that a driver could quote, and the words it is made of."""
    encoded = urllib.parse.quote(secret, safe="")
    forms = {secret, encoded, urllib.parse.quote_plus(secret), repr(secret)[1:-1]}
    forms |= {secret.replace("\\", "\\\\").replace("'", "\\'")}
    return {piece for piece in {*forms, *re.split(r"\W+", secret)} if len(piece) >= _LEAST}
