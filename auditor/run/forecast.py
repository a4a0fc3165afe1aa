"""Predicts what a run would ask: its calls, their time, and the calls without any batching."""

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from auditor.errors import AuditorError
from auditor.model import CheckKind, Question
from auditor.partner_center.failed_listings import by_cause
from auditor.plan.targets import resource_type
from auditor.run.discover import Discovered
from auditor.run.night_time import Checks, NightTime, night_time
from auditor.scope.found import Found
from auditor.settings import Partner, Settings

if TYPE_CHECKING:
    import pyarrow as pa

_API_CLASS = {
    "inventory": "inventory",
    "availability": "catalog",
    **dict.fromkeys(("list_products", "get_product", "list_skus", "get_sku"), "catalog"),
}
"""The API class of each check kind and endpoint; all others belong to `customers`."""

TOTAL = "total"
FOOTNOTE = (
    "rows: verdicts, one for each SKU (or term) of an Azure subscription or customer;"
    " minutes: calls divided by the partner's calls per minute, APIs wait side by side"
)


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The calls of one partner, API, kind and country."""

    partner: str
    wave: int
    api: str
    country: str
    calls: int
    naive_calls: int
    """The calls if there were no batches: one for each product and context."""
    rows: int
    minutes: float
    """The time that the calls take at the partner's limit."""


class Forecast(msgspec.Struct, frozen=True, kw_only=True):
    """What a run would ask."""

    lines: tuple[Line, ...]
    times: tuple[NightTime, ...] = ()
    """How long a night takes, by partner."""
    explanation: tuple[str, ...]
    """For each group of SKUs, what is sent and why."""
    unknown: tuple[str, ...] = ()
    """The things that could not be listed; the lines do not count their calls."""
    failures: tuple[tuple[str, AuditorError], ...] = ()
    """The partners that could not be asked, by name, with their errors."""

    @classmethod
    def of(cls, parts: Iterable["Forecast"]) -> "Forecast":
        """Return several partners' forecasts as one."""
        parts = tuple(parts)
        return cls(
            lines=tuple(line for part in parts for line in part.lines),
            times=tuple(time for part in parts for time in part.times),
            explanation=tuple(line for part in parts for line in part.explanation),
            unknown=tuple(line for part in parts for line in part.unknown),
        )

    def table(self, *, with_totals: bool = False) -> "pa.Table":
        """Return one row for each line that has calls; with totals, also one for each partner."""
        import pyarrow as pa  # noqa: PLC0415 - heavy

        kinds = {str: pa.string(), int: pa.int64(), float: pa.float64()}
        schema = pa.schema(
            [(field.name, kinds[field.type]) for field in msgspec.structs.fields(Line)]
        )
        lines = [line for line in self.lines if line.calls]
        if with_totals:
            lines += _totals(lines)
        rows = [msgspec.structs.asdict(line) for line in lines]
        return pa.Table.from_pylist(rows, schema=schema)


def _totals(lines: Iterable[Line]) -> list[Line]:
    """Return the sum of each partner's lines, wave 0."""
    by_partner: dict[str, list[Line]] = {}
    for line in lines:
        by_partner.setdefault(line.partner, []).append(line)
    return [
        Line(
            partner=partner,
            wave=0,
            api=TOTAL,
            country="",
            calls=sum(line.calls for line in own),
            naive_calls=sum(line.naive_calls for line in own),
            rows=sum(line.rows for line in own),
            minutes=round(sum(line.minutes for line in own), 1),
        )
        for partner, own in by_partner.items()
    ]


def forecast(settings: Settings, partner: Partner, discovered: Discovered) -> Forecast:
    """Return the calls that wave 1 made and the calls that wave 2 would make."""
    plan = discovered.plan
    calls: Counter[tuple[str, str]] = Counter()
    naive: Counter[tuple[str, str]] = Counter()
    rows: Counter[tuple[str, str]] = Counter()
    by_customer: Counter[tuple[str, str]] = Counter()
    for question in plan.questions():
        if not isinstance(question, Question):
            continue
        first = question.checks[0]
        key = (first.kind.value, first.country)
        calls[key] += 1
        by_customer[first.kind.value, first.customer_id] += first.customer_id != ""
        naive[key] += len(question.checks)
        is_inventory = first.kind is CheckKind.INVENTORY
        rows[key] += sum(len(plan.skus_of(c)) if is_inventory else 1 for c in question.checks)
    limits = partner.limits
    quota = {"inventory": limits.inventory, "catalog": limits.catalog}
    first_wave = [
        Line(
            partner=partner.name,
            wave=1,
            api=endpoint,
            country="",
            calls=count,
            naive_calls=count,
            rows=0,
            minutes=round(count / quota.get(_API_CLASS.get(endpoint, ""), limits.customers), 1),
        )
        for endpoint, count in sorted(discovered.calls.items())
    ]
    second_wave = [
        Line(
            partner=partner.name,
            wave=2,
            api=kind,
            country=country,
            calls=count,
            naive_calls=naive[kind, country],
            rows=rows[kind, country],
            minutes=round(count / quota[_API_CLASS[kind]], 1),
        )
        for (kind, country), count in sorted(calls.items())
    ]
    checks = Checks(
        inventory=sum(n for (kind, _), n in calls.items() if kind == CheckKind.INVENTORY),
        availability=sum(n for (kind, _), n in calls.items() if kind == CheckKind.AVAILABILITY),
        most_of_one_customer=max(by_customer.values(), default=0),
    )
    return Forecast(
        lines=(*first_wave, *second_wave),
        times=(night_time(settings, partner, discovered.found, discovered.calls, checks),),
        explanation=tuple(_explained(partner, discovered)),
        unknown=tuple(_unknown(partner, discovered.found)),
    )


def _unknown(partner: Partner, found: Found) -> Iterable[str]:
    if found.list_ended_after is not None:
        yield f"{partner.name}: the customer list ended after {found.list_ended_after}"
    for listing, count in by_cause(found.failed_listings):
        yield (
            f"{partner.name}: {listing.listing} failed {count} time(s), {listing.reason}:"
            " what it would have named is missing here"
        )


def _explained(partner: Partner, discovered: Discovered) -> Iterable[str]:
    for (country, scope), targets in sorted(discovered.plan.targets.items()):
        groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
        for target in targets:
            group = groups.setdefault((target.variables, target.why), [0, 0])
            group[0] += 1
            group[1] += len(target.skus)
        for (variables, why), (items, skus) in sorted(groups.items()):
            sent = ", ".join(variables) or "no context"
            where = f"{partner.name} {country}" + (f" {scope}" if scope else "")
            yield f"{where}: {skus} SKUs as {items} target items, sending {sent}; {why}"
        for sku in discovered.plan.without_region[country, scope]:
            yield (
                f"{partner.name} {country}: {sku.product_id}:{sku.sku_id} asks for ArmRegionName"
                " and has no region: name some in scope.arm_regions; skipped"
            )
        for view in sorted({t.view for t in targets}):
            if resource_type(view, discovered.plan.rules) is None:
                named = f"the target view {view}" if view else "products that no view lists"
                yield (
                    f"{partner.name} {country}: scope.resource_types has no resource type for"
                    f" {named}; skipped"
                )
