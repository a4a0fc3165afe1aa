"""What each command does: it reads the configuration, calls another part, writes the result.

Heavy parts are imported where they are used, so that `--help` and a wrong flag answer at once.
"""

import asyncio
import sys
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from functools import singledispatch
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from auditor.cli import commands, question_commands, run_command, snapshot_commands
from auditor.cli.console import Console
from auditor.cli.customers_file import read_customers
from auditor.cli.problems import write_failures
from auditor.cli.reading import write_rows, write_trust
from auditor.cli.shared_options import Command, Configured, Format, Narrowed
from auditor.errors import InputMissing, SettingsError, UsageError
from auditor.settings import Narrow, Settings, load, read_secret
from auditor.settings.secret_references import is_elsewhere

if TYPE_CHECKING:  # it loads Arrow, which most commands never need
    from auditor.store.interface import Store


@singledispatch
def perform(command: Command, console: Console) -> int:
    """Perform a command and return the exit status. Each class has its function below."""
    raise NotImplementedError(type(command).__name__)  # a command class without a function below


@perform.register
def _demo(command: commands.Demo, console: Console) -> int:
    from auditor.cli.demo import demo, invocation  # noqa: PLC0415 - heavy

    command_line = invocation(sys.argv[0], Path.cwd(), sys.executable)
    work = demo(
        command.out,
        command.seed,
        stdout=console.stdout,
        events=console.events,
        now=console.now,
        command=command_line,
    )
    console.stopper.wait(work)
    return 0


@perform.register
def _sandbox(command: commands.Sandbox, console: Console) -> int:
    return console.stopper.wait(_serve(command, console))


async def _serve(command: commands.Sandbox, console: Console) -> int:
    from auditor.sandbox import Faults, Sandbox, World, WorldSize  # noqa: PLC0415 - heavy

    faults = Faults()
    if command.faults is not None:
        try:
            faults = Faults.load(command.faults)
        except OSError as exc:
            raise InputMissing(f"{command.faults} cannot be read: {exc.strerror}") from None
        except ValueError as exc:
            raise UsageError(f"--faults: {exc}") from None
    size = WorldSize() if command.customers is None else WorldSize(customers=command.customers)
    async with AsyncExitStack() as stack:
        world = World(command.seed, size)
        world.night = command.night
        sandbox = Sandbox(world, command.port, faults=faults)
        try:
            await stack.enter_async_context(sandbox)
        except OSError as exc:
            raise UsageError(
                f"--port {command.port} cannot be opened: {exc.strerror}",
                hint="--port 0 takes a free port",
            ) from None
        console.stdout.write(f"{sandbox.base_url}\n")
        console.stdout.flush()
        console.events.note(f"a ready configuration: {sandbox.base_url}/_sandbox/config")
        await asyncio.get_running_loop().create_future()  # until a signal cancels it
    return 0


@perform.register
def _init(command: commands.Init, console: Console) -> int:
    from auditor.settings.template import write_template  # noqa: PLC0415 - only this command needs it

    path = command.config or Path("auditor.toml")
    write_template(path)
    console.events.note(f"wrote {path}: fill in the [[partner]], then run `auditor doctor`")
    return 0


@perform.register
def _doctor(command: commands.Doctor, console: Console) -> int:
    settings = load(command.config, console.environ)
    from auditor import doctor  # noqa: PLC0415 - heavy

    found = console.stopper.wait(doctor.examine(settings, console.environ, hide=console.hide))
    if command.format is Format.TABLE:
        doctor.write_findings(found, console.stdout)
    else:
        write_rows(doctor.as_rows(found), command.format, console)
    return doctor.exit_status(found)


@perform.register
def _plan(command: commands.Plan, console: Console) -> int:
    narrow = _narrow(command, console)
    settings = _settings(command, console, narrow)
    from auditor.run import night_time  # noqa: PLC0415 - heavy
    from auditor.run.forecast import FOOTNOTE  # noqa: PLC0415 - likewise
    from auditor.run.forecast_run import forecast_run  # noqa: PLC0415 - likewise
    from auditor.run.result import INCOMPLETE  # noqa: PLC0415 - heavy
    from auditor.run.runtime import Runtime  # noqa: PLC0415 - likewise

    runtime = Runtime(environ=console.environ, now=console.now, hide=console.hide)
    forecast = console.stopper.wait(forecast_run(settings, narrow, runtime=runtime))
    for line in (*forecast.unknown, *(forecast.explanation if command.explain else ())):
        console.events.note(line)
    is_table = command.format is Format.TABLE
    write_rows(forecast.table(with_totals=is_table), command.format, console)
    times = night_time.sentences(forecast.times)
    if is_table:
        console.stdout.writelines(f"{line}\n" for line in ("", FOOTNOTE, *times))
    else:
        for line in times:
            console.events.note(line)
    write_failures(console.events, forecast.failures)
    return INCOMPLETE if forecast.failures else 0


@perform.register
def _run(command: commands.Run, console: Console) -> int:
    narrow = _narrow(command, console)
    if narrow.part is not None and (not narrow.run or narrow.customers):
        raise UsageError(
            f"--part {narrow.part} needs --run ID, and no --customer",
            hint="give all parts of a run the same id: --part 1/4 --run nightly-2026-12-01",
        )
    settings = _settings(command, console, narrow)
    return run_command.run(command, narrow, settings, console)


@perform.register
def _publish(command: commands.Publish, console: Console) -> int:
    from auditor.run.parts.folder import begun  # noqa: PLC0415 - heavy
    from auditor.store import open_store  # noqa: PLC0415 - likewise

    settings = _settings(command, console)
    narrow = begun(open_store(settings.store).shared_files(), command.run, settings)
    wait_s = command.wait.total_seconds()
    narrow = msgspec.structs.replace(narrow, wait_s=wait_s, trigger=command.trigger)
    settings = _settings(command, console, narrow)
    return run_command.run(command, narrow, settings, console)


@perform.register
def _status(command: commands.Status, console: Console) -> int:
    settings = _settings(command, console)
    from auditor.report import terminal, trust  # noqa: PLC0415 - heavy
    from auditor.run.result import INCOMPLETE  # noqa: PLC0415 - likewise
    from auditor.store import open_store  # noqa: PLC0415 - likewise

    found = trust.of_partners(
        open_store(settings.store),
        [partner.name for partner in settings.partner],
        now=console.now(),
        max_age=command.max_age,
        with_shares=True,
    )
    if command.format is Format.TABLE:
        terminal.write_status(found, console.stdout)
    else:
        write_rows(trust.table(found), command.format, console)
    return 0 if all(each.is_known for each in found) else INCOMPLETE


@perform.register
def _changes(command: commands.Changes, console: Console) -> int:
    store = _store(command, console)
    from auditor.report import change_table, formats, output  # noqa: PLC0415 - heavy

    if command.out == output.STDOUT and console.stdout.isatty():
        raise UsageError(
            "--out -: a terminal cannot show an Excel file",
            hint="redirect it: --out - > changes.xlsx",
        )
    read = store.causes if command.by_cause else store.changes
    since = command.since
    table = read(
        snapshot=command.snapshot,
        between=command.between,
        since=console.now() - since if isinstance(since, timedelta) else since,
        kinds=tuple(kind.value for kind in command.kinds),
        customer=command.customer,
        partner=command.partner,
        country=command.country,
        region=command.region,
        sku=command.sku,
        subscription=command.subscription,
    )
    if not table.num_rows:
        console.events.note("no change; the first snapshot of a partner is the baseline")
    if command.out is None:
        if command.format is Format.TABLE:
            shown = change_table.of_causes if command.by_cause else change_table.of_changes
            table = shown(table)
        write_rows(table, command.format, console)
    else:
        output.save(formats.workbook(table), command.out, console.stdout)
        console.events.note(f"wrote {command.out}: {table.num_rows} row(s)")
    write_trust(store, console, command.format, command.customer)
    return 0


@perform.register
def _snapshots_list(command: snapshot_commands.SnapshotsList, console: Console) -> int:
    from auditor.report import snapshot_list  # noqa: PLC0415 - heavy
    from auditor.store import open_store  # noqa: PLC0415 - likewise

    settings = _settings(command, console)
    store = open_store(settings.store)
    if command.format is Format.TABLE:
        snapshot_list.write(store, settings.run.time_zone, console.stdout)
    else:
        write_rows(store.snapshots().sort_by([("sequence", "descending")]), command.format, console)
    write_trust(store, console, command.format)
    return 0


@perform.register
def _snapshots_show(command: snapshot_commands.SnapshotsShow, console: Console) -> int:
    from auditor.journal import quarantine  # noqa: PLC0415 - heavy
    from auditor.journal.runs import Runs  # noqa: PLC0415 - likewise
    from auditor.store import open_store  # noqa: PLC0415 - likewise

    settings = _settings(command, console)
    store = open_store(settings.store)
    if not command.quarantine:
        snapshot_id = store.snapshot_id(command.snapshot)
        return write_rows(store.arrow("snapshot", snapshot_id=snapshot_id), command.format, console)
    row = store.snapshot(command.snapshot)
    table = quarantine.table(
        Runs(settings.state_dir).folder(row["run_id"]),
        row["partner_tenant_id"],
        row["partner_name"],
        with_bodies=command.format is Format.JSON,
    )
    return write_rows(table, command.format, console)


@perform.register
def _snapshots_verify(command: snapshot_commands.SnapshotsVerify, console: Console) -> int:
    faults = _store(command, console).verify(command.snapshot)
    if faults:
        raise ExceptionGroup(f"snapshot {command.snapshot} differs from what was published", faults)
    console.events.note(f"snapshot {command.snapshot} is unchanged since it was published")
    return 0


@perform.register
def _snapshots_prune(command: snapshot_commands.SnapshotsPrune, console: Console) -> int:
    settings = _settings(command, console)
    from auditor.cli import retention_commands  # noqa: PLC0415 - heavy

    return write_rows(retention_commands.prune(command, settings, console), command.format, console)


@perform.register
def _snapshots_forget(command: snapshot_commands.SnapshotsForget, console: Console) -> int:
    settings = _settings(command, console)
    from auditor.cli import retention_commands  # noqa: PLC0415 - heavy

    return write_rows(
        retention_commands.forget(command, settings, console), command.format, console
    )


@perform.register
def _snapshots_export(command: snapshot_commands.SnapshotsExport, console: Console) -> int:
    store = _store(command, console)
    from auditor.store.delta.export import export  # noqa: PLC0415 - heavy

    return write_rows(export(store, command.to_delta), command.format, console)


@perform.register
def _sql(command: commands.Sql, console: Console) -> int:
    query = console.stdin.read() if command.query == "-" else command.query
    store = _store(command, console)
    write_rows(store.sql(query), command.format, console)
    write_trust(store, console)
    return 0


@perform.register
def _db_upgrade(command: commands.DbUpgrade, console: Console) -> int:
    from auditor.store.postgres import schema  # noqa: PLC0415 - heavy
    from auditor.store.postgres.connection import Database  # noqa: PLC0415 - likewise

    settings = _settings(command, console)
    if not settings.store.startswith("postgresql"):
        raise UsageError(
            f"db upgrade: the store {settings.shown_store()} is not a database",
            hint="only a database has a schema to upgrade; it is named postgresql://…",
        )
    applied = schema.upgrade(Database(settings.store))
    for name in applied:
        console.events.note(f"applied {name}")
    console.events.note(f"{settings.shown_store()} has schema {schema.NEWEST}")
    return 0


@perform.register
def _report(command: commands.Report, console: Console) -> int:
    store = _store(command, console)
    from auditor.report import html, output  # noqa: PLC0415 - heavy

    page = html.report(store, command.snapshot, mask=command.mask)
    if command.out is None or command.out == output.STDOUT:
        console.stdout.write(page)
        return 0
    output.save(page.encode(), command.out, console.stdout)
    console.events.note(f"wrote {command.out}")
    return 0


def _question(command: question_commands.Question, console: Console) -> int:
    store = _store(command, console)
    from auditor.cli import question_answers  # noqa: PLC0415 - heavy

    return question_answers.write_answer(command, store, console)


for _kind in question_commands.QUESTIONS:
    perform.register(_kind, _question)


def _narrow(command: Narrowed, console: Console) -> Narrow:
    """Return the part of the portfolio that is asked, with the customers of `--customers-from`."""
    listed = [read_customers(path, console.stdin) for path in command.customers_from]
    customers = dict.fromkeys(chain(command.customers, *listed))
    return msgspec.structs.replace(command.narrow, customers=tuple(customers))


def _settings(command: Configured, console: Console, narrow: Narrow | None = None) -> Settings:
    """Return the configuration, after its warnings are written.

    `narrow` is given where Partner Center is called: its secrets are then kept out of the log.
    """
    settings = load(command.config, console.environ, asking=narrow)
    if narrow is not None:
        for _, reference in settings.secret_references(narrow.partners):
            if not is_elsewhere(reference):
                with suppress(SettingsError):  # the partner's part of the run says what is wrong
                    console.hide(read_secret(reference, console.environ, settings.folder))
    for code, message, hint in settings.warnings:
        console.events.warning(code, message, hint)
    return settings


def _store(command: Configured, console: Console) -> "Store":
    from auditor.store import open_store  # noqa: PLC0415 - heavy

    return open_store(_settings(command, console).store)
