"""What a command uses of its process."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TextIO

from auditor.cli.stopping import Stopper
from auditor.log import Events
from auditor.secret import Secret


class Console:
    """Streams, environment, log, clock, and the signals that stop the command."""

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
        """Hide a secret in every later log line."""
        self.events.hide([secret])
