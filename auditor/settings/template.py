"""Writes a configuration to start from."""

import os
from importlib import resources
from pathlib import Path

from auditor.errors import StoreUnwritable

MODE = 0o600


def write_template(path: Path) -> None:
    """Write the commented `auditor.toml`; an existing file is never changed."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, MODE)
    except FileExistsError:
        raise StoreUnwritable(
            f"{path} is already there", hint="choose another name with --config, or remove it"
        ) from None
    except OSError as exc:
        raise StoreUnwritable(
            f"{path} cannot be created: {exc.strerror}", hint="make its folder first"
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
        file.write(template())


def template() -> str:
    """Return the template: every key with its default and its meaning."""
    return resources.files("auditor.settings").joinpath("template.toml").read_text("utf-8")
