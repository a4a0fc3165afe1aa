"""All commands by purpose, their subcommands, and the page that lists them."""

from auditor.cli import commands, manual, question_commands, snapshot_commands
from auditor.cli.annotations import HelpPage
from auditor.cli.shared_options import Command

SNAPSHOTS = HelpPage(
    name="snapshots",
    line="list, show, verify, prune and export what was published; forget a customer",
    usage="snapshots [list | show ID | verify ID | prune | forget | export]",
    text="Lists and maintains the snapshots. `auditor snapshots` alone lists them.\n\n"
    "  list            every snapshot, oldest first\n"
    "  show ID         everything recorded about one\n"
    "  verify ID       compare its files with the published checksums\n"
    "  prune           list what is old; with --apply, delete it\n"
    "  forget          list what holds one customer; with --apply, erase it\n"
    "  export          write it to Delta tables, for Fabric and Databricks",
    examples=("auditor snapshots", "auditor snapshots prune --keep 90d --help"),
)
DB = HelpPage(
    name="db",
    line="create or upgrade the schema of a PostgreSQL store",
    usage="db upgrade",
    text="Maintains the PostgreSQL database that `store` names.\n\n"
    "  upgrade         apply the missing parts of the schema; run it as the owner",
    examples=("auditor db upgrade",),
)

_BY_PURPOSE: dict[str, tuple[type[Command] | HelpPage, ...]] = {
    "try it, without an account": (commands.Demo, commands.Sandbox),
    "set up": (commands.Init, commands.Doctor),
    "every night": (commands.Plan, commands.Run, commands.Publish),
    "look at the results": (
        commands.Status,
        commands.Changes,
        *question_commands.QUESTIONS,
        commands.Report,
        SNAPSHOTS,
        commands.Sql,
    ),
    "maintain a database": (DB,),
}
BELOW: dict[str, tuple[type[Command], ...]] = {
    "snapshots": (
        snapshot_commands.SnapshotsList,
        snapshot_commands.SnapshotsShow,
        snapshot_commands.SnapshotsVerify,
        snapshot_commands.SnapshotsPrune,
        snapshot_commands.SnapshotsForget,
        snapshot_commands.SnapshotsExport,
    ),
    "db": (commands.DbUpgrade,),
}
"""Subcommands by their first word. Without a second word, the first of them is meant."""

PAGES: dict[str, HelpPage] = {
    page.name: page
    for entries in _BY_PURPOSE.values()
    for page in (entry if isinstance(entry, HelpPage) else entry.page for entry in entries)
}
"""The pages that `auditor` alone lists, by name."""
CLASSES: dict[str, type[Command]] = {
    each.page.name: each
    for entries in (*_BY_PURPOSE.values(), *BELOW.values())
    for each in entries
    if not isinstance(each, HelpPage)
}
"""Every command, by its one or two words."""


def below(name: str) -> dict[str, type[Command]]:
    """Return the subcommands of a first word, by their second word."""
    return {each.page.name.partition(" ")[2]: each for each in BELOW.get(name, ())}


def overview() -> str:
    """Return the page that `auditor` alone prints."""
    parts = [manual.ABOUT]
    for purpose, entries in _BY_PURPOSE.items():
        pages = [entry if isinstance(entry, HelpPage) else entry.page for entry in entries]
        lines = [f"    {page.name:<12} {page.line}\n" for page in pages]
        parts.append(f"{purpose}\n{''.join(lines)}")
    return "\n".join([*parts, manual.NOTES])
