"""Read a secret from where the configuration says it is."""

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


def read_secret(reference: str, environ: Mapping[str, str], base_dir: Path) -> Secret:
    """Return the secret that a reference names, without the line end that editors add.

    Raises SettingsError; its message names the place, never what is there.
    """
    kind, _, place = reference.partition(":")
    match kind:
        case "env":
            name = f"environment variable {place}"
            return _checked(environ.get(place, ""), name, is_there=place in environ)
        case "file":
            return _read_file(base_dir / os.path.expanduser(place))  # noqa: PTH111 - an unknown ~ stays
        case "keyvault":
            raise SettingsError(
                f"{reference} is in Azure Key Vault, which needs the `azure` extra;"
                " this version does not have it",
                code=problems.VALUE,
                hint="use env:NAME or file:PATH, filled by what starts the auditor",
            )
        case _:
            raise SettingsError(
                "a secret must be named as env:NAME, file:PATH or keyvault:https://VAULT/NAME",
                code=problems.VALUE,
            )


def _read_file(path: Path) -> Secret:
    descriptor = _opened(path)
    try:
        found = os.fstat(descriptor)
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
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(_LARGEST + 1)
    finally:
        os.close(descriptor)
    if len(content) > _LARGEST:
        raise SettingsError(f"secret file {path} is larger than 1 MiB", code=problems.VALUE)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"secret file {path} is not UTF-8", code=problems.VALUE) from None
    text = text.removesuffix("\n").removesuffix("\r")
    return _checked(text, f"secret file {path}", is_there=True)


def _opened(path: Path) -> int:
    try:
        # Not blocking: opening a pipe that nobody writes to would wait for ever.
        return os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (OSError, ValueError) as exc:
        cause = (exc.strerror if isinstance(exc, OSError) else "") or "not a path"
        raise SettingsError(
            f"secret file {path} cannot be read: {cause}",
            code=problems.SECRET_MISSING,
            hint=_HINT,
        ) from None


def _is_open_to_others(found: os.stat_result, *, is_link: bool) -> bool:
    """Return whether more than the owner can read a file.

    Kubernetes mounts a secret as a link to a file of root that the pod's group may read.
    """
    if os.name == "nt":
        return False
    is_mounted = is_link and found.st_uid == 0 and not found.st_mode & stat.S_IWGRP
    return bool(found.st_mode & (_OTHERS if is_mounted else _OTHERS | _GROUP))


def _checked(text: str, place: str, *, is_there: bool) -> Secret:
    if not text.strip():
        raise SettingsError(
            f"{place} is {'empty' if is_there else 'not set'}",
            code=problems.SECRET_MISSING,
            hint=f"{place} must hold the secret when the auditor starts",
        )
    return Secret(text)
