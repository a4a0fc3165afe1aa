"""Which two configurations count as the same run, so that `--resume` may continue it."""

import json
import subprocess
import sys
from pathlib import Path

from auditor.settings import Narrow, Settings, load
from auditor.settings.identity import difference

PARTNER = """
[[partner]]
name = "contoso-eu"
tenant_id = "aaaaaaaa-0000-4000-8000-000000000001"
countries = ["DE", "fr"]
auth = "token"
token = "env:CONTOSO_TOKEN"
"""


def loaded(folder: Path, text: str) -> Settings:
    path = folder / "auditor.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {})


def test_order_and_repeats_in_a_list_do_not_make_another_run(tmp_path: Path) -> None:
    first = loaded(tmp_path, PARTNER)
    again = loaded(tmp_path, PARTNER.replace('"DE", "fr"', '"FR", "DE", "FR"'))

    assert first.config_hash() == again.config_hash()
    assert difference(first.identity(), again.identity()) == ()


def test_the_configuration_hash_is_the_same_in_another_process(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PARTNER)
    code = (
        "import sys, pathlib; from auditor.settings import load;"
        "print(load(pathlib.Path(sys.argv[1]), {}).config_hash())"
    )
    path = str(tmp_path / "auditor.toml")
    ran = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == settings.config_hash()


def test_a_setting_that_decides_what_is_asked_makes_another_run(tmp_path: Path) -> None:
    first = loaded(tmp_path, PARTNER)
    other = loaded(tmp_path, PARTNER + '[partner.limits]\ncatalog = 5\n[scope]\nproducts = ["A"]\n')

    expected = ("partner.contoso-eu.limits.catalog", "scope.products")
    assert difference(first.identity(), other.identity()) == expected
    assert difference(first.identity(), json.loads(json.dumps(other.identity()))) == expected
    assert first.config_hash() != other.config_hash()


def test_settings_of_storage_and_reporting_do_not_make_another_run(tmp_path: Path) -> None:
    first = loaded(tmp_path, PARTNER)
    other = loaded(
        tmp_path,
        'state_dir = "elsewhere"\n'
        + PARTNER.replace("env:CONTOSO_TOKEN", "file:token")
        + "[cache]\ncatalog = 1\n[run]\nresume_max_age_hours = 99\n"
        + '[notify]\non = []\n[network]\nproxy = "http://p:1"\n[metrics]\ntextfile = "m"\n'
        + '[[mute]]\nreason = "so"\n',
    )
    assert difference(first.identity(), other.identity()) == ()


def test_each_way_to_narrow_a_run_makes_another_run(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PARTNER)
    hashes = {
        settings.config_hash(narrow)
        for narrow in (
            Narrow(),
            Narrow(customers=("a",)),
            Narrow(countries=("DE",)),
            Narrow(partners=("contoso-eu",)),
        )
    }
    assert len(hashes) == 4
    assert settings.config_hash(
        Narrow(trigger="cron", resume="", wait_s=9.0, max_seconds=9)
    ) == settings.config_hash(Narrow())


def test_the_described_scope_is_plain_json(tmp_path: Path) -> None:
    settings = loaded(tmp_path, PARTNER)
    described = settings.describe_scope(Narrow(customers=("x",)))

    assert described["customers"] == "all"
    assert described["checks"] == ["inventory", "availability"]
    assert described["only_customers"] == ["x"]
    assert "only_customers" not in settings.describe_scope()
    assert json.loads(json.dumps(described)) == described
