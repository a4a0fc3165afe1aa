"""Each command has a function that performs it."""

from auditor.cli import catalog
from auditor.cli.perform import perform
from auditor.cli.shared_options import Command


def test_every_command_has_its_own_function() -> None:
    performed = set(perform.registry) - {object}
    assert performed == set(catalog.CLASSES.values())
    assert all(issubclass(command, Command) for command in performed)
