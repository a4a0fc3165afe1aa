"""The permissions of the files that a run leaves."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.builders.another_partner_center import TOKEN, another_partner_center, config


async def night(folder: Path, umask: int) -> int:
    """Run a night, and write its report, as a user with this umask."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("AUDITOR_")}
    command = f'"{sys.executable}" -m auditor'
    process = await asyncio.create_subprocess_shell(
        f"umask {umask:03o} && {command} run && {command} report --out report.html"
        f" && {command} changes --out changes.xlsx",
        cwd=folder,
        env=inherited | {"CONTOSO_TOKEN": TOKEN, "XDG_STATE_HOME": str(folder / "home")},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await process.wait()


def modes(folder: Path) -> dict[str, int]:
    """Return the mode of each file and folder below a folder."""
    found = (path for path in folder.rglob("*") if path.name != "auditor.toml")
    return {str(path.relative_to(folder)): path.lstat().st_mode & 0o777 for path in found}


@pytest.mark.asyncio
@pytest.mark.parametrize("umask", [0o022, 0o000])
async def test_a_run_leaves_nothing_that_others_can_read(tmp_path: Path, umask: int) -> None:
    """S12, S14, S18: the lake too, because Parquet has no row-level security."""
    async with another_partner_center() as center:
        (tmp_path / "auditor.toml").write_text(config(center.base_url))
        center.refuses_checks = True  # so that failed replies are kept

        assert await night(tmp_path, umask) == 3
        center.refuses_checks = False
        assert await night(tmp_path, umask) == 0

    found = modes(tmp_path)
    for kind in ("run.json", ".journal", ".lock", ".parquet", "manifest.json", ".html", ".xlsx"):
        assert any(name.endswith(kind) for name in found), kind
    assert {name: f"{mode:o}" for name, mode in found.items() if mode & 0o077} == {}
