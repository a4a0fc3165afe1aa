"""One prepared pair of nights for all the tests of a process: making it takes seconds."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.builders.killing import SMALL, Prepared, prepared

FEW = dataclasses.replace(SMALL, customers=6)
"""Enough for two partners with news; the soak has more, and a run of it takes longer."""


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A published first night and the golden second one."""
    with prepared(5, tmp_path_factory.mktemp("nights"), FEW) as made:
        yield made
