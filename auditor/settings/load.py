"""Reads `auditor.toml`, the environment and flags, and reports everything that is wrong."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from auditor.errors import ConfigMissing, SettingsError, UsageError
from auditor.settings import environment, known_places, problems, secret_references
from auditor.settings.contradictions import find_contradictions, find_oddities, find_open_passwords
from auditor.settings.decode import Decoder, Table
from auditor.settings.environment import Given
from auditor.settings.problems import Mistake, dotted, nearest
from auditor.settings.toml_lines import key_lines, line_of
from auditor.settings.values import AuthKind, Narrow, Partner, Settings

DEFAULT_NAME = "auditor.toml"
_LARGEST = 4 << 20
_HINT = "every key is explained in the file that `auditor init` writes"
_TOML_PLACE = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")

ConfigWarning = tuple[str, str, str]


def load(
    path: Path | str | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    *,
    asking: Narrow | None = None,
) -> Settings:
    """Return the configuration, or raise SettingsError with everything that is wrong.

    `environ` defaults to this process's environment. `overrides` are flags, by dotted key. Pass
    `asking` for commands that call Partner Center: the partners that it selects must exist, and at
    least one of them must have its secrets.
    """
    environ = os.environ if environ is None else environ
    path = _find(None if path is None else Path(path), environ)
    source = _Source(path)
    document = source.parse()
    given = environment.given(environ)
    given += [
        Given(path=tuple(key.split(".")), value=value, origin=f"--{key}")
        for key, value in (overrides or {}).items()
    ]
    for each in given:
        _put(document, each)
    source.origins = {each.path: each.origin for each in given}

    decoder = Decoder()
    settings = decoder.settings(document)
    if asking is not None and not settings.partner and ("partner",) not in decoder.failed:
        decoder.fail(Mistake(message="is missing: there is no partner to audit", at=("partner",)))
    for mistake in find_contradictions(settings):
        if not any(mistake.at[:end] in decoder.failed for end in range(1, len(mistake.at) + 1)):
            decoder.mistakes.append(mistake)

    found = [source.problem(mistake) for mistake in decoder.mistakes]
    found += _misspelled_variables(environ, settings)
    settings = _placed(settings, path.absolute().parent)
    if asking is not None:
        found += _notify_problems(settings, environ)
        missing = [secret_problems(settings, each, environ) for each in _chosen(settings, asking)]
        if found or all(missing):
            found += [problem for of_one in missing for problem in of_one]
    if found:
        raise SettingsError(
            f"{_shown(path)}: {len(found)} problem(s)",
            code=found[0][0],
            problems=tuple(dict.fromkeys(found)),
        )
    odd = [*find_oddities(settings), *_in_file(find_open_passwords(settings), source)]
    settings = msgspec.structs.replace(settings, warnings=tuple(map(source.problem, odd)))
    if asking is not None:
        partners_for(settings, asking)
    return settings


def partners_for(settings: Settings, narrow: Narrow) -> tuple[Partner, ...]:
    """Return the partners of a run; raise UsageError for unknown partner names and countries."""
    names = [partner.name for partner in settings.partner]
    for name in narrow.partners:
        if name not in names:
            near = nearest(name, names)
            raise UsageError(
                f"--partner {name!r} is not in the configuration",
                code="E_PARTNER_UNKNOWN",
                hint=f"did you mean `{near}`?" if near else f"known: {', '.join(names)}",
            )
    named = _chosen(settings, Narrow(partners=narrow.partners))
    sold_in = {country for partner in named for country in partner.countries}
    for country in narrow.countries:
        if country not in sold_in:
            near = known_places.MISTAKEN_COUNTRIES.get(country, "")
            hint = f"did you mean `{near}`?" if near in sold_in else ""
            raise UsageError(
                f"--country {country!r} is not a country of the configured partners",
                code=problems.REGION,
                hint=hint or f"configured: {', '.join(sorted(sold_in))}",
            )
    return _chosen(settings, narrow)


def secret_problems(
    settings: Settings, partner: Partner, environ: Mapping[str, str]
) -> list[ConfigWarning]:
    """Return what is wrong with the secrets of a partner that lie on this machine.

    A secret in a vault is not read before it is needed.
    """
    found = [
        *_reference_problems(
            settings,
            environ,
            (
                (f"partner {partner.name}: {key}", reference)
                for key, reference in partner.secret_references().items()
            ),
        )
    ]
    if partner.auth is AuthKind.WORKLOAD_IDENTITY:
        try:
            secret_references.read_federated(environ)
        except SettingsError as exc:
            found.append((exc.error_code, f"partner {partner.name}: {exc.message}", exc.hint))
    return found


def check_secrets(settings: Settings, partner: Partner, environ: Mapping[str, str]) -> None:
    """Raise SettingsError unless a partner's secrets on this machine can be read."""
    if found := secret_problems(settings, partner, environ):
        code, message, hint = found[0]
        raise SettingsError(message, code=code, hint=hint, problems=tuple(found))


class _Source:
    """The file, with the line of each key."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines: dict[problems.Path, int] = {}
        self.origins: dict[problems.Path, str] = {}

    def parse(self) -> Table:
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except (OSError, ValueError) as exc:
            cause = exc.strerror if isinstance(exc, OSError) else "not a path"
            raise ConfigMissing(
                f"{_shown(self.path)} cannot be read: {cause}", hint="pass --config PATH"
            ) from None
        if len(content) > _LARGEST:
            raise self.refused("1:1 is larger than 4 MiB, the limit for a configuration")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            line = content.count(b"\n", 0, exc.start) + 1
            column = exc.start - (content.rfind(b"\n", 0, exc.start) + 1) + 1
            raise self.refused(f"{line}:{column} is not UTF-8", "save the file as UTF-8") from None
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise self.refused(_toml_message(str(exc), text)) from None
        except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
            raise self.refused("1:1 is nested too deep, or holds a number too long") from None
        self.lines = key_lines(text)
        return document

    def refused(self, message: str, hint: str = "") -> SettingsError:
        return SettingsError(
            f"{_shown(self.path)}:{message}",
            code=problems.SYNTAX,
            hint=hint or "the file must be TOML; `auditor init` writes one to start from",
        )

    def problem(self, mistake: Mistake) -> ConfigWarning:
        """Return a mistake with its file and line, variable or flag."""
        origin = self.origin(mistake.at)
        if origin:
            where = origin + dotted(mistake.at[2:]) if isinstance(mistake.at[-1], int) else origin
        else:
            line = line_of(mistake.at, self.lines)
            where = f"{_shown(self.path)}:{line}:" if line else f"{_shown(self.path)}:"
            where += dotted(mistake.at)
        return mistake.code, f"{where} {mistake.message}", mistake.hint or _HINT

    def origin(self, path: problems.Path) -> str:
        """Return the variable or flag that set a key; '' if the file did."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.origins:
                return self.origins[path[:end]]
        return ""


def _shown(path: Path) -> str:
    """Return a path for a message; line breaks in it are escaped."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def _find(path: Path | None, environ: Mapping[str, str]) -> Path:
    if path is None:
        path = Path(DEFAULT_NAME)
        if not path.exists() and environ.get("AUDITOR_CONFIG"):
            path = Path(environ["AUDITOR_CONFIG"])
    try:
        is_there = path.exists()
    except (OSError, ValueError):
        is_there = False
    if not is_there:
        raise ConfigMissing(
            f"{_shown(path)} not found", hint="pass --config PATH or run `auditor init`"
        )
    return path


def _toml_message(message: str, text: str) -> str:
    """Return `line:column message`, which editors can follow."""
    place = _TOML_PLACE.search(message)
    if place is None:
        return f"1:1 {message}"
    what = message[: place.start()]
    if place[1]:
        return f"{place[1]}:{place[2]} {what}"
    lines = text.split("\n")
    return f"{len(lines)}:{len(lines[-1]) + 1} {what}"


def _put(document: Table, given: Given) -> None:
    table = document
    for step in given.path[:-1]:
        inner = table.setdefault(str(step), {})
        if not isinstance(inner, dict):  # a mistake in the file, which the decoder reports
            return
        table = inner
    table[str(given.path[-1])] = given.value


def _in_file(mistakes: Iterator[Mistake], source: _Source) -> list[Mistake]:
    return [mistake for mistake in mistakes if not source.origin(mistake.at)]


def _misspelled_variables(
    environ: Mapping[str, str], settings: Settings
) -> Iterator[ConfigWarning]:
    named = {
        reference.removeprefix("env:")
        for partner in settings.partner
        for reference in (
            partner.client_secret,
            partner.certificate,
            partner.refresh_token,
            partner.token,
        )
    } | {
        url.removeprefix("env:")
        for urls in (settings.notify.urls, *(route.urls for route in settings.notify.route))
        for url in urls
    }
    for name, near in environment.misspelled(environ, named):
        hint = f"did you mean `{near}`?" if near else "partners are set in the file only"
        yield problems.KEY, f"environment variable {name} is not a known setting", hint


def _chosen(settings: Settings, narrow: Narrow) -> tuple[Partner, ...]:
    """Return the partners that `narrow` selects by name and country; if it names none, all."""
    return tuple(
        partner
        for partner in settings.partner
        if not narrow.partners or partner.name in narrow.partners
        if not narrow.countries or set(narrow.countries) & set(partner.countries)
    )


def _notify_problems(settings: Settings, environ: Mapping[str, str]) -> list[ConfigWarning]:
    notify = settings.notify
    references = [("notify.urls", url) for url in notify.urls]
    references += [("notify.route.urls", url) for route in notify.route for url in route.urls]
    return list(_reference_problems(settings, environ, references))


def _reference_problems(
    settings: Settings, environ: Mapping[str, str], references: Iterable[tuple[str, str]]
) -> Iterator[ConfigWarning]:
    for key, reference in references:
        try:
            if secret_references.is_elsewhere(reference):
                secret_references.check_extra(reference)
            else:
                secret_references.read_secret(reference, environ, settings.folder)
        except SettingsError as exc:
            yield exc.error_code, f"{key}: {exc.message}", exc.hint


def _placed(settings: Settings, folder: Path) -> Settings:
    """Return the settings with absolute paths; relative ones start at the file's folder."""

    def absolute(path: Path) -> Path:
        return folder / os.path.expanduser(path)  # noqa: PTH111 - leaves an unknown user's ~ alone

    store = settings.store
    return msgspec.structs.replace(
        settings,
        folder=folder,
        store=store if "://" in store else str(absolute(Path(store))),
        state_dir=absolute(settings.state_dir),
        metrics=msgspec.structs.replace(
            settings.metrics,
            textfile=settings.metrics.textfile and absolute(settings.metrics.textfile),
        ),
        network=msgspec.structs.replace(
            settings.network,
            ca_file=settings.network.ca_file and absolute(settings.network.ca_file),
        ),
    )
