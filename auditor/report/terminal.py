"""The terminal summary: what was asked, what is restricted, what changed, what to do next."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from auditor.log import clean
from auditor.report import summary
from auditor.report.terminal_page import TerminalPage, number, plain, table, words
from auditor.report.trust import Trust
from auditor.report.values import (
    Cause,
    Figures,
    KindCount,
    Outlook,
    PlaceCount,
    ReasonCount,
    Summary,
    outlook,
    ranked_causes,
    severity,
    total,
)
from auditor.store import open_store

PLACES = 8
CAUSES = 10
_NARROWEST_BAR = 8
_PLACES_WIDTH = 82
"""The width of the table of places without its bars."""

_UNKNOWN = ("failed", "skipped")
_SUBJECTS = {"inventory": "inventory", "availability": "licences", "catalog": "catalog"}
_STYLES = {Outlook.BAD: "bold red", Outlook.GOOD: "green", Outlook.OTHER: ""}


def write_run_summary(
    store: str,
    published: Sequence[str],
    not_published: Mapping[str, str],
    config: Path | None,
    stream: TextIO,
) -> None:
    """Write the summary of a run that published these snapshots."""
    found = summary.read(open_store(store), published, brief=True)
    options = () if config is None else ("--config", str(config))
    look = [
        shlex.join(["auditor", *words, *options])
        for words in (("changes", "--by-cause"), ("report", "--out", "report.html"))
    ]
    after_run(found, not_published, TerminalPage(stream), look)


def after_run(
    found: Summary, not_published: Mapping[str, str], page: TerminalPage, look: Sequence[str]
) -> None:
    """Write a short summary of a run.

    `not_published` gives, by partner, why there is no snapshot. `look` are commands that show
    more; the first one shows all changes.
    """
    shown = table("partner", "status", ">answered", ">no answer", ">calls", ">changes")
    for one in found.partners:
        shown.add_row(
            plain(one.partner),
            _status(one),
            number(one.answered),
            number(one.unknown, "bold red"),
            number(one.calls),
            "baseline" if one.is_first else number(one.changes),
        )
    for partner, reason in sorted(not_published.items()):
        shown.add_row(plain(partner), Text("not published", "bold red"), "", "", "", plain(reason))
    page.print(shown)
    _held(found, page)
    if _not_suspect(found):
        page.heading("What changed")
        page.print(_changed(found))
        page.print()
        _causes(found.causes, page, look[0])
    unknown = _of_outcome(found.reasons, *_UNKNOWN)
    if unknown:
        page.heading("No answer", "what was known of these is kept")
        page.print(_reasons(unknown))
    page.heading("Look")
    page.commands(look)


def write_status(found: Sequence[Trust], stream: TextIO) -> None:
    """Write a line for each partner: its newest and its last complete run, and what is unknown."""
    page = TerminalPage(stream)
    shown = table("partner", "last night", "last complete", ">checks", ">customers", ">keys")
    for each in found:
        shown.add_row(
            plain(each.partner),
            Text(each.state.value, "green" if each.is_known else "bold red"),
            plain(_when(each.complete_started_at)),
            *(
                _share(each.row.get(f"{of}_unknown_share"))
                for of in ("checks", "customers", "keys")
            ),
        )
    page.print(shown)
    page.print(Text("checks, customers, keys: the share of them that is unknown", "dim"))
    write_trust([each for each in found if not each.is_known], (), stream)


def write_trust(found: Sequence[Trust], unknown: Sequence[str], stream: TextIO) -> None:
    """Write how far the rows above can be trusted: what is unknown, and a line for each partner."""
    page = TerminalPage(stream)
    for line in unknown:
        page.print(Text(clean(line), "bold red"), is_whole=True)
    for each in found:
        style = "dim" if each.is_known else "bold red"
        page.print(Text(clean(each.sentence()), style), is_whole=True)


def _when(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"


def _share(share: float | None) -> Text:
    if share is None:
        return Text("", "dim")
    return Text(f"{share:.1%}", "bold red" if share else "dim")


def overview(
    found: Summary, page: TerminalPage, show_all: str = "auditor changes --by-cause"
) -> None:
    """Write the whole summary; `show_all` is the command that shows all changes."""
    page.heading("1  What was asked", "in the newest run")
    page.print(_asked(found.partners))
    page.heading("2  Restricted now", "counted in SKUs of an Azure subscription")
    page.print(_places(found.places, page))
    page.heading("3  What changed", "since the night before")
    _held(found, page)
    if found.is_baseline:
        page.print(Text("  Nothing yet: the first snapshot is what later ones are compared with."))
    elif not _not_suspect(found):
        page.print(Text("  Nothing else." if found.held.keys else "  Nothing."))
    else:
        page.print(_changed(found))
        page.print()
        _causes(found.causes, page, show_all)
    page.heading("4  Three kinds of no", "which are kept apart")
    page.print(_kinds_of_no(found))


def _asked(partners: Sequence[Figures]) -> RenderableType:
    shown = table("", *(f">{clean(one.partner)}" for one in partners))
    is_one = len(partners) == 1
    if not is_one:
        shown.add_column("all", justify="right", no_wrap=True, style="bold")
    lines = {
        "customers": "customers",
        "Azure subscriptions": "azure_subscriptions",
        "products asked about": "products",
        "SKUs asked about": "skus",
        "checks answered": "answered",
        "checks without an answer": "unknown",
        "checks never asked": "not_eligible",
        "verdicts": "",
        "calls made": "calls",
        "calls a naive fan-out makes": "naive_calls",
    }
    for title, field in lines.items():
        numbers = [_of(one, field) for one in partners]
        whole = "" if field in {"products", "skus"} else f"{sum(numbers):,}"
        style = "bold red" if field == "unknown" and any(numbers) else ""
        shown.add_row(
            title, *(f"{n:,}" for n in numbers), *([] if is_one else [whole]), style=style
        )
    naive, calls = total(partners, "naive_calls"), total(partners, "calls")
    factors = [_factor(one.naive_calls, one.calls) for one in partners]
    shown.add_row(
        "saving factor", *factors, *([] if is_one else [_factor(naive, calls)]), style="green"
    )
    return shown


def _of(one: Figures, field: str) -> int:
    return int(getattr(one, field)) if field else one.inventory_rows + one.availability_rows


def _factor(naive: int, calls: int) -> str:
    return f"{naive / calls:.1f}" if calls else ""


def _places(places: Sequence[PlaceCount], page: TerminalPage) -> RenderableType:
    if not places:
        return Text("  Nothing is known of any SKU.")
    shown = table("partner", "in", "region", ">restricted", ">share", ">customers", ">unknown")
    room = page.width - _PLACES_WIDTH
    if room >= _NARROWEST_BAR:
        shown.add_column("")
    most = max(*(place.share for place in places), 0.01)
    for place in places[:PLACES]:
        shown.add_row(
            plain(place.partner_name),
            plain(place.country),
            plain(place.region or "any"),
            number(place.restricted, "bold yellow"),
            f"{place.share:.1%}",
            number(place.customers),
            number(place.unknown, "bold red"),
            Text(page.block * round(room * place.share / most), style="yellow"),
        )
    everything, answered = total(places, "restricted"), total(places, "unrestricted")
    shown.add_section()
    shown.add_row(
        Text(f"all {len(places)} places", "bold"),
        "",
        "",
        number(everything, "bold"),
        f"{everything / max(everything + answered, 1):.1%}",
        "",
        number(total(places, "unknown"), "bold red"),
    )
    return shown


def _held(found: Summary, page: TerminalPage) -> None:
    if found.held.keys:
        page.print(Text(f"{found.held}", "bold red"))


def _not_suspect(found: Summary) -> list[KindCount]:
    return [kind for kind in found.kinds if not kind.suspect]


def _changed(found: Summary) -> RenderableType:
    shown = table("what happened", "in", ">changes", ">SKUs", ">customers")
    for kind in sorted(_not_suspect(found), key=lambda kind: severity(kind.kind)):
        shown.add_row(
            _happened(kind),
            _subject(kind.subject),
            number(kind.rows),
            number(kind.skus),
            number(kind.customers) if kind.customers else Text("all", "dim"),
        )
    return shown


def _causes(causes: Sequence[Cause], page: TerminalPage, show_all: str) -> None:
    shown = table("what happened", ">changes", "cause")
    ranked = ranked_causes(causes)
    for cause in ranked[:CAUSES]:
        customer = f" ({cause.customer})" if cause.customer else ""
        shown.add_row(_happened(cause), number(cause.keys), plain(f"{cause.cause}{customer}"))
    page.print(shown)
    if len(ranked) > CAUSES:
        more = f" and {len(ranked) - CAUSES} more: {clean(show_all)}"
        page.print(Text(more, "dim"), is_whole=True)


def _happened(one: KindCount | Cause) -> Text:
    return Text(words(one.kind), _STYLES[outlook(one.kind)])


def _subject(subject: str) -> str:
    return _SUBJECTS.get(subject, subject)


def _kinds_of_no(found: Summary) -> RenderableType:
    unknown = _of_outcome(found.reasons, *_UNKNOWN)
    unasked = _of_outcome(found.reasons, "not_eligible")
    shown = Table(box=None, show_header=False, pad_edge=True, padding=(0, 1))
    shown.add_column(justify="right", no_wrap=True)
    shown.add_column(no_wrap=True, style="bold")
    shown.add_column(overflow="fold")
    rows = (
        (found.not_in_catalog, "not in the catalog", "an answer: this customer is not offered it"),
        (total(unknown, "checks"), "no answer", _because(unknown) or "every check was answered"),
        (total(unasked, "checks"), "never asked", _because(unasked) or "no rule left out a check"),
    )
    for count, name, says in rows:
        shown.add_row(f"{count:,}", name, plain(says))
    if found.stale:
        keys, customers = total(found.stale, "keys"), total(found.stale, "customers")
        says = f"verdicts older than the newest full run, of {customers:,} customers"
        shown.add_row(f"{keys:,}", "stale", says)
    return shown


def _of_outcome(reasons: Iterable[ReasonCount], *outcomes: str) -> list[ReasonCount]:
    return [reason for reason in reasons if reason.outcome in outcomes]


def _because(reasons: Iterable[ReasonCount]) -> str:
    counts: dict[str, int] = {}
    for reason in reasons:
        counts[reason.reason] = counts.get(reason.reason, 0) + reason.checks
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{words(name or 'unknown')} {n:,}" for name, n in ranked)


def _reasons(reasons: Sequence[ReasonCount]) -> RenderableType:
    shown = table("outcome", "check", "reason", ">checks", ">customers")
    for one in reasons:
        shown.add_row(
            plain(one.outcome),
            plain(one.kind),
            plain(one.reason),
            number(one.checks),
            number(one.customers),
        )
    return shown


def _status(one: Figures) -> Text:
    said = one.status if one.is_complete else f"{one.status}, {one.unknown_share:.1%} unknown"
    return Text(clean(said), style="green" if one.is_complete else "bold red")
