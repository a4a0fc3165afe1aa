"""Takes the locks of a run, and waits for them if the user says so (`--wait`)."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from auditor.errors import Locked
from auditor.journal.runs import RunHeader, Runs
from auditor.progress import Progress
from auditor.run.runtime import Runtime

LOOK_EVERY_S = 1.0
"""How often a waiting run tries the locks again.

A call that blocks until a lock is free would end sooner, but a signal could not end it.
"""


async def hold(
    held: ExitStack,
    runs: Runs,
    tenants: Sequence[str],
    select: Callable[[], RunHeader],
    *,
    wait_s: float,
    until: float | None = None,
    runtime: Runtime,
    progress: Progress,
) -> RunHeader:
    """Take the locks of these partners and of the run that `select` chooses; return its header.

    All locks are taken together or none, so two waiting runs cannot block each other. They are
    freed when `held` is closed.

    Raises:
        Locked: another run still holds one of them after `wait_s`, or at the time `until`.
    """
    give_up_at = runtime.clock() + wait_s
    if until is not None:
        give_up_at = min(give_up_at, until)
    is_told = False
    while True:
        try:
            return held.enter_context(runs.locked(tenants, select))
        except Locked as locked:
            left_s = give_up_at - runtime.clock()
            if left_s <= 0:
                raise
            if not is_told:
                is_told = True
                progress.event("run.waiting", seconds=round(left_s), reason=locked.message)
        await runtime.sleep(min(left_s, LOOK_EVERY_S))
