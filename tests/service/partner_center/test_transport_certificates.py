"""Which certificates a connection trusts."""

import ssl
import subprocess
from pathlib import Path

import pytest

from auditor.errors import SettingsError
from auditor.partner_center.pacing.pacer import Pacer
from auditor.partner_center.tokens import GivenToken
from auditor.partner_center.transport import Transport
from auditor.secret import Secret
from tests.builders.raw_server import CANARY, LIMITS, OK, always, ask, serving


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make a certificate for localhost that no known authority has signed."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
        " -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout key.pem -out cert.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True, cwd=folder)
    return key, cert


@pytest.mark.asyncio
async def test_a_certificate_of_an_unknown_authority_is_refused_at_once(
    certificate: tuple[Path, Path],
) -> None:
    """S5."""
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with serving(always(OK), tls=context, scheme="https", retries=True) as (transport, seen):
        reply = await transport.send(ask())

    assert (reply.status, reply.cause, reply.attempts) == (0, "tls", 1)
    assert seen.heads == []


@pytest.mark.asyncio
async def test_a_certificate_of_a_given_authority_is_accepted(
    certificate: tuple[Path, Path],
) -> None:
    key, cert = certificate
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(cert, key)
    async with serving(
        always(OK, hang_up=False), tls=context, scheme="https", ca_file=str(cert)
    ) as (transport, _):
        assert (await transport.send(ask())).status == 200


@pytest.mark.asyncio
async def test_a_ca_file_without_a_certificate_is_a_wrong_setting(tmp_path: Path) -> None:
    """S5: with any kind of credential, the error comes before the first request."""
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate")
    async with Pacer(LIMITS) as pacer:
        transport = Transport(
            "https://localhost", GivenToken(Secret(CANARY)), pacer, ca_file=str(empty)
        )
        with pytest.raises(SettingsError, match=r"network\.ca_file"):
            await transport.__aenter__()
