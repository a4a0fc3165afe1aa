"""A secret is read from where the configuration says, unless other users can read it there."""

import os
import sys
from pathlib import Path

import pytest

from auditor.errors import SettingsError
from auditor.settings import read_secret
from auditor.settings.secret_references import _is_open_to_others, check_extra, read_federated

SECRET = "s3cret-of-contoso"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_is_not_part_of_the_secret(file: Path, end: str) -> None:
    file.write_bytes((SECRET + end).encode())
    assert read_secret("file:secret", {}, file.parent).reveal() == SECRET
    assert read_secret(f"file:{file}", {}, Path("/")).reveal() == SECRET


def test_other_white_space_is_part_of_the_secret(file: Path) -> None:
    file.write_bytes(b" a\n\n")
    assert read_secret("file:secret", {}, file.parent).reveal() == " a\n"


def test_a_secret_is_read_from_a_variable_and_never_shown() -> None:
    secret = read_secret("env:S", {"S": SECRET}, Path())
    assert secret.reveal() == SECRET
    assert SECRET not in f"{secret} {secret!r}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610, 0o601])
def test_a_file_that_others_can_read_is_refused(file: Path, mode: int) -> None:
    """S12 and E_SECRET_MODE."""
    file.chmod(mode)
    with pytest.raises(SettingsError) as caught:
        read_secret("file:secret", {}, file.parent)
    assert caught.value.error_code == "E_SECRET_MODE"
    assert f"{mode:04o}" in caught.value.message
    assert "chmod 0600" in caught.value.hint


def status(mode: int, uid: int) -> os.stat_result:
    return os.stat_result((mode, 0, 0, 1, uid, 0, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("mode", "uid", "is_link", "is_open"),
    [
        (0o100440, 0, True, False),
        (0o100640, 0, True, False),
        (0o100440, 0, False, True),
        (0o100440, 1000, True, True),
        (0o100660, 0, True, True),
        (0o100444, 0, True, True),
        (0o100600, 1000, False, False),
        (0o100400, 1000, True, False),
    ],
)
def test_a_mounted_secret_is_accepted(mode: int, uid: int, is_link: bool, is_open: bool) -> None:
    """Kubernetes mounts a secret as a link to a file of root that the pod's group may read."""
    assert _is_open_to_others(status(mode, uid), is_link=is_link) is is_open


def test_a_link_to_a_private_file_is_followed(file: Path) -> None:
    (file.parent / "link").symlink_to(file)
    assert read_secret("file:link", {}, file.parent).reveal() == SECRET


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"])
def test_an_empty_file_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_secret("file:secret", {}, file.parent)
    assert caught.value.error_code == "E_SECRET_MISSING"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * ((1 << 20) + 1)])
def test_a_file_that_is_not_text_or_too_large_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read_secret("file:secret", {}, file.parent)
    assert caught.value.error_code == "E_CONFIG_VALUE"


def test_a_pipe_or_a_folder_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(SettingsError, match="is not a file"):
        read_secret("file:pipe", {}, tmp_path)
    with pytest.raises(SettingsError, match="not a file"):
        read_secret("file:.", {}, tmp_path)


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600])
def test_a_credential_of_systemd_is_read_whatever_its_mode(file: Path, mode: int) -> None:
    """A service with a user of its own gets a file of root with an ACL: mode 0440."""
    file.chmod(mode)
    environ = {"CREDENTIALS_DIRECTORY": str(file.parent)}
    assert read_secret("credential:secret", environ, Path("/")).reveal() == SECRET


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "CREDENTIALS_DIRECTORY is not set"),
        ({"CREDENTIALS_DIRECTORY": ""}, "CREDENTIALS_DIRECTORY is not set"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "/nowhere/contoso cannot be read"),
    ],
)
def test_a_missing_credential_names_what_the_unit_needs(
    environ: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read_secret("credential:contoso", environ, Path("/"))
    assert (caught.value.exit_status, caught.value.error_code) == (78, "E_SECRET_MISSING")
    assert message in caught.value.message
    assert "LoadCredential=contoso:" in caught.value.hint


def test_a_vault_needs_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    reference = "keyvault:https://vault.example/name"
    check_extra(reference)  # the test environment has the extra

    for name in ("azure", "azure.identity"):
        monkeypatch.setitem(sys.modules, name, None)
    check_extra("env:NAME")
    with pytest.raises(SettingsError, match="needs the `azure` extra") as caught:
        check_extra(reference)
    assert caught.value.hint == "pip install 'csp-sku-auditor[azure]'"


def test_a_federated_token_is_read_from_the_file_the_platform_names(file: Path) -> None:
    file.chmod(0o644)
    name = "AZURE_FEDERATED_TOKEN_FILE"
    assert read_federated({name: str(file)}).reveal() == SECRET
    for environ in ({}, {name: ""}, {name: str(file.parent / "no")}):
        with pytest.raises(SettingsError) as caught:
            read_federated(environ)
        assert caught.value.error_code == "E_SECRET_MISSING"


def test_a_reference_of_unknown_kind_is_refused_without_being_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        read_secret(SECRET, {}, Path())
    assert SECRET not in caught.value.message
