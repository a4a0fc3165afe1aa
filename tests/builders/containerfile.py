"""Reads jobs/container/Containerfile, and does its steps in a folder."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

PROJECT = Path(__file__).parents[2]
FILE = PROJECT / "jobs" / "container" / "Containerfile"


class Step(NamedTuple):
    """One instruction."""

    word: str
    rest: str


def steps() -> list[Step]:
    """Return the instructions in their order."""
    text = re.sub(r"\\\n", "", FILE.read_text("utf-8"))
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [Step(*line.split(maxsplit=1)) for line in lines]


def value(word: str) -> str:
    """Return what the only instruction of this word says."""
    [found] = [step.rest for step in steps() if step.word == word]
    return found


def environment() -> dict[str, str]:
    """Return the variables that the image sets."""
    return dict(pair.split("=", 1) for pair in value("ENV").split())


def entry_point() -> list[str]:
    """Return the command of the image."""
    found: list[str] = json.loads(value("ENTRYPOINT"))
    return found


def copy(root: Path, rest: str) -> None:
    """Do a COPY into a root folder. As in an image, a folder's content is copied."""
    *sources, target = rest.split()
    place = root / target.lstrip("/")
    place.mkdir(parents=True, exist_ok=True)
    for name in sources:
        if (PROJECT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(PROJECT / name, place, dirs_exist_ok=True, ignore=ignored)
        else:
            shutil.copy(PROJECT / name, place)


def build(root: Path, environ: Mapping[str, str]) -> None:
    """Do the steps of the file in a root folder that holds the base image's system."""
    for word, rest in steps():
        match word:
            case "RUN":
                command = ["chroot", str(root), "/bin/sh", "-ec", rest]
                subprocess.run(command, env=dict(environ), check=True)
            case "COPY":
                copy(root, rest)
            case _:
                pass
