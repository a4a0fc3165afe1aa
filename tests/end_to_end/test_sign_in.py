"""Whole runs that sign in at a token server, which issues the sandbox's tokens."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from auditor.errors import Unauthorized
from auditor.login.sign_in import LOGIN_URL
from auditor.run.result import NothingPublished
from auditor.run.run import audit
from auditor.run.runtime import Runtime
from auditor.sandbox import Sandbox, World, WorldSize, config_text, environment_token
from auditor.secret import Secret
from auditor.settings import Narrow, load
from tests.builders.entra import (
    CLIENT,
    FEDERATED,
    REFRESH,
    SECRET,
    Authority,
    Entra,
    Refused,
    running,
)

SMALL = WorldSize(customers=6, products=2, regions=2, sizes_per_product=2, licence_products=2)
WAYS = {
    "app": f'client_id = "{CLIENT}"\nclient_secret = "env:S"',
    "app_user": f'client_id = "{CLIENT}"\nclient_secret = "env:S"\nrefresh_token = "file:refresh"',
    "workload_identity": f'client_id = "{CLIENT}"',
}


class Site:
    """A sandbox, a token server for its partners, and a configuration for one of them."""

    def __init__(self, sandbox: Sandbox, entra: Entra, folder: Path) -> None:
        self.sandbox = sandbox
        self.entra = entra
        self.config = folder / "auditor.toml"
        self.environ = {
            "S": SECRET,
            LOGIN_URL: entra.base_url,
            "AZURE_FEDERATED_TOKEN_FILE": str(folder / "federated"),
        }
        (folder / "federated").write_text(FEDERATED)
        (folder / "refresh").write_text(REFRESH)
        (folder / "refresh").chmod(0o600)

    def configure(self, way: str) -> None:
        """Write a configuration in which the first partner signs in this way."""
        text = config_text(self.sandbox.world, self.sandbox.base_url, environment_token)
        head, first, *_ = text.split("[[partner]]")
        first = re.sub(r"auth = .*\ntoken = .*", f'auth = "{way}"\n{WAYS[way]}', first)
        network = f'[network]\nca_file = "{self.config.parent / "ca.pem"}"\n'
        self.config.write_text(f"{head}[[partner]]{first}{network}")


@asynccontextmanager
async def site(folder: Path) -> AsyncIterator[Site]:
    context = Authority(folder).context()
    async with Sandbox(World(5, SMALL)) as sandbox, running(Entra(), context) as entra:
        partners = sandbox.world.partners()
        entra.tenants = {partner.partner_tenant_id for partner in partners}
        entra.tokens = {partner.partner_tenant_id: partner.token for partner in partners}
        yield Site(sandbox, entra, folder)


@pytest.mark.asyncio
@pytest.mark.parametrize("way", list(WAYS))
async def test_a_night_signs_in_once(tmp_path: Path, way: str) -> None:
    """P22: the token server counts its requests. No secret is in the log."""
    hidden: list[Secret] = []
    async with site(tmp_path) as running_site:
        running_site.configure(way)
        settings = load(running_site.config, running_site.environ, asking=Narrow())
        runtime = Runtime(environ=running_site.environ, hide=hidden.append)

        report = await audit(settings, runtime=runtime)

        entra = running_site.entra
        token = next(iter(entra.tokens.values()))
    assert report.exit == 0
    assert report.snapshots[0].checks.answered > 0
    assert entra.asked.total() == 2
    assert Secret(token) in hidden
    if way == "app_user":
        assert (tmp_path / "refresh").read_text() == f"{entra.refresh_token}\n"
        assert Secret(entra.refresh_token) in hidden


@pytest.mark.asyncio
async def test_a_revoked_token_is_renewed_once_for_all_calls(tmp_path: Path) -> None:
    """P22: the server refuses the first token; every call that carried it is sent again."""
    async with site(tmp_path) as running_site:
        running_site.configure("app")
        entra = running_site.entra
        good, entra.tokens = entra.tokens, {}
        settings = load(running_site.config, running_site.environ, asking=Narrow())

        def let_in(secret: Secret) -> None:
            if secret.reveal().startswith("canary-access"):
                entra.tokens = good

        runtime = Runtime(environ=running_site.environ, hide=let_in)
        report = await audit(settings, runtime=runtime)
        assert entra.asked["client_credentials"] == 2
    assert report.exit == 0


@pytest.mark.asyncio
async def test_a_refused_credential_ends_the_partner_at_once(tmp_path: Path) -> None:
    """P22 and E_AUTH: one request to the login, none to Partner Center, exit 77."""
    async with site(tmp_path) as running_site:
        running_site.configure("app")
        running_site.entra.replies = [Refused(401, "invalid_client", 7000222)]
        settings = load(running_site.config, running_site.environ, asking=Narrow())

        with pytest.raises(NothingPublished) as caught:
            await audit(settings, runtime=Runtime(environ=running_site.environ))

        assert caught.value.exit_status == Unauthorized.exit_status
        assert "AADSTS7000222: the client secret has expired" in caught.value.message
        assert running_site.entra.asked["client_credentials"] == 1
        assert not running_site.sandbox.log.records


async def auditor(site: Site, *words: str) -> tuple[int, bytes]:
    """Return the command's exit status and output."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "auditor", *words),
        cwd=site.config.parent,
        env=os.environ | site.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output


@pytest.mark.asyncio
async def test_the_doctor_ends_with_its_worst_fault(tmp_path: Path) -> None:
    async with site(tmp_path) as running_site:
        running_site.configure("app")
        well, report = await auditor(running_site, "doctor", "--format", "json")
        running_site.environ["S"] = f"{SECRET}-wrong"
        refused, output = await auditor(running_site, "doctor")
    assert (well, refused) == (0, 77)
    assert {row["state"] for row in json.loads(report)} <= {"ok", "warning"}
    assert b"fault    " in output
    assert b"AADSTS7000215" in output
    assert SECRET.encode() not in report + output
    assert sorted(path for path in files_below(tmp_path)) == [
        "auditor.toml",
        "ca.pem",
        "federated",
        "refresh",
    ]


@pytest.mark.asyncio
async def test_the_command_signs_in_and_writes_no_secret(tmp_path: Path) -> None:
    """S1: no secret is in a file that the command writes, or in its output."""
    async with site(tmp_path) as running_site:
        running_site.configure("app_user")
        status, output = await auditor(running_site, "run", "--debug", "--log-format", "json")
        secrets = [SECRET, FEDERATED, REFRESH, running_site.entra.refresh_token]
        secrets += running_site.entra.tokens.values()
    assert status == 0, output
    left = files_below(tmp_path)
    assert any("inventory" in path for path in left)
    del left["refresh"], left["federated"]
    for secret in secrets:
        assert secret.encode() not in output
        assert [path for path, content in left.items() if secret.encode() in content] == []


def files_below(folder: Path) -> dict[str, bytes]:
    """Return the content of each file by path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}
