"""Exports the metrics of a run, also of a run that failed before it could record an attempt."""

from contextlib import suppress
from typing import TYPE_CHECKING

from auditor.cli.console import Console
from auditor.cli.stopping import Stopped, exit_status_of
from auditor.errors import AuditorError, as_auditor_error, leaves
from auditor.settings import Narrow, Partner, Settings, partners_for

if TYPE_CHECKING:  # they load Arrow
    from auditor.journal.attempts import Attempt
    from auditor.run.parts.run import PartOfRun
    from auditor.run.run import Run


class RunMetrics:
    """Exports the metrics of one run."""

    def __init__(self, narrow: Narrow, settings: Settings, console: Console) -> None:
        self._narrow = narrow
        self._settings = settings
        self._console = console
        self._began_at = console.now()

    @property
    def _is_wanted(self) -> bool:
        """Whether the configuration asks for metrics; a part of a divided run publishes nothing."""
        metrics = self._settings.metrics
        return self._narrow.part is None and bool(metrics.textfile or metrics.pushgateway)

    def export(self, run: "Run | PartOfRun | None", error: BaseException | None = None) -> None:
        """Export the metrics of a run that has ended, with `error` if that ended it.

        Never raises, and takes a bounded time: a failure is a warning.
        """
        if not self._is_wanted:
            return
        from auditor.metrics.export import RunEnd, export  # noqa: PLC0415 - only if wanted

        self._console.stopper.let_finish()
        partners: tuple[Partner, ...] = ()
        with suppress(AuditorError):  # a partner does not exist
            partners = tuple(partners_for(self._settings, self._narrow))
        attempts: tuple[Attempt, ...] = getattr(run, "attempts", ())
        if error is not None and not attempts:
            attempts = tuple(self._not_begun(each, error) for each in partners)
        end = RunEnd(
            partners=partners,
            attempts=attempts,
            now=self._console.now(),
            is_stopped=isinstance(error, (Stopped, KeyboardInterrupt)),
        )
        warn = self._console.events.warning
        export(self._settings, end, stdout=self._console.stdout, warn=warn)

    def _not_begun(self, partner: Partner, error: BaseException) -> "Attempt":
        """Return the attempt of a run that ended before it asked anything."""
        from auditor.journal.attempts import Attempt  # noqa: PLC0415 - heavy

        is_stopped = isinstance(error, (Stopped, KeyboardInterrupt))
        code = "E_STOPPED" if is_stopped else as_auditor_error(next(leaves(error))).error_code
        return Attempt(
            run_id="",
            partner_tenant_id=partner.tenant_id,
            partner_name=partner.name,
            kind="full" if self._narrow.is_full else "partial",
            trigger=self._narrow.trigger,
            customers="",
            started_at=self._began_at,
            ended_at=self._console.now(),
            exit=exit_status_of(error),
            error_code=code,
        )
