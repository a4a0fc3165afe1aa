"""The nightly audit divided into parts, for partners with very many customers, as an Airflow 3 DAG.

    doctor → part (1 of N, 2 of N, …) → publish → report → alert

It is set up as `inventory_audit`, which lies beside it. Every part asks some of the customers of
all partners, in a task of its own on any worker; the store is one that all workers reach. A part
that is retried goes on where it was.

One more variable, in the environment of Airflow:
    AUDITOR_PARTS    the number of parts, default 4
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import DAG, Context, task
from airflow.sdk.exceptions import AirflowException
from inventory_audit import (
    CHANGED,
    INCOMPLETE,
    LONGEST,
    MARGIN,
    RETRY_AFTER,
    SCHEDULE,
    SNAPSHOT,
    Auditor,
    ByExitStatus,
    Doctor,
    complaints_about,
    key_of,
    published,
    report,
)

PARTS = int(os.environ.get("AUDITOR_PARTS", "4"))


class Part(Auditor):
    """Does one part of the run. It publishes nothing."""

    def __init__(self, *, part: str, **kwargs: Any) -> None:
        super().__init__(command="run", accepted=(0, INCOMPLETE), **kwargs)
        self.part = part

    def arguments(self, context: Context) -> Sequence[str]:
        """Return the part, and the id that all parts of this DAG run share."""
        run_id = str(context["run_id"])
        seconds = str(LONGEST.seconds - MARGIN.seconds)
        return ("--part", self.part, "--run", key_of(run_id, "parts"), "--max-seconds", seconds)


class Publish(Auditor):
    """Publishes the run, and returns its summary."""

    def arguments(self, context: Context) -> Sequence[str]:
        """Return the id of the run, and who started it."""
        run_id = str(context["run_id"])
        return (key_of(run_id, "parts"), "--trigger", f"airflow {run_id}")

    def judge(self, status: int, printed: Any, context: Context) -> Any:
        """Return the summary. The task makes one asset event, which names all snapshots."""
        summary = super().judge(status, printed, context)
        context["outlet_events"][SNAPSHOT].extra = {"snapshots": published(summary)}
        return summary


@task(trigger_rule="all_done", task_id="alert")
def alert_about_parts(*, ti: Any) -> None:
    """Fail if a partner was not audited completely, so that Airflow alerts as it always does."""
    summary: Mapping[str, Any] | None = ti.xcom_pull(task_ids="publish")
    complaints = complaints_about(summary) if summary else ["nothing was published"]
    if complaints:
        raise AirflowException("; ".join(complaints))


with DAG(
    dag_id="inventory_audit_parts",
    description="Which SKUs each customer can no longer buy, asked in parts",
    schedule=SCHEDULE,
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=True,  # one of the two DAGs audits the night, not both
    default_args={"retries": 6, "retry_delay": RETRY_AFTER},
    tags=["auditor"],
    doc_md=__doc__,
) as inventory_audit_parts:
    doctor = Doctor(task_id="doctor", command="doctor")
    parts = Part.partial(
        task_id="part",
        retry_policy=ByExitStatus(),
        execution_timeout=LONGEST,
        map_index_template="{{ task.part }}",
    ).expand(part=[f"{number}/{PARTS}" for number in range(1, PARTS + 1)])
    publish = Publish(
        task_id="publish",
        command="publish",
        accepted=(0, INCOMPLETE, CHANGED),
        trigger_rule="all_done",
        outlets=[SNAPSHOT],
    )
    doctor >> parts >> publish >> report() >> alert_about_parts()
