"""`python -m auditor`, and the `auditor` command."""

import io
import os
import signal
import sys


class _NoPandas:
    """Hides pandas, which no command needs: pyarrow would load it to test for its types.

    That is 43 MB and a quarter of a second.
    """

    @staticmethod
    def find_spec(fullname: str, path: object = None, target: object = None) -> None:  # noqa: ARG004 - as Python calls it
        if fullname == "pandas":
            raise ModuleNotFoundError("not in a process of ours", name=fullname)


def run() -> None:
    """Run the command line and exit with its status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # before and after `main` nothing needs care: a signal ends the process, without a traceback
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # pyarrow's own allocators do not return freed memory: a tenth of a run's memory
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    sys.meta_path.insert(0, _NoPandas)
    from auditor.cli.shell import main  # noqa: PLC0415 - this may be interrupted

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a company's name is no reason to fail
    nowhere = io.StringIO()  # stands for a stream that was closed before the start
    status = main(
        sys.argv[1:], os.environ, sys.stdin or nowhere, sys.stdout or nowhere, sys.stderr or nowhere
    )
    sys.exit(status)


if __name__ == "__main__":
    run()
