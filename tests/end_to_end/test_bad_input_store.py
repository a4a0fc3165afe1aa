"""Bad input found late: servers that refuse everything, stores that have changed."""

import json
from pathlib import Path

import pytest

from auditor.store import open_store
from tests.builders.another_partner_center import (
    AnotherPartnerCenter,
    another_partner_center,
    auditor,
    config,
)
from tests.builders.entra import Authority, served
from tests.end_to_end.test_bad_input_live import configure, only_error, published


@pytest.mark.asyncio
async def test_a_partner_center_that_forbids_everything(tmp_path: Path) -> None:
    async with another_partner_center() as center:
        configure(tmp_path, config(center.base_url))
        center.forbids_everything = True
        ran = await auditor(tmp_path, "run", "--format", "json")
    message, hint = only_error(ran, 77, "E_FORBIDDEN")
    assert "403" in message
    assert "consent" in hint
    assert {request.path for request in center.requests} == {"/v1/customers"}
    assert published(tmp_path) == []


@pytest.mark.asyncio
async def test_a_server_with_a_certificate_for_another_host(tmp_path: Path) -> None:
    center, context = AnotherPartnerCenter(), Authority(tmp_path).context("other.example")
    async with served(center.app, context) as base_url:
        configure(tmp_path, config(base_url), tail='[network]\nca_file = "ca.pem"\n')
        ran = await auditor(tmp_path, "run", "--format", "json")
    message, _ = only_error(ran, 69, "E_UNREACHABLE")
    assert base_url.removeprefix("https://") in message
    assert "tls" in message
    assert (center.requests, published(tmp_path)) == ([], [])


@pytest.mark.asyncio
async def test_the_first_snapshot_is_what_later_ones_are_compared_with(tmp_path: Path) -> None:
    async with another_partner_center() as center:
        configure(tmp_path, config(center.base_url))
        assert (await auditor(tmp_path, "run")).status == 0
    ran = await auditor(tmp_path, "changes", "--format", "json")
    assert (ran.status, ran.stdout) == (0, "[]\n")
    assert "baseline" in ran.stderr


@pytest.mark.asyncio
async def test_a_store_that_has_changed_is_refused(tmp_path: Path) -> None:
    """P15: the error names file, expected and found; a store of a newer version is not touched."""
    async with another_partner_center() as center:
        configure(tmp_path, config(center.base_url))
        assert (await auditor(tmp_path, "run")).status == 0
        (snapshot,) = published(tmp_path)
        file = max((tmp_path / "lake").glob("snapshot=*/customer/*.parquet"))
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        file.write_bytes(content)
        ran = await auditor(tmp_path, "snapshots", "verify", snapshot["snapshot_id"])
        message, _ = only_error(ran, 65, "E_SNAPSHOT_CORRUPT")
        assert str(file.relative_to(tmp_path)) in message
        assert "expected sha256" in message

        store = tmp_path / "lake" / "store.json"
        newer = {**json.loads(store.read_text()), "schema_version": 99}
        store.write_text(json.dumps(newer))
        center.requests.clear()
        for words in (("run", "--format", "json"), ("changes",)):
            message, hint = only_error(await auditor(tmp_path, *words), 76, "E_SCHEMA_NEW")
            assert "99" in message
            assert "newer" in hint
        assert center.requests == []


@pytest.mark.asyncio
async def test_ids_that_look_like_numbers_and_words_stay_text(tmp_path: Path) -> None:
    """P28: country NO is not `false`, SKU 0011 is not 11, 00E1 is not 0.0."""
    async with another_partner_center() as center:
        countries = config(center.base_url).replace('["DE"]', '["NO", "DE"]')
        configure(tmp_path, countries)
        ran = await auditor(tmp_path, "run", "--format", "json")
        assert ran.status in {0, 3}, ran.stderr
    skus = set(open_store(str(tmp_path / "lake")).table("latest_inventory")["sku_id"])
    assert {"0011", "00E1"} <= skus
    assert {request.query.get("country") for request in center.requests} >= {"NO", "DE"}
