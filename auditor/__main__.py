"""`python -m auditor`, and the `auditor` command."""

import io
import os
import sys

from auditor.cli import main


def run() -> None:
    """Run the command line and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a company's name is no reason to fail
    nowhere = io.StringIO()  # stands for a stream that was closed before the start
    status = main(
        sys.argv[1:],
        os.environ,
        sys.stdin or nowhere,
        sys.stdout or nowhere,
        sys.stderr or nowhere,
    )
    sys.exit(status)


if __name__ == "__main__":
    run()
