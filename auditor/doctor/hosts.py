"""The hosts that a run talks to, and whether each answers, over TLS and through the proxy."""

import asyncio
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from auditor.doctor.finding import Finding
from auditor.errors import Unreachable, Untrusted
from auditor.https import Https, address
from auditor.login.sign_in import login_authority
from auditor.partner_center.clouds import CLOUDS
from auditor.settings import AuthKind, Network, Partner


def needed(partners: tuple[Partner, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return each host's purpose, by URL. Raises SettingsError for an invalid login URL."""
    found: dict[str, str] = {}
    for partner in partners:
        if partner.auth is not AuthKind.TOKEN:
            found.setdefault(login_authority(partner, environ), "to sign in")
        api = partner.base_url or CLOUDS[partner.cloud].base_url
        found.setdefault(api, "Partner Center")
        for vault in _vaults(partner):
            found.setdefault(vault, "the key vault")
    return found


def _vaults(partner: Partner) -> Iterator[str]:
    for reference in partner.secret_references().values():
        kind, _, place = reference.partition(":")
        if kind == "keyvault":
            yield f"https://{urlsplit(place).netloc}"


async def probe(purposes: Mapping[str, str], network: Network) -> list[Finding]:
    """Ask each host for its front page; any reply shows that the host can be reached."""
    https = [(url, purpose) for url, purpose in sorted(purposes.items())]
    return await asyncio.gather(
        *(asyncio.to_thread(_probe, url, purpose, network) for url, purpose in https)
    )


def _probe(url: str, purpose: str, network: Network) -> Finding:
    way = "through the proxy" if network.proxy else "directly"
    try:
        Https(proxy=network.proxy, ca_file=network.ca_file).send("GET", url)
    except Untrusted as error:
        error.hint = "check the certificate; for a proxy that inspects TLS set [network] ca_file"
        return Finding.fault("reach", error)
    except Unreachable as error:
        error.hint = f"open {address(url)} in the firewall, or set [network] proxy: it is {purpose}"
        return Finding.fault("reach", error)
    spoken = "over TLS" if url.startswith("https:") else "without TLS, on this machine"
    return Finding(check="reach", message=f"{address(url)} answers {way}, {spoken}: {purpose}")
