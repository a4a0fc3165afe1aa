"""How the answer to each question is written."""

from functools import singledispatch

import pyarrow as pa

from auditor.cli import question_commands
from auditor.cli.console import Console
from auditor.cli.reading import write_rows, write_trust
from auditor.cli.shared_options import Format
from auditor.errors import UsageError
from auditor.questions import affected, alternatives, customer_page, renewals, timeline
from auditor.questions.skus import AskedSku
from auditor.report import customer_page as page
from auditor.report import formats, instead, listings, output
from auditor.report import timeline as drawing
from auditor.report.listings import Listing
from auditor.store.interface import Store

_Listed = question_commands.Affected | question_commands.Renewals | question_commands.Alternatives
"""A question whose answer has many rows."""


@singledispatch
def write_answer(command: question_commands.Question, store: Store, console: Console) -> int:
    """Write the answer and return the exit status. Each question has its function below."""
    raise NotImplementedError(type(command).__name__)  # a question without a function below


@write_answer.register
def _show(command: question_commands.Show, store: Store, console: Console) -> int:
    found = customer_page.customer_page(store, command.customer, console.now())
    match command.format:
        case Format.TABLE:
            page.write_terminal(found, console.stdout)
        case Format.MARKDOWN:
            page.write_markdown(found, console.stdout)
        case Format.JSON:
            page.write_json(found, console.stdout)
        case Format.CSV:
            raise UsageError("auditor show: a page is no rows", hint="--format json or markdown")
    write_trust(store, console, command.format)
    return 0


@write_answer.register
def _affected(command: question_commands.Affected, store: Store, console: Console) -> int:
    asked = _asked(command)
    _check_out(command, console)
    found = affected.affected(store, asked)
    return _write(command, found.table, listings.affected(found, str(asked)), store, console)


@write_answer.register
def _renewals(command: question_commands.Renewals, store: Store, console: Console) -> int:
    _check_out(command, console)
    found = renewals.renewals(store, console.now(), command.days)
    return _write(command, found.table, listings.renewals(found), store, console)


@write_answer.register
def _alternatives(command: question_commands.Alternatives, store: Store, console: Console) -> int:
    asked = _asked(command)
    _check_out(command, console)
    found = alternatives.alternatives(store, command.customer, asked)
    shown = instead.alternatives(found, str(asked))
    return _write(command, found.table, shown, store, console)


@write_answer.register
def _explain(command: question_commands.Explain, store: Store, console: Console) -> int:
    asked = _asked(command)
    found = timeline.timeline(store, command.customer, asked)
    match command.format:
        case Format.TABLE:
            drawing.write(found, str(asked), console.now(), console.stdout)
        case Format.MARKDOWN:
            listings.write_markdown(drawing.as_listing(found, str(asked)), console.stdout)
        case _:
            write_rows(found.table, command.format, console)
    write_trust(store, console, command.format, command.customer)
    return 0


def _asked(command: question_commands.SkuQuestion) -> AskedSku:
    command.check()
    product_id, _, sku_id = (command.sku or "").partition(":")
    return AskedSku(
        product_id=product_id,
        sku_id=sku_id,
        size=command.size or "",
        region=command.region or "",
        term=command.term or "",
    )


def _check_out(command: _Listed, console: Console) -> None:
    if command.out == output.STDOUT and console.stdout.isatty():
        raise UsageError(
            "--out -: a terminal cannot show an Excel file",
            hint=f"redirect it: --out - > {command.page.name}.xlsx",
        )


def _write(
    command: _Listed,
    table: pa.Table,
    shown: Listing,
    store: Store,
    console: Console,
) -> int:
    """Write rows for programs, or the listing of them for people, and how far it can be trusted."""
    if command.out is not None:
        output.save(formats.workbook(table), command.out, console.stdout)
        console.events.note(f"wrote {command.out}: {table.num_rows} row(s)")
    elif command.format is Format.TABLE:
        listings.write_terminal(shown, console.stdout)
    elif command.format is Format.MARKDOWN:
        listings.write_markdown(shown, console.stdout)
    else:
        write_rows(table, command.format, console)
    if command.format in {Format.JSON, Format.CSV} or command.out is not None:
        for line in shown.lines:
            console.events.note(line)
    write_trust(store, console, None if command.out is not None else command.format)
    return 0
