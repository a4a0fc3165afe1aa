"""A run that ends before it can record an attempt exports how it ended."""

import io
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from auditor.cli.console import Console
from auditor.cli.run_metrics import RunMetrics
from auditor.cli.stopping import Stopper
from auditor.errors import Locked
from auditor.log import Events, LogFormat
from auditor.metrics import exposition
from auditor.settings import Metrics, Narrow, Part, Partner, Settings
from tests.builders.store_lake import P

PARTNER = Partner(name="contoso", tenant_id=P, countries=("DE",))


def exported(folder: Path, narrow: Narrow, error: BaseException) -> dict[tuple[str, str], float]:
    """Return the exported values of the partner; none if there is no file."""
    stderr = io.StringIO()

    def now() -> datetime:
        return datetime(2026, 12, 1, tzinfo=UTC)

    console = Console(
        environ={},
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        events=Events(stderr, LogFormat.CONSOLE, is_quiet=False, now=now),
        stopper=Stopper(),
        now=now,
    )
    path = folder / "auditor.prom"
    settings = Settings(
        store=str(folder / "lake"),
        state_dir=folder,
        partner=(PARTNER,),
        metrics=Metrics(textfile=path),
    )
    RunMetrics(narrow, settings, console).export(None, error)
    assert stderr.getvalue() == ""
    return exposition.read(path.read_text("utf-8"))["contoso"] if path.exists() else {}


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Locked("another run"), 75, "E_LOCKED"),
        (KeyboardInterrupt(), 130, "E_STOPPED"),
        (ValueError("a bug"), 70, "E_INTERNAL"),
    ],
)
def test_it_is_an_attempt_that_failed(
    tmp_path: Path, error: BaseException, status: int, code: str
) -> None:
    found = exported(tmp_path, Narrow(), error)
    assert found["auditor_last_attempt_exit", ""] == status
    assert found["auditor_last_attempt_error", code] == 1


def test_a_narrower_run_or_a_part_is_no_attempt(tmp_path: Path) -> None:
    found = exported(tmp_path, Narrow(customers=("a.example",)), Locked("another run"))
    assert ("auditor_last_attempt_exit", "") not in found
    (tmp_path / "auditor.prom").unlink()
    part = msgspec.structs.replace(Narrow(run="r"), part=Part(1, 2))
    assert exported(tmp_path, part, Locked("another run")) == {}
