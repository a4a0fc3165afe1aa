"""One prepared pair of nights, shared by all tests of a process: it takes seconds to make."""

import dataclasses
from collections.abc import Iterator

import pytest

from tests.builders.killing import SMALL, Prepared, prepared

FEW = dataclasses.replace(SMALL, customers=6)
"""Enough for changes at two partners; the soak has more customers, and its runs take longer."""


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A published first night and the golden second one."""
    with prepared(5, tmp_path_factory.mktemp("nights"), FEW) as made:
        yield made
