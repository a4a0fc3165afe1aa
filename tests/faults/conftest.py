"""One prepared pair of nights for all the tests of a process: making it takes seconds."""

from collections.abc import Iterator

import pytest
from killing import Prepared, prepared


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepared]:
    """A published first night and the golden second one."""
    with prepared(5, tmp_path_factory.mktemp("nights")) as made:
        yield made
