"""One self-contained HTML page: what changed, what is restricted now, and what is unknown."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import jinja2
import msgspec
from markupsafe import Markup

from auditor.log import clean
from auditor.report import summary
from auditor.report.values import Excerpt, FamilyCount, Summary, outlook, ranked_causes, total

if TYPE_CHECKING:
    from auditor.store.interface import Store

T = TypeVar("T")

CAUSES = 20
PLACES = 60
FAMILIES = 8
"""At most so many families have a column of their own; all others share one more column."""
_LEVELS = 5
_FULL_SHARE = 0.25
"""The share of restricted SKUs that gets the strongest shade."""


def report(store: "Store", snapshot: str | None = None, *, mask: bool = False) -> str:
    """Return the page of one snapshot; without one, of what is known now and the newest changes.

    With `mask`, the page does not show who a customer is.
    """
    return page(summary.read(store, [snapshot] if snapshot else [], mask=mask))


def page(found: Summary) -> str:
    """Return the page of a summary."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"time": _time, "words": _words, "number": _number, "share": _share}
    environment.globals |= {"outlook": outlook, "total": total}
    return environment.get_template("report.html.j2").render(
        s=found,
        causes=_first(ranked_causes(found.causes), CAUSES),
        places=_first(found.places, PLACES),
        grid=_grid(found.families),
    )


class _Cell(msgspec.Struct, frozen=True):
    restricted: int
    answered: int
    unknown: int

    @property
    def level(self) -> int:
        """The shade of the cell: 0 is none, 5 the strongest."""
        if not self.restricted:
            return 0
        share = self.restricted / max(self.answered, 1)
        return min(_LEVELS, 1 + int(share / _FULL_SHARE * _LEVELS))


class _Grid(msgspec.Struct, frozen=True):
    families: tuple[str, ...]
    rows: tuple[tuple[str, tuple[_Cell, ...]], ...]


def _grid(found: Iterable[FamilyCount]) -> _Grid:
    """Return the table of regions and families, most restricted first."""
    rows = list(found)
    weight: dict[str, int] = {}
    regions: dict[str, int] = {}
    for one in rows:
        weight[one.family] = weight.get(one.family, 0) + one.restricted
        regions[one.region] = regions.get(one.region, 0) + one.restricted
    ranked = sorted(weight, key=lambda name: (-weight[name], name))
    columns = [{name} for name in ranked[:FAMILIES]]
    titles = [name or "unnamed" for name in ranked[:FAMILIES]]
    if len(ranked) > FAMILIES:
        columns.append(set(ranked[FAMILIES:]))
        titles.append(f"{len(ranked) - FAMILIES} others")
    return _Grid(
        families=(*titles, "all"),
        rows=tuple(
            (
                region or "any",
                tuple(
                    _cell(one for one in rows if one.region == region and one.family in names)
                    for names in (*columns, set(ranked))
                ),
            )
            for region in sorted(regions, key=lambda name: (-regions[name], name))
        ),
    )


def _cell(found: Iterable[FamilyCount]) -> _Cell:
    rows = list(found)
    return _Cell(total(rows, "restricted"), total(rows, "answered"), total(rows, "unknown"))


def _first(rows: Iterable[T], count: int) -> Excerpt[T]:
    every = tuple(rows)
    return Excerpt(rows=every[:count], total=len(every))


def _harmless(value: object) -> object:
    """Return text without characters that reverse the line; the page's own markup stays."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _time(value: datetime | None) -> str:
    return "" if value is None else f"{value:%Y-%m-%d %H:%M}"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: int) -> str:
    return f"{value:,}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
