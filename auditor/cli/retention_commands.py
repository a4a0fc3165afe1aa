"""`auditor snapshots prune`: removes what is old, in the store and in `state_dir`."""

from collections import defaultdict
from datetime import timedelta

import pyarrow as pa

from auditor.cli import commands
from auditor.cli.console import Console
from auditor.journal import retention
from auditor.settings import Settings
from auditor.store import open_store, removal


def prune(command: commands.SnapshotsPrune, settings: Settings, console: Console) -> pa.Table:
    """Return one row for each thing that is removed, or would be; say on stderr how much of each.

    The files of runs go first, and before the store is opened for writing: they are the part that
    shows what customers bought.
    """
    keep, now, apply = timedelta(days=command.keep_days), console.now(), command.apply
    store = open_store(settings.store)
    of_runs = retention.prune(
        settings.state_dir,
        keep,
        now,
        resume_max_age_hours=settings.run.resume_max_age_hours,
        apply=apply,
    )
    table = removal.pruned(of_runs)
    table = pa.concat_tables([store.prune(keep, now, apply=apply), table])
    for line in _counts(table):
        console.events.note(line)
    if not apply and table.num_rows:
        console.events.note("nothing is deleted without --apply")
    return table


def _counts(table: pa.Table) -> list[str]:
    """Return one line for each kind: how many, and how large."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for row in table.to_pylist():
        of_kind = counts[row["what"]]
        of_kind[0] += 1
        of_kind[1] += row["rows"] or 0
        of_kind[2] += row["bytes"] or 0
    return [
        f"{what}: {count}"
        + (f", {rows:,} rows" if rows else "")
        + (f", {size:,} bytes" if size else "")
        for what, (count, rows, size) in counts.items()
    ]
