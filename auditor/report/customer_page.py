"""Shows everything about one customer: on a terminal, as Markdown, or as one JSON object."""

from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from auditor import reasons
from auditor.questions.customer_page import CustomerPage
from auditor.report import cells, formats, instead, listings
from auditor.report.listings import Line, Listing, alike, listing, subscriptions

Row = Mapping[str, Any]  # a row of an answer
PROMISE = "A restriction is an answer at a moment, not a promise of capacity."


def sections(page: CustomerPage) -> list[Listing]:
    """Return the sections of the page, in their order. A section without rows says why."""
    return [
        _header(page),
        _azure(page),
        _restricted(page),
        _instead(page),
        _licences(page),
        listings.renewals(page.renewals),
        _changed(page),
        _unknown(page),
    ]


def write_terminal(page: CustomerPage, stream: TextIO) -> None:
    """Write the page to a terminal."""
    for section in sections(page):
        listings.write_terminal(section, stream)


def write_markdown(page: CustomerPage, stream: TextIO) -> None:
    """Write the page as an e-mail to the customer: nothing of other customers is in it."""
    for section in sections(page):
        listings.write_markdown(section, stream)


def write_json(page: CustomerPage, stream: TextIO) -> None:
    """Write one object; each of its lists has the rows of an answer."""
    tables = {
        "customer": page.customer,
        "azure_subscriptions": page.subscriptions,
        "cannot_be_bought": page.refused,
        "alternatives": page.instead.table,
        "renewals": page.renewals.table,
        "changes": page.changes,
        "not_answered": page.silent,
    }
    formats.write_object({"customer_id": page.customer_id, "note": PROMISE}, tables, stream)


def _header(page: CustomerPage) -> Listing:
    rows = page.customer.to_pylist()
    name = next((row["company_name"] for row in rows if row["company_name"]), page.customer_id)
    lines = [f"Customer {page.customer_id}"]
    for row in rows:
        of = {"domain": row["domain"], "country": row["country"], "reseller": row["reseller_id"]}
        said = [f"{what} {value}" for what, value in of.items() if value]
        lines.append(", ".join([f"partner {row['partner_name']}", *said]))
        asked = cells.minute(row["last_asked_at"]) or "never"
        stale = row["stale_keys"]
        doubt = f"; {stale:,} of {row['keys']:,} answers are stale" if stale else ""
        lines.append(f"last answer {asked} UTC{doubt}")
    if not rows:
        lines.append("The customer is not listed any more.")
    return Listing(title=name, columns=(), rows=(), lines=tuple(lines))


def _azure(page: CustomerPage) -> Listing:
    rows = [
        Line(
            cells=(
                row["friendly_name"],
                row["azure_subscription_id"],
                row["status"],
                row["registration_status"],
            )
        )
        for row in page.subscriptions.to_pylist()
    ]
    none = () if rows else ("No Azure subscription is known.",)
    columns = ("name", "id", "status", "registration")
    return listing("Azure subscriptions", columns, rows, none)


def _restricted(page: CustomerPage) -> Listing:
    refused = [row for row in page.refused.to_pylist() if row["kind"] == "inventory"]
    numbers = _numbered(refused)
    rows = [
        Line(
            cells=(
                cells.sku(row),
                row["region"],
                " ".join([cells.verdict(row), *(f"[{numbers[code]}]" for code in _codes(row))]),
                cells.day(row["verdict_since_at"]),
                subscriptions(same),
            ),
            style=listings.style(row),
        )
        for row, same in alike(refused)
    ]
    columns = ("SKU", "region", "is", "since", ">subs.")
    lines = [] if rows else ["Nothing that was answered is restricted."]
    lines += [
        f"[{n}] {code or 'no reason named'}: {reasons.sentence(code)} {reasons.next_step(code)}"
        for code, n in numbers.items()
    ]
    stale = sum(row["stale_keys"] for row in page.customer.to_pylist())
    if page.unknown_checks or stale:
        keys = sum(row["keys"] for row in page.customer.to_pylist())
        checks = cells.count(page.unknown_checks, "check")
        lines.append(
            f"Not known: {stale:,} of {keys:,} keys are stale, {checks} without an answer."
        )
    return listing("Azure reservations that cannot be bought", columns, rows, lines)


def _instead(page: CustomerPage) -> Listing:
    """Return the best alternative to each restricted SKU and region."""
    best: dict[tuple[str, str, str], tuple[str, ...]] = {}
    for of, words, _ in instead.grouped(page.instead):
        best.setdefault(of, words)
    asked: dict[tuple[str, str, str], Row] = {}
    for row in page.refused.to_pylist():
        if row["verdict"] == "restricted":
            asked.setdefault(instead.of_row(row), row)
    rows = [
        Line(
            cells=(cells.sku(row), row["region"], sku, "" if moved == row["region"] else moved, how)
        )
        for of, row in asked.items()
        if of in best
        for sku, moved, _, how, _ in [best[of]]
    ]
    without = len(asked) - len(rows)
    lines = []
    if without:
        nothing = "nothing that is known can be bought instead."
        lines.append(f"For {cells.count(without, 'restricted SKU')} {nothing}")
    elif not rows:
        lines.append("Nothing is restricted.")
    lines.append("All alternatives: auditor alternatives.")
    columns = ("instead of", "region", "buy", "in region", "differs in")
    return listing("What could be bought instead", columns, rows, lines)


def _codes(row: Row) -> list[str]:
    """Return the reason codes of a row: one empty code if it is restricted without a reason."""
    return row["reason_codes"].split(";") if row["verdict"] == "restricted" else []


def _numbered(rows: Sequence[Row]) -> dict[str, int]:
    """Return a number for each reason code, in the order in which the page explains them."""
    codes = sorted({code for row in rows for code in _codes(row)})
    return {code: number for number, code in enumerate(codes, start=1)}


def _licences(page: CustomerPage) -> Listing:
    refused = [row for row in page.refused.to_pylist() if row["kind"] == "availability"]
    rows = [
        Line(
            cells=(
                cells.sku(row),
                row["billing_cycle"],
                cells.verdict(row),
                cells.day(row["verdict_since_at"]),
            ),
            style=listings.style(row),
        )
        for row in refused
    ]
    lines = () if rows else ("Every licence that was answered can be bought.",)
    columns = ("licence", "billing", "is", "since")
    return listing("Licences that cannot be bought", columns, rows, lines)


def _changed(page: CustomerPage) -> Listing:
    changes = [row for row in page.changes.to_pylist() if not row["suspect"]]
    rows = [
        Line(
            cells=(
                row["kind"].replace("_", " "),
                cells.sku(row),
                row["region"] or "",
                cells.day(row["after_at"]),
            )
        )
        for row in changes
    ]
    lines = () if rows else ("Nothing changed.",)
    columns = ("what happened", "SKU", "region", "on")
    return listing("What changed since the last full night", columns, rows, lines)


def _unknown(page: CustomerPage) -> Listing:
    silent = page.silent.to_pylist()
    rows = [
        Line(
            cells=(
                row["outcome"].replace("_", " "),
                row["kind"],
                f"{row['checks']:,}",
                row["reason"].replace("_", " "),
            )
        )
        for row in silent
    ]
    lines = [] if rows else ["Every check of this customer has an answer."]
    meanings = {row["reason"]: reasons.meaning(row["reason"], row["outcome"]) for row in silent}
    lines += [
        f"{reason.replace('_', ' ')}: {found.sentence} {found.next_step}"
        for reason, found in sorted(meanings.items())
    ]
    columns = ("outcome", "check", ">checks", "reason")
    return listing("What we do not know", columns, rows, [*lines, PROMISE])
