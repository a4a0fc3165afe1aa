"""Shows what a customer could buy instead of a SKU."""

from collections.abc import Mapping
from typing import Any

from auditor.questions.alternatives import Alternatives
from auditor.report import cells
from auditor.report.listings import Line, Listing, alike, listing, subscriptions

Row = Mapping[str, Any]  # a row of an answer
Of = tuple[str, str, str]  # product, SKU and region that something is instead of
MOVES = "region: needs moving the workload"
NOTHING = "Nothing that is known can be bought instead."


def alternatives(found: Alternatives, asked: str) -> Listing:
    """Return what a customer could buy instead; rows of several subscriptions that agree are one.

    The sentences below the rows say what is known of the SKUs themselves.
    """
    columns = (
        *("instead of", "buy", "region", ">quantity", "differs in", "availability"),
        ">subs.",
    )
    names = {of_row(row): _name(row) for row in found.about.to_pylist()}
    rows = [
        Line(cells=(names.get(of, ""), *words, subscriptions(same)))
        for of, words, same in grouped(found)
    ]
    return listing(f"Instead of {asked}", columns, rows, _sentences(found))


def grouped(found: Alternatives) -> list[tuple[Of, tuple[str, ...], list[Row]]]:
    """Return what each SKU could be replaced by, in words, with the rows that say so."""
    groups: dict[tuple[Of, tuple[str, ...]], list[Row]] = {}
    for row in found.table.to_pylist():
        of = (row["of_product_id"], row["of_sku_id"], row["of_region"])
        groups.setdefault((of, _words(row)), []).append(row)
    ranked = sorted(groups.items(), key=lambda group: group[0][0])
    return [(of, words, same) for (of, words), same in ranked]


def of_row(row: Row) -> Of:
    """Return what a row of the question itself is about."""
    return row["product_id"], row["sku_id"], row["region"]


def _name(row: Row) -> str:
    return ", ".join(filter(None, (cells.sku(row), row["region"])))


def _words(row: Row) -> tuple[str, ...]:
    is_of_group = row["difference"] == "size"
    stale = f" (stale: {cells.age(row)})" if row["is_stale"] else ""
    known = "purchasable" if row["availability"] == "purchasable" else "not known"
    return (
        cells.sku(row),
        row["region"],
        str(row["quantity"]) if is_of_group else "",
        _difference(row),
        f"{known}{stale}",
    )


def _difference(row: Row) -> str:
    match row["difference"]:
        case "size":
            share = row["replaces_share"]
            ratio = f"{share:g} replace one" if share > 1 else f"one replaces {1 / share:g}"
            return f"size: {ratio}"
        case "term":
            return "term"
        case "savings_plan":
            return "a savings plan in place of a reservation"
        case "series":
            return f"newer series: {row['cores']} cores, {row['ram_gb']:g} GB"
        case _:
            return MOVES


def _sentences(found: Alternatives) -> list[str]:
    rows = [{"customer_id": "", **row} for row in found.about.to_pylist()]
    lines = []
    for row, same in alike(rows):
        count = cells.count(len(same), "subscription")
        where = f" ({count})" if row["azure_subscription_id"] else ""
        lines.append(f"{_name(row)}: {cells.verdict(row)}{where}.")
    if not rows:
        lines.append("This customer has no answer about this SKU.")
    if not found.table.num_rows:
        lines.append(NOTHING)
    if found.silent:
        checks = cells.count(found.silent, "check")
        lines.append(f"{checks} of this customer without an answer: what they allow is not known.")
    return lines
