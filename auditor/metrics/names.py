"""The metrics that a run exports. Their names and labels are a contract (docs/metrics.md)."""

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A gauge with the label `partner`, and at most one label more."""

    help: str
    label: str = ""
    """The name of the second label; '' if there is none."""
    is_of_attempt: bool = False
    """Whether it describes the last attempt; the others describe what is published."""


LAST_ATTEMPT = "auditor_last_attempt_timestamp_seconds"
LAST_COMPLETE = "auditor_last_complete_timestamp_seconds"
LAST_FULL = "auditor_last_full_timestamp_seconds"

METRICS = {
    LAST_COMPLETE: Metric(
        help="When the last complete night was published, in Unix time; 0 if there is none."
    ),
    LAST_FULL: Metric(
        help="When the newest full snapshot was published, in Unix time; 0 if there is none."
    ),
    "auditor_last_full_is_complete": Metric(
        help="1 if the newest full snapshot is complete, 0 if it is incomplete."
    ),
    LAST_ATTEMPT: Metric(
        help="When the last attempt of a full run ended, in Unix time.", is_of_attempt=True
    ),
    "auditor_last_attempt_exit": Metric(
        help="Exit status of the last attempt of a full run; 0 is complete, 3 incomplete.",
        is_of_attempt=True,
    ),
    "auditor_last_attempt_duration_seconds": Metric(
        help="Time from the start of that run, resumes included, to its end.",
        is_of_attempt=True,
    ),
    "auditor_last_attempt_error": Metric(
        help="1 with the error code of that attempt; absent if it did not fail.",
        label="code",
        is_of_attempt=True,
    ),
    "auditor_unanswered_share": Metric(
        help="Share that is unknown, from 0 to 1: checks of the newest full snapshot without an"
        " answer, customers with such a check, known keys whose answer is older than that night.",
        label="of",
    ),
    "auditor_checks": Metric(
        help="Checks of the newest full snapshot, by outcome.", label="outcome"
    ),
    "auditor_listings_failed": Metric(help="Failed listings of the newest full snapshot."),
    "auditor_customers_unlisted": Metric(
        help="Customers that the newest full snapshot could not list."
    ),
    "auditor_rows": Metric(help="Rows of the newest full snapshot.", label="relation"),
    "auditor_calls": Metric(help="Calls made for the newest full snapshot, retries included."),
    "auditor_retries": Metric(help="Retries among these calls."),
    "auditor_throttled": Metric(help="429 replies among the answers to these calls."),
    "auditor_changes": Metric(
        help="Changes in the newest full snapshot by kind, without suspect ones.", label="kind"
    ),
    "auditor_suspect_changes": Metric(help="Suspect changes in the newest full snapshot."),
}
"""By name, in the order in which they are exported."""
