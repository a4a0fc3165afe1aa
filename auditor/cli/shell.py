"""The command line's `main`: parse, perform, report errors in two lines, return the status."""

import itertools
import os
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from auditor.cli.commands import Parsed, Text
from auditor.cli.parse import parse
from auditor.cli.problems import problems_of
from auditor.cli.shared_options import Command
from auditor.cli.stopping import Stopped, Stopper, exit_status_of
from auditor.log import Events, LogFormat
from auditor.version import __version__

_UMASK = 0o077


def main(
    argv: Sequence[str], environ: Mapping[str, str], stdin: TextIO, stdout: TextIO, stderr: TextIO
) -> int:
    """Perform a command and return the exit status (docs/contract.md). Never raises."""
    shell = _Shell(argv, environ, stdin, stdout, stderr)
    umask = os.umask(_UMASK)
    try:
        with Stopper() as stopper:
            return shell.flushed(shell.perform(stopper))
    except (Stopped, KeyboardInterrupt) as exc:  # a signal came while the last lines were written
        return exit_status_of(exc)
    finally:
        os.umask(umask)


class _Shell:
    def __init__(
        self,
        argv: Sequence[str],
        environ: Mapping[str, str],
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
    ) -> None:
        self.argv = argv
        self.environ = environ
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.is_debug = False
        # The log format of a usage error: the words are not parsed yet.
        pairs = itertools.pairwise(argv)
        is_json = "--log-format=json" in argv or ("--log-format", "json") in pairs
        self.events = self._events(LogFormat.JSON if is_json else LogFormat.CONSOLE)

    def perform(self, stopper: Stopper) -> int:
        """Parse and perform the command; report every error."""
        try:
            command = parse(self.argv, __version__)
            if isinstance(command, Command):
                self.is_debug = command.debug
                self.events = self._events(command.log_format, is_quiet=command.quiet)
            return self._perform(command, stopper)
        except BrokenPipeError:  # the reader is gone: `| head`
            return 0
        except (Stopped, KeyboardInterrupt) as exc:
            hint = "`auditor run --resume` continues it" if "run" in self.argv[:1] else ""
            self.events.error("E_STOPPED", f"stopped by {exc or 'SIGINT'}", hint)
            return exit_status_of(exc)
        except Exception as exc:  # noqa: BLE001 - no traceback reaches the user
            self.report(exc)
            return exit_status_of(exc)

    def _perform(self, command: Parsed, stopper: Stopper) -> int:
        if isinstance(command, Text):
            self.stdout.write(command.text)
            return 0
        from auditor.cli.console import Console  # noqa: PLC0415 - help does not need it
        from auditor.cli.perform import perform  # noqa: PLC0415 - likewise

        console = Console(
            environ=self.environ,
            stdin=self.stdin,
            stdout=self.stdout,
            events=self.events,
            stopper=stopper,
            now=_now,
        )
        return perform(command, console)

    def flushed(self, status: int) -> int:
        """Flush stdout and return the exit status; that of the error if flushing fails."""
        try:
            self.stdout.flush()
        except BrokenPipeError:
            self._drop_stdout()
        except OSError as exc:
            self._drop_stdout()
            self.report(exc)
            return exit_status_of(exc)
        return status

    def report(self, error: Exception) -> None:
        """Write an error: a line and a hint for each problem in it."""
        trace = "".join(traceback.format_exception(error)) if self.is_debug else ""
        for code, message, hint in problems_of(error):
            self.events.error(code, message, hint, trace)
            trace = ""

    def _events(self, log_format: LogFormat, *, is_quiet: bool = False) -> Events:
        return Events(self.stderr, log_format, is_quiet=is_quiet, now=_now)

    def _drop_stdout(self) -> None:
        """Point stdout at /dev/null, or the interpreter's flush at exit would report an error."""
        try:
            descriptor = self.stdout.fileno()
        except (OSError, ValueError):  # not a file
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, descriptor)
        os.close(nowhere)


def _now() -> datetime:
    return datetime.now(UTC)
