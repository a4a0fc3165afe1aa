"""All commands, by what they are for; those below another; and the page that lists them."""

from auditor.cli import commands, manual
from auditor.cli.annotations import Page
from auditor.cli.shared_options import Command

SNAPSHOTS = Page(
    name="snapshots",
    line="list, show, verify and prune what was published",
    usage="snapshots [list | show ID | verify ID | prune --keep 90d] [options]",
    text="Looks after the snapshots. Without a word more it lists them.\n\n"
    "  list            every snapshot, oldest first\n"
    "  show ID         all there is to know of one\n"
    "  verify ID       hold its files against what was published\n"
    "  prune           say what could go; with --apply, let it go",
    examples=("auditor snapshots", "auditor snapshots prune --keep 90d --help"),
)
DB = Page(
    name="db",
    line="create or upgrade the schema of a PostgreSQL store",
    usage="db upgrade [options]",
    text="Looks after the database that `store` names, where it is one.\n\n"
    "  upgrade         apply what is missing of the schema; run it as the owner",
    examples=("auditor db upgrade",),
)

_BY_PURPOSE: dict[str, tuple[type[Command] | Page, ...]] = {
    "try it, without an account": (commands.Demo, commands.Sandbox),
    "set up": (commands.Init, commands.Doctor),
    "every night": (commands.Plan, commands.Run),
    "look at the results": (commands.Changes, commands.Report, SNAPSHOTS, commands.Sql),
    "look after a database": (DB,),
}
BELOW: dict[str, tuple[type[Command], ...]] = {
    "snapshots": (
        commands.SnapshotsList,
        commands.SnapshotsShow,
        commands.SnapshotsVerify,
        commands.SnapshotsPrune,
    ),
    "db": (commands.DbUpgrade,),
}
"""The commands below a first word, by that word. Without a second word the first one is meant."""

PAGES: dict[str, Page] = {
    page.name: page
    for entries in _BY_PURPOSE.values()
    for page in (entry if isinstance(entry, Page) else entry.page for entry in entries)
}
"""What `auditor` alone lists, by name."""
CLASSES: dict[str, type[Command]] = {
    each.page.name: each
    for entries in (*_BY_PURPOSE.values(), *BELOW.values())
    for each in entries
    if not isinstance(each, Page)
}
"""Every command that can be given, by its one or two words."""


def below(name: str) -> dict[str, type[Command]]:
    """Return the commands below a first word, by their second."""
    return {each.page.name.partition(" ")[2]: each for each in BELOW.get(name, ())}


def overview() -> str:
    """Return what `auditor` alone says."""
    parts = [manual.ABOUT]
    for purpose, entries in _BY_PURPOSE.items():
        pages = [entry if isinstance(entry, Page) else entry.page for entry in entries]
        lines = [f"    {page.name:<11} {page.line}\n" for page in pages]
        parts.append(f"{purpose}\n{''.join(lines)}")
    return "\n".join([*parts, manual.NOTES])
