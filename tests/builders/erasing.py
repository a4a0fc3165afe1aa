"""Fails or kills `snapshots forget` at each system call that changes a lake or a state folder."""

import shutil
import signal
from pathlib import Path

from auditor.store.folder.store import FolderStore
from tests.builders import comparing
from tests.builders.killing import Prepared, exit_problems
from tests.builders.run_processes import Ended
from tests.builders.syscalls import RECORDING, Point, recorded, traced
from tests.builders.traces import found_in_files


class Erasing:
    """A published night of which one customer is forgotten, again and again from a copy."""

    def __init__(self, case: Prepared, folder: Path) -> None:
        self._case = case
        self._ready = folder / "published"
        self.folder = case.fresh(folder / "erased")
        shutil.copytree(self.folder, self._ready)
        store = FolderStore.open(str(self.folder / "lake"))
        self.customer_id = min(
            set(store.arrow("inventory").column("customer_id").to_pylist()) - {""}
        )
        traces = store.traces(self.customer_id)
        self._needles = (traces.customer_id, *traces.names, *traces.subscriptions)
        self._words = ("snapshots", "forget", "--customer", traces.customer_id, "--apply")
        pid, ended = traced(case, self.folder, self._words, RECORDING)
        assert ended.status == 0, ended.err
        self.points: list[Point] = recorded(self.folder, pid)
        (self.folder / "strace").unlink()
        self._rows = comparing.comparable_rows(self.folder / "lake")
        assert self._problems() == []

    def _store(self) -> FolderStore:
        return FolderStore.open(str(self.folder / "lake"))

    def tried(self, point: Point, how: str) -> list[str]:
        """Fail (`error=EIO`) or kill (`signal=KILL`) at a point; return the problems.

        P42: every snapshot verifies, and a second call leaves what an undisturbed one leaves.
        """
        shutil.rmtree(self.folder)
        shutil.copytree(self._ready, self.folder)
        inject = f"inject={point.call}:{how}:when={point.nth}"
        options = ["-P", point.path, "-e", f"trace={point.call}", "-e", inject]
        _, ended = traced(self._case, self.folder, self._words, options)
        (self.folder / "strace").unlink()
        is_kill = how.startswith("signal")
        problems = exit_problems(ended, {0, -signal.SIGKILL} if is_kill else {0, 73, 74})
        problems += comparing.partials(self._store())
        if ended.status != 0:
            problems += exit_problems(self._again(), {0})
        wrong = self._problems()
        if not is_kill:  # a failed unlink leaves its file behind
            wrong = [problem for problem in wrong if not problem.startswith("left over")]
        where = f"{point.call} {point.nth} of {point.path.removeprefix(str(self.folder))}"
        return [f"{how} at {where} ({ended.status}): {each}" for each in (*problems, *wrong)]

    def _again(self) -> Ended:
        return self._case.launcher.run(self.folder, *self._words)

    def _problems(self) -> list[str]:
        lake, state = self.folder / "lake", self.folder / "state"
        rows = comparing.comparable_rows(lake)
        return [
            *(f"canary: {each}" for each in found_in_files(self._needles, lake, state)),
            *comparing.partials(self._store()),
            *comparing.differences(rows, self._rows),
            *comparing.left_over(self.folder),
        ]
