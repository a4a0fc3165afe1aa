"""Writes the error table out for people, as `docs/errors.md`."""

from collections.abc import Iterable

from auditor.partner_center.error_table import (
    ANY,
    AVAILABILITY,
    BY_ID,
    EVERYWHERE,
    INVENTORY,
    NO_CODE,
    PARTNER,
    ROWS,
    UNANSWERED,
    VIEWS,
    Row,
    steps,
)

HEAD = """\
# What can come back instead of an answer

What Partner Center answers where it does not answer the question, and what a run does about it.
This page is `auditor/partner_center/error_table.py` for people: `make golden` writes it anew, and a
test holds it to the table.

Look a row up by the `http_status` and `error_code` that `check_outcome` and `unanswered` hold of a
check, or that a log line tells; where no reply came, `reason` holds the cause. A row that names an
endpoint counts before one for *anywhere*. Codes and statuses are open sets: an unknown code is its
status's row, an unknown status the row of its class. To take a case to the vendor, give them
`request_id` and `correlation_id` from the same place.

| status | code | means | from | what the run does |
|---|---|---|---|---|
"""
BELOW = """
## Where that brings no answer

| endpoint | what the question comes to |
|---|---|
"""
TAIL = """
What is `failed` or `skipped` shows in the view `unanswered`.

A target view or segment that is `forbidden` is told by the event `view.forbidden`, and stands with
its code and ids in `coverage.scope` of the catalog's cell, which is the one without a customer:

```sql
SELECT partner_tenant_id, country, json_extract(scope, '$.forbidden') AS forbidden
FROM coverage
WHERE json_exists(scope, '$.forbidden')
```
"""
NAMES = {
    EVERYWHERE: "anywhere",
    PARTNER: "the lists of customers and of products",
    VIEWS: "the lists of products and of SKUs",
    BY_ID: "a product or SKU by id",
    INVENTORY: "inventory checks",
    AVAILABILITY: "availabilities",
}


def page() -> str:
    """Return the page."""
    statuses: dict[tuple[str, ...], list[str]] = {}
    for row in ROWS:
        code = row.code if row.code in {ANY, NO_CODE} else f"`{row.code}`"
        statuses.setdefault((code, row.means, _from(row), _does(row)), []).append(_status(row))
    rows = [(", ".join(status), *said) for said, status in statuses.items()]
    ends = [(f"`{name}`", str(end)) for name, end in UNANSWERED.items()]
    return HEAD + _table(rows) + BELOW + _table(ends) + TAIL


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _status(row: Row) -> str:
    if row.status == 0:
        return "no reply"
    return str(row.status) if row.status > 9 else f"{row.status}xx"


def _from(row: Row) -> str:
    return NAMES.get(row.endpoints) or ", ".join(f"`{name}`" for name in row.endpoints)


def _does(row: Row) -> str:
    """Return the steps; the end is left to the endpoint where that decides."""
    names = UNANSWERED if ANY in row.endpoints else row.endpoints
    ends = {steps(name, row.status, row.code)[-1] for name in names}
    told = [str(step) for step in row.does]
    if not row.does or row.does[-1] not in ends:
        told.append(str(*ends) if len(ends) == 1 else "as below")
    return "; then ".join(told)
