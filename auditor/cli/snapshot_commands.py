"""What the user may ask for about snapshots: one frozen value per command, as in `commands`."""

from typing import Annotated

from auditor.cli import words
from auditor.cli.annotations import HelpPage, Option
from auditor.cli.shared_options import Configured, RowsCommand

SNAPSHOT_ID = Option("as `list` shows it", "ID", words.snapshot, is_positional=True)


class SnapshotsList(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots list`."""

    page = HelpPage(
        name="snapshots list",
        text="Lists every snapshot, newest first. A table also shows whom a partial one was\n"
        "for, and the attempts that published nothing.",
        examples=("auditor snapshots list --format json",),
    )


class SnapshotsShow(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots show`."""

    page = HelpPage(
        name="snapshots show",
        text="Shows everything recorded about one snapshot. With --quarantine, lists the replies\n"
        "that could not be used: on the machine that made the snapshot, for 14 days.",
        examples=("auditor snapshots show 20261121T020000Z-1a2b3c",),
    )

    snapshot: Annotated[str, SNAPSHOT_ID]
    quarantine: Annotated[
        bool, Option("list the replies that could not be used; json includes their bodies")
    ] = False


class SnapshotsVerify(Configured, frozen=True, kw_only=True):
    """`auditor snapshots verify`."""

    page = HelpPage(
        name="snapshots verify",
        text="Compares the files of a snapshot with the checksums that were published with them.",
        examples=("auditor snapshots verify 20261121T020000Z-1a2b3c",),
        more="exit status\n    0   every file is as published\n    65  a file differs; it is named",
    )

    snapshot: Annotated[str, SNAPSHOT_ID]


class SnapshotsPrune(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots prune`."""

    page = HelpPage(
        name="snapshots prune",
        text="Deletes what is older than --keep: the large relations of snapshots, attempts, and\n"
        "what runs left in state_dir: raw replies, quarantine, run folders. The changes, and\n"
        "what is known now, are kept for ever. Without --apply it only lists.",
        examples=(
            "auditor snapshots prune --keep 90d",
            "auditor snapshots prune --keep 90d --apply",
        ),
    )

    keep_days: Annotated[int, Option("keep everything younger", "90d", words.days, flag="keep")]
    apply: Annotated[bool, Option("delete, and do not only list")] = False


class SnapshotsForget(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots forget`."""

    page = HelpPage(
        name="snapshots forget",
        text="Erases one customer from every snapshot, attempt, raw reply and quarantine, for\n"
        "ever. Without --apply it only lists. A customer that still exists is new to the\n"
        "next run. Backups, reports and logs are not searched.",
        examples=(
            "auditor snapshots forget --customer contoso.com",
            "auditor snapshots forget --customer contoso.com --apply",
        ),
        more="exit status\n    0   the customer is erased, or nothing of it was found\n"
        "    64  no customer, or two, have this name\n"
        "    75  a run is at work: try again when it has ended",
    )

    customer: Annotated[
        str, Option("an id, a domain or an exact company name", "X", words.customer)
    ]
    apply: Annotated[bool, Option("erase, and do not only list")] = False


class SnapshotsExport(RowsCommand, frozen=True, kw_only=True):
    """`auditor snapshots export`."""

    page = HelpPage(
        name="snapshots export",
        text="Writes each relation to a Delta table below URL, for Fabric and Databricks. Each\n"
        "time, only what a table lacks is written. Needs the extra `delta`. Keys are read\n"
        "from the environment (AZURE_..., AWS_...), never from URL.",
        examples=(
            "auditor snapshots export --to-delta ./tables",
            "auditor snapshots export --to-delta s3://BUCKET/audit",
        ),
    )

    to_delta: Annotated[str, Option("a folder: a path, s3://, az:// or abfss://", "URL", words.url)]
