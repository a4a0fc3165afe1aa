"""One prepared pair of nights, shared by all tests of a process: making it takes seconds."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.builders.killing import SMALL, Prepared, prepared

FEW = dataclasses.replace(SMALL, customers=6)
"""Enough customers for changes at two partners; the soak has more, and its runs take longer."""


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """Return a published first night and the golden second one."""
    with prepared(5, tmp_path_factory.mktemp("nights"), FEW) as made:
        yield made
