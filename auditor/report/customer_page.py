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
    first: dict[tuple[str, str, str], str] = {}
    for of, words, _ in instead.grouped(page.instead):
        sku, region, _, differs, _ = words
        first.setdefault(of, f"{sku} {region} ({differs})".replace("  ", " "))
    refused = [row for row in page.refused.to_pylist() if row["kind"] == "inventory"]
    rows = [
        Line(
            cells=(
                cells.sku(row),
                row["region"],
                cells.verdict(row),
                cells.day(row["verdict_since_at"]),
                subscriptions(same),
                first.get(instead.of_row(row), ""),
            ),
            style=listings.style(row),
        )
        for row, same in alike(refused)
    ]
    columns = ("SKU", "region", "is", "since", ">subscriptions", "buy instead, for example")
    lines = [] if rows else ["Nothing that was answered is restricted."]
    lines += _meanings(refused)
    stale = sum(row["stale_keys"] for row in page.customer.to_pylist())
    if page.unknown_checks or stale:
        keys = sum(row["keys"] for row in page.customer.to_pylist())
        checks = cells.count(page.unknown_checks, "check")
        lines.append(
            f"Not known: {stale:,} of {keys:,} keys are stale, {checks} without an answer."
        )
    return listing("Azure reservations that cannot be bought", columns, rows, lines)


def _meanings(rows: Sequence[Row]) -> list[str]:
    """Return what each reason code among rows means, and what to do."""
    codes = {
        code
        for row in rows
        if row["verdict"] == "restricted"
        for code in row["reason_codes"].split(";")
    }
    return [
        f"{code or 'No reason named'}: {reasons.sentence(code)} {reasons.next_step(code)}"
        for code in sorted(codes)
    ]


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
