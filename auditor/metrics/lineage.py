"""Lineage events in OpenLineage: each partner's part of a run begins, completes or fails.

A completed one has the datasets of its snapshot: schema, number of rows, id. Events are sent in the
background and hold no customer and no secret.
"""

import queue
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from openlineage.client.client import OpenLineageClient
from openlineage.client.event_v2 import (
    InputDataset,
    Job,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
)
from openlineage.client.facet_v2 import (
    RunFacet,
    dataset_version_dataset,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
    schema_dataset,
)

from auditor.metrics.complaints import complaints_of
from auditor.metrics.datasets import Place, place
from auditor.partner_center.clouds import CLOUDS
from auditor.progress import Progress
from auditor.settings import Partner, Settings
from auditor.store import comments
from auditor.tables import SCHEMAS
from auditor.version import __version__

if TYPE_CHECKING:
    from auditor.run.result import RunReport, SnapshotReport

CODE = "E_LINEAGE"
FLUSH_S = 3.0
"""The longest time that the last events may take, at the end of a run."""
PRODUCER = f"https://pypi.org/project/csp-sku-auditor/{__version__}"
_NAMESPACE = "auditor"
_OF_IDS = uuid.UUID("6f2b1c1e-9f0e-4b53-8a4e-6a1f8f7a3d55")
_CONFIG = {"facets": {"source_code_location": {"disabled": True}}}
"""Otherwise the client looks for a git repository in the working folder."""

Warn = Callable[[str, str, str], None]
"""Writes a code, a message and a hint."""


class Emitter:
    """Sends events in a thread of its own, in their order."""

    def __init__(self) -> None:
        self._events: queue.SimpleQueue[RunEvent | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="lineage", daemon=True)
        self._thread.start()
        self.lost = 0
        self.why = ""

    def send(self, event: RunEvent) -> None:
        """Send an event soon."""
        self._events.put(event)

    def close(self, seconds: float) -> None:
        """Wait until all events are sent, at most so long; `why` then says what failed."""
        self._events.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self.lost += max(self._events.qsize() - 1, 0) + 1
            self.why = f"no end within {seconds:g} seconds"

    def _work(self) -> None:
        client: OpenLineageClient | None = None
        while (event := self._events.get()) is not None:
            try:
                client = client or OpenLineageClient(config=_CONFIG)
                client.emit(event)
            except Exception as error:  # noqa: BLE001 - any transport may be configured
                self.lost += 1
                self.why = _reason(error)
        if client is not None:
            client.close(FLUSH_S)


class Lineage:
    """Makes lineage events of a run's progress, and passes it on."""

    def __init__(
        self,
        progress: Progress,
        settings: Settings,
        partners: Sequence[Partner],
        *,
        send: Callable[[RunEvent], None],
        report: Callable[[], "RunReport"],
        now: Callable[[], datetime],
        namespace: str = _NAMESPACE,
        is_full: bool = True,
    ) -> None:
        """`report` returns the run's report as it is now."""
        self._progress = progress
        self._place = place(settings)
        self._partners = {partner.name: partner for partner in partners}
        self._send = send
        self._report = report
        self._now = now
        self._namespace = namespace
        self._job = "audit" if is_full else "audit_on_demand"
        self._run_id = ""
        self._open: set[str] = set()

    def event(self, name: str, **fields: object) -> None:
        """Pass an event on. If it begins or ends a partner's part, send that."""
        self._progress.event(name, **fields)
        partner = str(fields.get("partner", ""))
        match name:
            case "run.started":
                self._run_id = str(fields["run"])
                for each in self._partners:
                    self._open.add(each)
                    self._emit(each, RunState.START)
            case "snapshot.published" | "snapshot.published_before":
                self._complete(partner)
            case "partner.not_published":
                self._end(partner, RunState.FAIL, str(fields["code"]))
            case _:
                pass

    def phase(self, partner: str, name: str, total: int | None = None) -> None:
        """Pass a phase on."""
        self._progress.phase(partner, name, total)

    def step(self, partner: str, done: int = 1, failed: int = 0) -> None:
        """Pass a step on."""
        self._progress.step(partner, done, failed)

    def close(self, code: str, *, is_stopped: bool) -> None:
        """Send the end of partners whose end was not reported."""
        state = RunState.ABORT if is_stopped else RunState.FAIL
        for partner in sorted(self._open):
            self._end(partner, state, code)

    def _complete(self, partner: str) -> None:
        found = [each for each in self._report().snapshots if each.partner == partner]
        if partner in self._open and found:
            self._open.remove(partner)
            outputs = [_output(self._place, *each) for each in _tables(found[0])]
            self._emit(partner, RunState.COMPLETE, outputs=outputs)

    def _end(self, partner: str, state: RunState, code: str) -> None:
        if partner in self._open:
            self._open.remove(partner)
            self._emit(partner, state, code=code)

    def _emit(
        self,
        partner: str,
        state: RunState,
        *,
        outputs: Sequence[OutputDataset] = (),
        code: str = "",
    ) -> None:
        one = self._partners[partner]
        facets: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=__version__, name="csp-sku-auditor"
            )
        }
        if code:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
                message=code, programmingLanguage="python"
            )
        kind = job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="CSP_SKU_AUDITOR", jobType="AUDIT"
        )
        run_id = uuid.uuid5(_OF_IDS, f"{self._run_id}/{one.tenant_id}")
        self._send(
            RunEvent(
                eventTime=self._now().isoformat(),
                eventType=state,
                run=Run(runId=str(run_id), facets=facets),
                job=Job(
                    namespace=self._namespace,
                    name=f"{partner}.{self._job}",
                    facets={"jobType": kind},
                ),
                inputs=[
                    InputDataset(
                        namespace=one.base_url or CLOUDS[one.cloud].base_url, name=one.tenant_id
                    )
                ],
                outputs=list(outputs),
                producer=PRODUCER,
            )
        )


def _tables(report: "SnapshotReport") -> Iterator[tuple[str, int, str]]:
    """Yield relation, number of rows and snapshot of each dataset."""
    rows = {**report.rows, "change": sum(report.changes.values())}
    for relation, count in rows.items():
        yield relation, count, report.snapshot_id


def _output(where: Place, relation: str, rows: int, snapshot_id: str) -> OutputDataset:
    fields = [
        schema_dataset.SchemaDatasetFacetFields(
            name=field.name,
            type=str(field.type),
            description=comments.comment(relation, field.name),
        )
        for field in SCHEMAS[relation]
    ]
    return OutputDataset(
        namespace=where.namespace,
        name=where.name(relation),
        facets={
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(
                datasetVersion=snapshot_id
            ),
        },
        outputFacets={
            "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
                rowCount=rows
            )
        },
    )


def _reason(error: Exception) -> str:
    """Return what failed, without the URL, which may hold a key."""
    reply = getattr(error, "response", None)
    status = getattr(reply, "status_code", None)
    return f"the server answers {status}" if status else type(error).__name__


@contextmanager
def emitter(warn: Warn, flush_s: float = FLUSH_S) -> Iterator[Emitter]:
    """Yield what sends events; wait a short time for the last ones. A failure is one warning."""
    with complaints_of("openlineage"):
        found = Emitter()
        try:
            yield found
        finally:
            found.close(flush_s)
            if found.lost:
                warn(
                    CODE,
                    f"lineage: {found.lost} event(s) not sent: {found.why}",
                    "the run itself is not affected",
                )
