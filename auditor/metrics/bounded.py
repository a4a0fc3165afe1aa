"""Work that may hang, such as sending to a monitoring server, for at most some seconds."""

import threading
from collections.abc import Callable


def within(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` in a thread, and raise what it raises.

    Raises:
        TimeoutError: it takes longer. Its thread goes on, but does not keep the process alive.
    """
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            work()
        except Exception as failure:  # noqa: BLE001 - raised below, in the caller's thread
            failures.append(failure)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise TimeoutError(f"no end within {seconds:g} seconds")
    if failures:
        raise failures[0]
