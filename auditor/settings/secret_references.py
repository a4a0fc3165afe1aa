"""Reads a secret from the place that the configuration names."""

import importlib.util
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from auditor.errors import SettingsError
from auditor.secret import Secret
from auditor.settings import problems

_LARGEST = 1 << 20
_HINT = "it must be a file that the auditor's user can read, with mode 0600"
_OTHERS = stat.S_IRWXO
_GROUP = stat.S_IRWXG
_CREDENTIALS = "CREDENTIALS_DIRECTORY"
FEDERATED_TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 - Azure's name of a variable


def read_secret(reference: str, environ: Mapping[str, str], base_dir: Path) -> Secret:
    """Return the secret that a reference names, without the line end that editors add.

    Reads `env:`, `file:` and `credential:`, which are on this machine. Raises SettingsError; its
    message names the place, never the content.
    """
    kind, _, place = reference.partition(":")
    match kind:
        case "env":
            name = f"environment variable {place}"
            return checked(environ.get(place, ""), name, is_there=place in environ)
        case "file":
            path = path_of(reference, base_dir)
            handle = opened(path)
            try:
                return read_opened(handle, path)
            finally:
                os.close(handle)
        case "credential":
            return _credential(place, environ)
        case _:
            raise SettingsError(
                "a secret must be named as env:NAME, file:PATH, credential:NAME"
                " or keyvault:https://VAULT/NAME",
                code=problems.VALUE,
            )


def is_elsewhere(reference: str) -> bool:
    """Return whether a secret is on another machine, so that reading it needs a call."""
    return reference.startswith("keyvault:")


def check_extra(reference: str) -> None:
    """Raise SettingsError if a secret is in a vault and the `azure` extra is not installed."""
    try:
        is_installed = importlib.util.find_spec("azure.identity") is not None
    except ModuleNotFoundError:
        is_installed = False
    if is_elsewhere(reference) and not is_installed:
        raise SettingsError(
            f"{reference} is in Azure Key Vault, which needs the `azure` extra",
            code=problems.VALUE,
            hint="pip install 'csp-sku-auditor[azure]'",
        )


def path_of(reference: str, base_dir: Path) -> Path:
    """Return the file that a `file:` reference names."""
    place = reference.removeprefix("file:")
    return base_dir / os.path.expanduser(place)  # noqa: PTH111 - an unknown ~ stays


def read_opened(handle: int, path: Path) -> Secret:
    """Return the secret in an open file; raise SettingsError if other users can read it."""
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise SettingsError(
            f"secret file {path} is not a file", code=problems.SECRET_MISSING, hint=_HINT
        )
    if _is_open_to_others(found, is_link=path.is_symlink()):
        raise SettingsError(
            f"secret file {path} has mode {stat.S_IMODE(found.st_mode):04o}: too open",
            code=problems.SECRET_MODE,
            hint=f"chmod 0600 {path}",
        )
    return _content(handle, path)


def read_federated(environ: Mapping[str, str]) -> Secret:
    """Return the current token that the platform wrote for this workload.

    The platform decides the file's mode, so the mode is not checked.
    """
    name = FEDERATED_TOKEN_FILE
    place = checked(environ.get(name, ""), f"environment variable {name}", is_there=name in environ)
    return _unchecked(Path(place.reveal()), _HINT)


def _credential(name: str, environ: Mapping[str, str]) -> Secret:
    """Return a credential that systemd passed to this service (docs/decisions/0021).

    systemd decides the file's mode, which can be 0440 with an ACL, so the mode is not checked.
    """
    hint = f"start the auditor as a systemd service whose unit has LoadCredential={name}:PATH"
    folder = environ.get(_CREDENTIALS, "")
    if not folder:
        raise SettingsError(
            f"credential {name} cannot be read: environment variable {_CREDENTIALS} is not set",
            code=problems.SECRET_MISSING,
            hint=hint,
        )
    return _unchecked(Path(folder) / name, hint)


def _unchecked(path: Path, hint: str) -> Secret:
    """Return the secret in a file whatever its mode is."""
    handle = opened(path, hint)
    try:
        return _content(handle, path)
    finally:
        os.close(handle)


def _content(handle: int, path: Path) -> Secret:
    with os.fdopen(handle, "rb", closefd=False) as file:
        try:
            content = file.read(_LARGEST + 1)
        except OSError as exc:
            raise _unreadable(path, exc.strerror) from None
    if len(content) > _LARGEST:
        raise SettingsError(f"secret file {path} is larger than 1 MiB", code=problems.VALUE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"secret file {path} is not UTF-8", code=problems.VALUE) from None
    text = text.removesuffix("\n").removesuffix("\r")
    return checked(text, f"secret file {path}", is_there=True)


def opened(path: Path, hint: str = _HINT) -> int:
    """Open a secret's file; `hint` tells the user what to do if it cannot be opened."""
    try:
        # Non-blocking: opening a pipe without a writer would wait for ever.
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as exc:
        cause = exc.strerror if isinstance(exc, OSError) else ""
        raise _unreadable(path, cause, hint) from None


def _unreadable(path: Path, cause: str | None, hint: str = _HINT) -> SettingsError:
    return SettingsError(
        f"secret file {path} cannot be read: {cause or 'not a path'}",
        code=problems.SECRET_MISSING,
        hint=hint,
    )


def _is_open_to_others(found: os.stat_result, *, is_link: bool) -> bool:
    """Return whether users other than the owner can read a file.

    Kubernetes mounts a secret as a link to a file of root that the pod's group can read; that is
    allowed.
    """
    if os.name == "nt":
        return False
    is_mounted = is_link and found.st_uid == 0 and not found.st_mode & stat.S_IWGRP
    return bool(found.st_mode & (_OTHERS if is_mounted else _OTHERS | _GROUP))


def checked(text: str, place: str, *, is_there: bool) -> Secret:
    """Return text as a secret; raise SettingsError if it is blank."""
    if not text.strip():
        raise SettingsError(
            f"{place} is {'empty' if is_there else 'not set'}",
            code=problems.SECRET_MISSING,
            hint=f"{place} must hold the secret when the auditor starts",
        )
    return Secret(text)
