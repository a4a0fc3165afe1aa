"""A `Login` made from a configuration, with keys, certificates and secret files for it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from auditor.login.key_vault import Vault
from auditor.login.secrets import Secrets
from auditor.login.sign_in import LOGIN_URL, Login
from auditor.settings import AuthKind, Network, Partner
from tests.builders.entra import CLIENT, REFRESH, SECRET, TENANT

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


async def no_wait(_: float) -> None:
    await asyncio.sleep(0)


def partner(auth: AuthKind, **keys: str) -> Partner:
    """Return a partner with these configuration keys."""
    return Partner(
        name="contoso",
        tenant_id=keys.pop("tenant_id", TENANT),
        countries=("DE",),
        auth=auth,
        client_id=keys.pop("client_id", CLIENT),
        **keys,  # type: ignore[arg-type] # all of them are text
    )


def login(
    one: Partner,
    folder: Path,
    login_url: str,
    *,
    network: Network | None = None,
    key_vault: Vault | None = None,
    sleep: Callable[[float], Awaitable[None]] = no_wait,
    **environ: str,
) -> Login:
    """Return a partner's login; its client secret is in `env:S`, the CA file in `folder`."""
    network = network or Network(ca_file=folder / "ca.pem")
    given = {"S": SECRET, LOGIN_URL: login_url} | environ
    secrets = Secrets(given, folder, network, key_vault=key_vault)
    return Login(one, network, given, secrets, sleep=sleep)


def keep(folder: Path, content: str = REFRESH, name: str = "refresh") -> Path:
    """Write a secret file."""
    path = folder / name
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return path


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(key: Key) -> x509.Certificate:
    """Return a self-signed certificate, which app registrations accept."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "auditor")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .sign(key, hashes.SHA256())
    )


def pem(key: Key | None, cert: x509.Certificate | None, passphrase: bytes = b"") -> str:
    """Return the content of a PEM file with the key, the certificate or both."""
    parts = []
    if key is not None:
        encryption = (
            serialization.BestAvailableEncryption(passphrase)
            if passphrase
            else serialization.NoEncryption()
        )
        parts.append(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            )
        )
    if cert is not None:
        parts.append(cert.public_bytes(serialization.Encoding.PEM))
    return b"".join(parts).decode()
