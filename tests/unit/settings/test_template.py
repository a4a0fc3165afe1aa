"""The file that `auditor init` writes explains every key and contains no unknown one."""

import re
import tomllib
from pathlib import Path

import pytest

from auditor.errors import SettingsError, StoreUnwritable
from auditor.settings import Settings, load
from auditor.settings.decode import tables
from auditor.settings.template import template, write_template

FILLED = (
    template()
    .replace("YOUR PARTNER TENANT ID", "aaaaaaaa-0000-4000-8000-000000000001")
    .replace("YOUR APP REGISTRATION'S CLIENT ID", "bbbbbbbb-0000-4000-8000-000000000001")
)


def uncommented(text: str) -> str:
    """Return the template with its commented-out keys turned into keys."""
    return re.sub(r"^# (?=\[|[a-z_]+ = )", "", text, flags=re.MULTILINE)


def test_the_filled_in_template_loads_and_holds_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text(FILLED, encoding="utf-8")
    settings = load(path, {})

    (tmp_path / "empty.toml").write_text("", encoding="utf-8")
    empty = load(tmp_path / "empty.toml", {})
    for field in Settings.__struct_fields__:
        if field != "partner":
            assert getattr(settings, field) == getattr(empty, field), field
    assert settings.partner[0].limits == type(settings.partner[0].limits)()


def test_a_template_that_is_not_filled_in_is_refused(tmp_path: Path) -> None:
    write_template(tmp_path / "auditor.toml")
    with pytest.raises(SettingsError) as caught:
        load(tmp_path / "auditor.toml", {})
    assert {code for code, _, _ in caught.value.problems} == {"E_GUID"}


def test_the_template_contains_every_known_key_and_no_other() -> None:
    shown = tomllib.loads(uncommented(template()))

    def keys(table: dict[str, object], path: tuple[str, ...]) -> set[tuple[str, ...]]:
        found = set()
        for key, value in table.items():
            found.add((*path, key))
            inner = value[0] if isinstance(value, list) and value else value
            if isinstance(inner, dict) and key != "resource_types":
                found |= keys(inner, (*path, key))
        return found

    known = {(*path, key) for path, fields in tables().items() for key in fields}
    assert keys(shown, ()) == known


def test_every_key_has_a_comment() -> None:
    explained = {"billing_country", "reseller", "customer", "sku", "region", "reason", "until",
                 "partner", "on", "target_views", "segments", "checks", "state_dir"}  # fmt: skip
    for line in template().splitlines():
        key = re.match(r"(?:# )?([a-z_]+) = ", line)
        if key and key[1] not in explained and "urls" not in key[1]:
            assert re.search(r"\s# \S", line[2:]), line


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "auditor.toml"
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(StoreUnwritable) as caught:
        write_template(path)
    assert caught.value.exit_status == 73
    assert path.read_text(encoding="utf-8") == "mine"


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """S12."""
    (tmp_path / "auditor.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreUnwritable):
        write_template(tmp_path / "auditor.toml")
    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(StoreUnwritable, match="cannot be created"):
        write_template(tmp_path / "no" / "auditor.toml")
