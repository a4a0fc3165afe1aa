"""Secrets in every place and servers that echo them: no byte that a run leaves holds one."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import pyarrow.parquet as pq
import pytest

from auditor.journal.journal import Journal
from auditor.login.sign_in import LOGIN_URL
from auditor.sandbox import Sandbox, World, WorldSize, config_text
from tests.builders.entra import CLIENT, SECRET, Authority, Entra, running
from tests.builders.token_echo_server import TRICKS, echoing_tokens

SMALL = WorldSize(customers=24, products=4, regions=2, sizes_per_product=2, licence_products=6)
JWT = "eyJhbGciOiJSUzI1NiJ9." + "".join(f"canary{n:03}XyZ" for n in range(40)) + ".c2lnbmVkLWNh"
OPAQUE = "0.AXcanary-9f3b0ac1d2e4f5a6b7c8d9e0f1a2b3c4d5"
PIECE = 16
"""Length of the pieces of a secret that must not be found anywhere."""


class Output(NamedTuple):
    status: int
    stdout: bytes
    stderr: bytes
    cmdline: bytes
    children: bytes


async def auditor(folder: Path, environ: dict[str, str], *words: str) -> Output:
    """Run the command, and read its `/proc` files while it runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "auditor", *words),
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder), "XDG_STATE_HOME": str(folder)} | environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    talking = asyncio.create_task(process.communicate())
    cmdline = children = b""
    while not talking.done():
        with suppress(OSError):  # the command or its child has ended
            cmdline = shown(process.pid, "cmdline") or cmdline
            for child in children_of(process.pid):
                children += shown(child, "cmdline") + shown(child, "environ")
        await asyncio.wait([talking], timeout=0.02)
    stdout, stderr = talking.result()
    return Output(process.returncode or 0, stdout, stderr, cmdline, children)


def shown(pid: int, name: str) -> bytes:
    """Return a `/proc` file of a process."""
    return Path(f"/proc/{pid}/{name}").read_bytes()


def children_of(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def files_below(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def content(folder: Path) -> dict[str, bytes]:
    """Return the content of each file, and the unpacked content."""
    found = {}
    for path in files_below(folder):
        name = str(path.relative_to(folder))
        found[name] = path.name.encode() + path.read_bytes()
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
            found[f"{name} unpacked"] = json.dumps(rows, default=str, ensure_ascii=False).encode()
        if path.suffix == ".journal":
            journal = Journal(path)
            bodies = [journal.read(key).body for key in journal._index]  # noqa: SLF001 - all of it
            found[f"{name} unpacked"] = b"\n".join(bodies)
            await journal.close()
    return found


def pieces(secret: str) -> Iterator[bytes]:
    """Yield pieces of a secret in each encoding. They overlap: any longer part contains one."""
    shifted = [base64.b64encode(bytes(n) + secret.encode())[4:-4] for n in range(3)]
    forms = [secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()]
    forms += [*shifted, *(form.translate(bytes.maketrans(b"+/", b"-_")) for form in shifted)]
    for form in set(forms):
        for at in range(0, max(len(form) - PIECE, 0) + 1, PIECE // 2):
            yield form[at : at + PIECE]


def hits(secrets: list[str], where: dict[str, bytes]) -> list[str]:
    """Return the places that hold a piece of a secret, also if it is split over lines."""
    wanted = {piece for secret in secrets for piece in pieces(secret)}
    found = []
    for name, held in where.items():
        solid = held.replace(rb"\n", b"").replace(rb"\r", b"").translate(None, b" \t\r\n=")
        found += [f"{name}: {piece!r}" for piece in wanted if piece in held or piece in solid]
    return found


def test_the_search_for_secrets_finds_a_planted_one() -> None:
    """S1: otherwise the tests below would prove nothing."""
    broken = "\n  ".join(JWT[at : at + 20] for at in range(0, len(JWT), 20))
    encoded = base64.encodebytes(f"Authorization: Bearer {OPAQUE}".encode())
    for held in (OPAQUE.encode(), quote(JWT).encode(), broken.encode(), encoded, JWT[:30].encode()):
        assert hits([JWT, OPAQUE], {"file": b"before " + held})
    assert not hits([JWT, OPAQUE], {"file": b"sandbox-222b28f1-6edc-40c6-97e0-7f5b7fd3cb9c"})


@pytest.mark.asyncio
@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_no_byte_of_a_faulty_night_holds_a_secret(tmp_path: Path, log_format: str) -> None:
    """S1, S2: each secret is sent only to the server that it is for."""
    tokens, secrets = (JWT, OPAQUE), [JWT, OPAQUE, SECRET]
    context = Authority(tmp_path).context()
    async with Sandbox(World(5, SMALL)) as sandbox, running(Entra(), context) as entra:
        partners = sandbox.world.partners()
        ours = dict(zip(tokens, (partner.token for partner in partners), strict=True))
        async with echoing_tokens(sandbox.base_url, ours) as (server, here):
            text = config_text(sandbox.world, here, lambda partner: f"env:{partner.name[-4:]}")
            entra.tenants = {partner.partner_tenant_id for partner in partners}
            entra.tokens = {partners[0].partner_tenant_id: JWT}
            app = f'auth = "app"\nclient_id = "{CLIENT}"\nclient_secret = "env:S"'
            reference = f'auth = "token"\ntoken = "env:{partners[0].name[-4:]}"'
            assert reference in text
            config = text.replace(reference, app) + '[network]\nca_file = "ca.pem"\n'
            (tmp_path / "auditor.toml").write_text(config)
            environ = {partners[1].name[-4:]: OPAQUE, "S": SECRET, LOGIN_URL: entra.base_url}
            debug = ("--debug", "--log-format", log_format)

            ran = [await auditor(tmp_path, environ, "run", "--format", "json", *debug)]
            assert ran[0].status == 3, ran[0].stderr
            for words in (
                ("report", "--out", "report.html"),
                ("report", "--mask"),
                ("snapshots", "list", "--format", "json"),
                ("sql", "SELECT * FROM unanswered", "--format", "csv"),
                ("sql", "SELECT * FROM check_outcome", "--format", "table"),
                ("sql", "SELECT * FROM sku", "--format", "markdown"),
                ("changes", "--format", "json"),
            ):
                ran.append(await auditor(tmp_path, environ, *words, *debug))
                assert ran[-1].status == 0, ran[-1].stderr

    assert set(server.shown) == {"named", *TRICKS}
    held = await content(tmp_path)
    assert any("inventory" in name for name in held)
    for number, each in enumerate(ran):
        output = each._asdict()
        held |= {f"{field} {number}": output[field] for field in output if field != "status"}
    assert hits(secrets, held) == []
    assert any(b"***" in held[name] for name in held if "journal unpacked" in name)
    assert any(b"*** " in held[name] for name in held if "/sku/" in name), "and in the rows"
