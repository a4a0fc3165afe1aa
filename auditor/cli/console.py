"""What a command has of the world."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TextIO

from auditor.cli.stopping import Stopper
from auditor.log import Events
from auditor.secret import Secret


class Console:
    """Streams, environment, log lines, clock, and who stops the command."""

    def __init__(
        self,
        *,
        environ: Mapping[str, str],
        stdin: TextIO,
        stdout: TextIO,
        events: Events,
        stopper: Stopper,
        now: Callable[[], datetime],
    ) -> None:
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.events = events
        self.stopper = stopper
        self.now = now

    def hide(self, secret: Secret) -> None:
        """Leave a secret out of every line from now on."""
        self.events.hide([secret])
