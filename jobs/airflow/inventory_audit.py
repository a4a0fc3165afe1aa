"""The nightly audit as an Airflow 3 DAG, and the audit of one customer on demand.

    doctor → plan → audit (one task for each partner) → report → alert

Each task calls the `auditor` command in the project's own environment; Airflow's environment needs
nothing of the project. The exit status of the command decides whether the task is retried: it is
after 69, 75 and the statuses of a stopped run, and after no other failure.

All tries of a task have the same `--run` id, so that a retry goes on where the first try ended. If
Airflow killed the first try and its command lives on, the retry waits for that command (`--wait`).

Where things are, in the environment of Airflow:
    AUDITOR_COMMAND    the command, default /srv/audit/.venv/bin/auditor
    AUDITOR_CONFIG     its configuration, default /srv/audit/auditor.toml
    AUDITOR_REPORT     where the report is written, default /srv/audit/report.html
    AUDITOR_SCHEDULE   when the nightly run starts, default 15 2 * * *; empty: only on demand
    AUDITOR_RETRY      minutes before a retry, default 5
"""

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import DAG, Asset, BaseOperator, Context, Param, RetryDecision, RetryPolicy, task
from airflow.sdk.exceptions import AirflowException, AirflowSkipException

COMMAND = os.environ.get("AUDITOR_COMMAND", "/srv/audit/.venv/bin/auditor")
CONFIG = os.environ.get("AUDITOR_CONFIG", "/srv/audit/auditor.toml")
REPORT = os.environ.get("AUDITOR_REPORT", "/srv/audit/report.html")
SCHEDULE = os.environ.get("AUDITOR_SCHEDULE", "15 2 * * *") or None

RETRY_AFTER = timedelta(minutes=float(os.environ.get("AUDITOR_RETRY", "5")))
LONGEST = timedelta(hours=10)
"""How long the audit of one partner may take; then Airflow ends the task."""
MARGIN = timedelta(minutes=30)
"""How long before that the run stops asking, and publishes what was answered."""

SNAPSHOT = Asset(name="auditor_snapshot", uri="auditor://snapshot")
"""Gets one event for each published snapshot."""
INCOMPLETE = 3
CHANGED = 10
RETRIED = frozenset({69, 75, 130, 137, 143})
"""The exit statuses after which another try can succeed (docs/jobs.md)."""
EVERYBODYS = frozenset({"configuration", "store", "state_dir"})
"""The checks of `doctor` whose faults keep every partner from being audited."""


class CommandFailed(AirflowException):
    """A command of the auditor failed."""

    def __init__(self, command: str, status: int) -> None:
        super().__init__(f"auditor {command} ended with {status}; the reason is in the log above")
        self.status = status


class ByExitStatus(RetryPolicy):
    """Retries a command if its exit status says that another try can succeed."""

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the exit status. Other exceptions, such as a timeout, are not retried."""
        if isinstance(exception, CommandFailed) and exception.status in RETRIED:
            return RetryDecision.retry(RETRY_AFTER, str(exception))
        return RetryDecision.fail(str(exception))


class Auditor(BaseOperator):
    """Runs one command of the auditor, and returns the JSON that it prints.

    What the command writes to stderr goes into the log of the task, line by line.
    """

    def __init__(self, *, command: str, accepted: Sequence[int] = (0,), **kwargs: Any) -> None:
        kwargs.setdefault("retry_policy", ByExitStatus())
        super().__init__(**kwargs)
        self.command = command
        self.accepted = accepted
        self._process: subprocess.Popen[bytes] | None = None

    def execute(self, context: Context) -> Any:
        """Run the command; raises CommandFailed if its exit status is not an accepted one."""
        status, printed = self.run_command(*self.arguments(context))
        return self.judge(status, printed, context)

    def arguments(self, context: Context) -> Sequence[str]:
        """Return the options of the command."""
        return narrowed(context["params"])

    def judge(self, status: int, printed: Any, context: Context) -> Any:
        """Return the result of the task, or raise CommandFailed."""
        if status not in self.accepted:
            raise CommandFailed(self.command, status)
        return printed

    def run_command(self, *options: str) -> tuple[int, Any]:
        """Run the command, and return its exit status and the JSON that it printed, if any."""
        argv = [COMMAND, self.command, *options, "--config", CONFIG, "--format", "json"]
        self.log.info("%s", " ".join(argv))
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as process:  # noqa: S603 - our command
            self._process = process
            stdout, _ = process.communicate()
        status = process.returncode if process.returncode >= 0 else 128 - process.returncode
        return status, json.loads(stdout) if stdout.strip() else None

    def on_kill(self) -> None:
        """Let the command end by itself: it writes down what is answered, and frees its lock."""
        if self._process is not None:
            self._process.terminate()


class Doctor(Auditor):
    """Checks the configuration, and returns the names of the partners to audit.

    A fault of one partner alone does not stop the other partners.
    """

    def arguments(self, context: Context) -> Sequence[str]:
        """Return no options: the configuration is checked as a whole."""
        return ()

    def judge(self, status: int, printed: Any, context: Context) -> list[str]:
        """Return the partners, unless no partner can be audited."""
        findings = printed or []
        for each in findings:
            if each["state"] != "ok":
                text = "%(state)s: %(check)s %(partner)s: %(said)s; %(mend)s"
                self.log.warning("%s", text % each)
        faults = [each for each in findings if each["state"] == "fault"]
        partners = list(dict.fromkeys(each["partner"] for each in findings if each["partner"]))
        at_fault = {each["partner"] for each in faults}
        if status and (
            any(each["check"] in EVERYBODYS for each in faults) or at_fault.issuperset(partners)
        ):
            raise CommandFailed(self.command, status)
        wanted = context["params"].get("partner")
        return [wanted] if wanted else partners


class Audit(Auditor):
    """Audits one partner, and returns the summary of its run."""

    def __init__(self, *, partner: str, **kwargs: Any) -> None:
        super().__init__(command="run", accepted=(0, INCOMPLETE, CHANGED), **kwargs)
        self.partner = partner

    def arguments(self, context: Context) -> Sequence[str]:
        """Return the options that narrow the run, and its id."""
        run_id, params = str(context["run_id"]), {**context["params"], "partner": self.partner}
        return (
            *("--run", key_of(run_id, self.partner)),
            *("--wait", f"{LONGEST.seconds}s"),
            *("--max-seconds", str(LONGEST.seconds - MARGIN.seconds)),
            *("--trigger", f"airflow {run_id}"),
            *narrowed(params),
        )

    def judge(self, status: int, printed: Any, context: Context) -> Any:
        """Return the summary. It is also kept if the run failed: `alert` reads it."""
        if status not in self.accepted:
            context["ti"].xcom_push(key="return_value", value=printed)
        summary = super().judge(status, printed, context)
        for snapshot in published(summary):
            context["outlet_events"][SNAPSHOT].extra = snapshot
        return summary


def published(summary: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what an asset event says of each published snapshot of a summary."""
    names = ("partner", "snapshot_id", "status", "changes")
    return [
        {name: each[name] for name in names} for each in summary["snapshots"] if each["published"]
    ]


def key_of(run_id: str, partner: str) -> str:
    """Return the id of the auditor's run: equal for all tries of a task, different for partners."""
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", run_id)
    return f"{readable}-{hashlib.sha256(f'{run_id}/{partner}'.encode()).hexdigest()[:8]}"


def narrowed(params: Mapping[str, Any]) -> list[str]:
    """Return the options of the command for the parameters of the DAG run."""
    options = {"customer_id": "--customer", "partner": "--partner", "country": "--country"}
    return [
        part
        for name, option in options.items()
        if params.get(name)
        for part in (option, params[name])
    ]


@task(trigger_rule="all_done")
def report(*, params: Mapping[str, Any]) -> str:
    """Write the report of the latest snapshots. A run for one customer writes none."""
    if params.get("customer_id"):
        raise AirflowSkipException("a run for one customer leaves the nightly report as it is")
    argv = [COMMAND, "report", "--config", CONFIG, "--out", REPORT]
    status = subprocess.run(argv, check=False).returncode  # noqa: S603 - our command
    if status:
        raise CommandFailed("report", status)
    return REPORT


@task(trigger_rule="all_done")
def alert(*, ti: Any) -> None:
    """Fail if a partner was not audited completely, so that Airflow alerts as it always does."""
    partners = ti.xcom_pull(task_ids="doctor")
    if not partners:
        raise AirflowException("no partner was audited: see the log of `doctor`")
    summaries = ti.xcom_pull(task_ids="audit", map_indexes=range(len(partners)))
    complaints = []
    for partner, summary in zip(partners, summaries, strict=True):
        if not (summary or {}).get("snapshots"):
            complaints.append(f"{partner}: not audited; see the log of its task")
        else:
            complaints += complaints_about(summary)
    if complaints:
        raise AirflowException("; ".join(complaints))


def complaints_about(summary: Mapping[str, Any]) -> list[str]:
    """Return what a summary says of each partner that was not audited completely."""
    found = []
    for each in summary["snapshots"]:
        status = each["status"] if each["published"] else "not published"
        if status != "complete":
            found.append(f"{each['partner']}: {status}: {each['reason']}")
    return found


def _optional(description: str) -> Param:
    return Param(None, type=["null", "string"], description=description)


with DAG(
    dag_id="inventory_audit",
    description="Which SKUs each customer can no longer buy",
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=4,  # a run for one customer need not wait for the nightly run
    default_args={"retries": 6, "retry_delay": RETRY_AFTER},
    params={
        "customer_id": _optional("an id, a domain or an exact company name; empty: all"),
        "partner": _optional("the name of a partner; empty: all"),
        "country": _optional("two letters; empty: all"),
    },
    tags=["auditor"],
    doc_md=__doc__,
) as inventory_audit:
    doctor = Doctor(task_id="doctor", command="doctor")
    plan = Auditor(task_id="plan", command="plan", accepted=(0, INCOMPLETE))
    audit = Audit.partial(
        task_id="audit",
        retry_policy=ByExitStatus(),
        execution_timeout=LONGEST,
        outlets=[SNAPSHOT],
        map_index_template="{{ task.partner }}",
    ).expand(partner=doctor.output)
    doctor >> plan >> audit >> report() >> alert()
