"""`auditor snapshots prune` and `forget`: what they remove from the store and from `state_dir`."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import timedelta

import pyarrow as pa

from auditor.cli import snapshot_commands
from auditor.cli.console import Console
from auditor.errors import SettingsError
from auditor.journal import erasure, retention
from auditor.journal.runs import Runs
from auditor.settings import Settings
from auditor.store import erasure as store_erasure
from auditor.store import open_store, removal
from auditor.store.erasure import Traces


def prune(
    command: snapshot_commands.SnapshotsPrune, settings: Settings, console: Console
) -> pa.Table:
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


def forget(
    command: snapshot_commands.SnapshotsForget, settings: Settings, console: Console
) -> pa.Table:
    """Return how much holds the customer, by kind, after it is erased with `--apply`.

    `state_dir` goes first: as long as the store knows the customer, a second try finds everything
    that the first one left, also by the customer's name.
    """
    store = open_store(settings.store)
    traces = store.traces(command.customer)
    _check_scope(settings, traces)
    with ExitStack() as held:
        if command.apply:
            tenants = [partner.tenant_id for partner in settings.partner]
            held.enter_context(Runs(settings.state_dir).standing_still(tenants))
        of_runs = _summed(
            [
                *erasure.forget(settings.state_dir, traces, apply=command.apply),
                *store_erasure.shared(store.shared_files(), traces, apply=command.apply),
            ]
        )
        table = pa.concat_tables([store.forget(traces, apply=command.apply), of_runs])
    if not table.num_rows:
        console.events.note(f"nothing of customer {traces.customer_id} was found")
    elif not command.apply:
        console.events.note(f"nothing of customer {traces.customer_id} is erased without --apply")
    else:
        console.events.note(f"customer {traces.customer_id} is erased")
    return table


def _check_scope(settings: Settings, traces: Traces) -> None:
    """Refuse while the configuration names a subscription of the customer.

    Every run would write it into the store again.
    """
    named = set(settings.scope.azure_subscriptions or ()) & set(traces.subscriptions)
    if named:
        raise SettingsError(
            f"scope.azure_subscriptions names a subscription of this customer: {min(named)}",
            hint="remove it from the configuration first",
        )


def _summed(rows: Iterable[Mapping[str, object]]) -> pa.Table:
    """Return one row for each kind."""
    found = store_erasure.table(rows).group_by("what", use_threads=False)
    sums = found.aggregate([(name, "sum") for name in ("files", "rows", "bytes")])
    return sums.rename_columns(store_erasure.ERASED.names).cast(store_erasure.ERASED)


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
