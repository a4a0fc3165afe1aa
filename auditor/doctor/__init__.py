"""Tries every part of a configuration and says what to fix; after a fault it goes on.

It writes only unnamed temporary files and reads at most one page of each listing. A refresh token
is renewed, as in a run.
"""

import asyncio
from collections.abc import Callable, Mapping

from auditor.doctor import hosts, machine
from auditor.doctor.finding import Finding, State, as_rows, exit_status, write_findings
from auditor.doctor.partner import PartnerExamination
from auditor.errors import AuditorError, SettingsError
from auditor.login.secrets import Secrets
from auditor.login.sign_in import Login
from auditor.secret import Secret
from auditor.settings import Settings

__all__ = ["Finding", "State", "as_rows", "examine", "exit_status", "write_findings"]


async def examine(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    hide: Callable[[Secret], None] = lambda _: None,
) -> list[Finding]:
    """Return the findings, in the order in which a person should fix them."""
    secrets = Secrets(environ, settings.folder, settings.network, seen=hide)
    found = [*_configuration(settings), *await asyncio.to_thread(machine.examine, settings)]
    found += await asyncio.to_thread(machine.moved, settings)
    found += await _reach(settings, environ)
    for partner in settings.partner:
        read = await _secrets(partner.secret_references(), secrets, partner.name)
        examination = PartnerExamination(partner, settings)
        found += [*read, examination.quota()]
        if any(finding.exit_status for finding in read):
            continue  # without its secret the partner cannot sign in
        try:
            found += await examination.api(Login(partner, settings.network, environ, secrets))
        except AuditorError as error:
            found.append(Finding.fault("credential", error, partner=partner.name))
    places = {f"notify {place}": place for place in _notify_references(settings)}
    return found + await _secrets(places, secrets)


def _notify_references(settings: Settings) -> list[str]:
    """Return the references of all notification URLs."""
    routes = (url for route in settings.notify.route for url in route.urls)
    return list(dict.fromkeys([*settings.notify.urls, *routes]))


async def _secrets(
    references: Mapping[str, str], secrets: Secrets, partner: str = ""
) -> list[Finding]:
    found = []
    for key, reference in references.items():
        try:
            await asyncio.to_thread(secrets.read, reference)
        except AuditorError as error:
            found.append(Finding.fault("secret", error, partner=partner))
        else:
            message = f"{key} is read from {reference}"
            found.append(Finding(check="secret", partner=partner, message=message))
    return found


def _configuration(settings: Settings) -> list[Finding]:
    found = [
        Finding(check="configuration", state=State.WARNING, message=message, hint=hint)
        for _, message, hint in settings.warnings
    ]
    if not settings.partner:
        nobody = SettingsError("the configuration has no [[partner]]", hint="add one")
        return [*found, Finding.fault("configuration", nobody)]
    names = ", ".join(partner.name for partner in settings.partner)
    return [Finding(check="configuration", message=f"read; asks for {names}"), *found]


async def _reach(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    try:
        needed = hosts.needed(settings.partner, environ)
    except SettingsError as error:
        return [Finding.fault("reach", error)]
    return await hosts.probe(needed, settings.network)
