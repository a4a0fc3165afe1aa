"""The words of `--help`: what each command is for, and an example of it."""

import msgspec

EXIT_STATUSES = """\
exit status
    0       every partner published, complete; also when things changed
    3       published, but incomplete: too much unanswered, or a partner could not be asked
    10      only with --fail-on: such a change was found
    64      wrong flags             65  unusable data, or an empty scope
    66      input missing           78  wrong configuration, or a secret missing
    77      credentials refused     76  database schema or server too old or too new
    69      nothing reachable       75  try again: locked, throttled, or the database is down
    73      cannot create output    74  disk full or I/O error      70  our bug
    130     interrupted             143 terminated: the journal is safe
  69, 75, 130 and 143 are worth another try, with --resume."""

DOCTOR_STATUSES = """\
exit status
    0   all is well; there may be warnings
    else that of the worst fault: 78 configuration or secret, 77 credentials, 76 store version,
    73 cannot write, 74 disk full, 69 not reachable"""


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of help."""

    name: str
    line: str
    """For the list of all commands."""
    usage: str
    text: str
    example: str
    more: str = ""
    is_configured: bool = True
    """Whether it reads `auditor.toml`."""

    @property
    def epilog(self) -> str:
        """What stands below the options."""
        example = "example" if "\n" not in self.example else "examples"
        lines = "\n".join(f"    {line}" for line in self.example.splitlines())
        return f"{example}\n{lines}" + (f"\n\n{self.more}" if self.more else "")


_PAGES = {
    "try it, without an account": (
        Page(
            name="demo",
            line="two nights of a made-up portfolio: audit, compare, report",
            usage="demo [options]",
            text="Starts a sandbox on this machine, audits two nights of a made-up portfolio and\n"
            "writes a report of what changed. Needs no account, no server and no network.",
            example="auditor demo --out /tmp/demo",
            is_configured=False,
        ),
        Page(
            name="sandbox",
            line="a local Partner Center to try everything on",
            usage="sandbox [options]",
            text="Serves a made-up Partner Center on 127.0.0.1 until it is interrupted. Its\n"
            "address goes to stdout; a ready auditor.toml is at ADDRESS/_sandbox/config.",
            example="auditor sandbox --port 8080 --customers 50",
            is_configured=False,
        ),
    ),
    "set up": (
        Page(
            name="init",
            line="write a commented auditor.toml to start from",
            usage="init [options]",
            text="Writes an auditor.toml in which every key is explained. Never overwrites a file.",
            example="auditor init\nauditor init --config /etc/auditor/auditor.toml",
        ),
        Page(
            name="doctor",
            line="try every part of the configuration, and say what to mend",
            usage="doctor [options]",
            text="Tries the credentials, the hosts, what may be asked, the quota, the store, the\n"
            "disk and whether `state_dir` will last. A fault keeps nothing from being tried.",
            example="auditor doctor\nauditor doctor --format json",
            more=DOCTOR_STATUSES,
        ),
    ),
    "every night": (
        Page(
            name="plan",
            line="what a run would ask, how many calls and how long it takes",
            usage="plan [options]",
            text="Foresees a run: calls by partner, API, kind and country, the rows to expect and\n"
            "the time it takes at the quota.",
            example="auditor plan --explain\nauditor plan --country DE --format json",
        ),
        Page(
            name="run",
            line="ask Partner Center, compare with what was known, publish",
            usage="run [options]",
            text="Asks what each customer can buy, compares the answers with what was known, and\n"
            "publishes one snapshot per partner. What was asked is journaled: a run that was\n"
            "stopped goes on with --resume.",
            example="auditor run\nauditor run --customer contoso.com --fail-on newly_restricted\n"
            "auditor run --resume --format json",
            more=EXIT_STATUSES,
        ),
    ),
    "look at the results": (
        Page(
            name="changes",
            line="what changed, row by row or gathered by cause",
            usage="changes [options]",
            text="Shows what changed with the newest snapshots, or between two.",
            example="auditor changes --by-cause\n"
            "auditor changes --kind newly_restricted --customer contoso.com --out changes.xlsx",
        ),
        Page(
            name="report",
            line="one self-contained HTML file",
            usage="report [options]",
            text="Writes a report that needs nothing but a browser.",
            example="auditor report --out report.html\nauditor report --mask > report.html",
        ),
        Page(
            name="snapshots",
            line="list, show, verify and prune what was published",
            usage="snapshots [list | show ID | verify ID | prune --keep 90d] [options]",
            text="Looks after the snapshots. Without a word more it lists them.\n\n"
            "  list            every snapshot, oldest first\n"
            "  show ID         all there is to know of one\n"
            "  verify ID       hold its files against what was published\n"
            "  prune           say what could go; with --apply, let it go",
            example="auditor snapshots\nauditor snapshots prune --keep 90d --help",
        ),
        Page(
            name="sql",
            line="read-only SQL over everything that is known",
            usage="sql QUERY [options]",
            text="Asks the store in SQL. It can read the store's relations and views, and nothing\n"
            "else.",
            example='auditor sql "SELECT verdict, count(*) FROM latest_inventory GROUP BY 1"\n'
            "auditor sql - --format csv < query.sql",
        ),
    ),
    "look after a database": (
        Page(
            name="db",
            line="create or upgrade the schema of a PostgreSQL store",
            usage="db upgrade [options]",
            text="Looks after the database that `store` names, where it is one.\n\n"
            "  upgrade         apply what is missing of the schema; run it as the owner",
            example="auditor db upgrade",
        ),
    ),
}

_BELOW_SNAPSHOTS = (
    Page(
        name="snapshots list",
        line="",
        usage="snapshots list [options]",
        text="Lists every snapshot, oldest first.",
        example="auditor snapshots list --format json",
    ),
    Page(
        name="snapshots show",
        line="",
        usage="snapshots show ID [options]",
        text="Shows all there is to know of one snapshot, or with --quarantine the replies that\n"
        "could not be used: on the machine that made it, for 14 days.",
        example="auditor snapshots show 20261121T020000Z-1a2b3c",
    ),
    Page(
        name="snapshots verify",
        line="",
        usage="snapshots verify ID [options]",
        text="Holds the files of a snapshot against the checksums that were published with them.",
        example="auditor snapshots verify 20261121T020000Z-1a2b3c",
        more="exit status\n    0   every file is as published\n    65  one is not; it is named",
    ),
    Page(
        name="snapshots prune",
        line="",
        usage="snapshots prune --keep 90d [options]",
        text="Drops the bulky files of snapshots that are older. What changed stays known for\n"
        "ever. Without --apply it only says what would go.",
        example="auditor snapshots prune --keep 90d\nauditor snapshots prune --keep 90d --apply",
    ),
)

_BELOW_DB = (
    Page(
        name="db upgrade",
        line="",
        usage="db upgrade [options]",
        text="Applies what is missing of the schema, all of it or nothing, and makes the views\n"
        "anew. It takes the rights of the owner; a run needs none of them.",
        example="auditor db upgrade",
        more="exit status\n    0   the schema is that of this version\n"
        "    76  it is that of a newer one, or the server is too old",
    ),
)

COMMANDS = {page.name: page for pages in _PAGES.values() for page in pages}


def pages_below(name: str) -> dict[str, Page]:
    """Return the commands below a command, by their second word."""
    below = {"snapshots": _BELOW_SNAPSHOTS, "db": _BELOW_DB}.get(name, ())
    return {page.name.partition(" ")[2]: page for page in below}


def overview() -> str:
    """Return what `auditor` alone says."""
    lines = [
        "auditor tells which SKUs each customer of a Cloud Solution Provider can no longer buy:",
        "where, since when, and why.",
        "",
        "usage: auditor COMMAND [options]",
    ]
    for group, pages in _PAGES.items():
        lines += ["", group]
        lines += [f"    {page.name:<11} {page.line}" for page in pages]
    lines += [
        "",
        "options",
        "    --help      show this; after a command, show that command",
        "    --version   show the version",
        "",
        "Options go after the command. Data goes to stdout, everything else to stderr.",
        "To begin with: auditor demo",
    ]
    return "\n".join(lines) + "\n"
