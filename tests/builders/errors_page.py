"""Makes `docs/errors.md` from the error table."""

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
    ErrorMeaning,
    steps,
)

HEAD = """\
# Error replies, and what a run does about them

The errors that Partner Center sends instead of an answer, and what a run does about each.
`make golden` writes this page from `auditor/partner_center/error_table.py`; a test compares them.

Find a row by the `http_status` and `error_code` in `check_outcome`, in `unanswered` or in a log
line; if there was no reply, `reason` holds the cause. A row for a named endpoint has precedence
over one for *anywhere*. Codes and statuses are open sets: an unknown code takes the row of its
status, an unknown status the row of its class. To report a case to the vendor, send the
`request_id` and `correlation_id` from the same place.

| status | code | means | from | what the run does |
|---|---|---|---|---|
"""
BELOW = """
## If the check or listing stays unanswered

| endpoint | its outcome |
|---|---|
"""
TAIL = """
Everything `failed` or `skipped` is in the view `unanswered`.

A `forbidden` target view or segment is logged as the event `view.forbidden`. Its code and ids are
in `coverage.scope` of the catalog's cell, which is the cell without a customer:

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
    rows = [(", ".join(status), *columns) for columns, status in statuses.items()]
    ends = [(f"`{name}`", str(end)) for name, end in UNANSWERED.items()]
    return HEAD + _table(rows) + BELOW + _table(ends) + TAIL


def _table(rows: Iterable[Iterable[str]]) -> str:
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _status(row: ErrorMeaning) -> str:
    if row.status == 0:
        return "no reply"
    return str(row.status) if row.status > 9 else f"{row.status}xx"


def _from(row: ErrorMeaning) -> str:
    return NAMES.get(row.endpoints) or ", ".join(f"`{name}`" for name in row.endpoints)


def _does(row: ErrorMeaning) -> str:
    """Return the steps; the last is "as below" if it depends on the endpoint."""
    names = UNANSWERED if ANY in row.endpoints else row.endpoints
    ends = {steps(name, row.status, row.code)[-1] for name in names}
    texts = [str(step) for step in row.does]
    if not row.does or row.does[-1] not in ends:
        texts.append(str(*ends) if len(ends) == 1 else "as below")
    return "; then ".join(texts)
