"""Metrics are exported however a run ended, and a failure to export is only a warning."""

import base64
import io
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from auditor.metrics import exposition
from auditor.metrics.export import PUSH_S, RunEnd, export
from auditor.metrics.figures import Figures
from auditor.metrics.names import LAST_ATTEMPT, LAST_COMPLETE, LAST_FULL
from auditor.settings import Metrics, Partner, Settings
from tests.builders.monitoring_server import monitoring_server
from tests.builders.store_lake import P, Q, at
from tests.unit.metrics.test_figures import attempt, lake

CONTOSO = Partner(name="contoso-eu", tenant_id=P, countries=("DE",))
FABRIKAM = Partner(name="fabrikam", tenant_id=Q, countries=("DE",))
AUTH = {"exit": 77, "error_code": "E_AUTH"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store for tests that only read."""
    return str(lake(tmp_path_factory.mktemp("export")).root)


def settings(folder: Path, store: str, **metrics: Any) -> Settings:
    return Settings(
        store=store,
        state_dir=folder,
        partner=(CONTOSO, FABRIKAM),
        metrics=Metrics(**metrics),
    )


def end(*attempts: Any, **given: Any) -> RunEnd:
    usual = RunEnd(partners=(CONTOSO,), attempts=tuple(attempts), now=at(6), is_stopped=False)
    return msgspec.structs.replace(usual, **given)


def exported(
    configured: Settings, how: RunEnd, *, push_s: float = PUSH_S
) -> list[tuple[str, str, str]]:
    """Export, and return the warnings."""
    found: list[tuple[str, str, str]] = []

    def warn(code: str, message: str, hint: str) -> None:
        found.append((code, message, hint))

    export(configured, how, stdout=io.StringIO(), warn=warn, push_s=push_s)
    return found


def read(path: Path) -> dict[str, Figures]:
    return exposition.read(path.read_text("utf-8"))


def test_the_file_has_every_configured_partner_and_others_may_read_it(
    tmp_path: Path, store: str
) -> None:
    path = tmp_path / "auditor.prom"
    umask = os.umask(0o077)
    try:
        assert exported(settings(tmp_path, store, textfile=path), end(attempt(5))) == []
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644
    found = read(path)
    assert found["fabrikam"] == {(LAST_COMPLETE, ""): 0, (LAST_FULL, ""): 0}
    assert found["contoso-eu"][LAST_ATTEMPT, ""] == at(5, 10).timestamp()
    assert found["contoso-eu"]["auditor_calls", ""] == 20
    path.chmod(0o640)
    assert exported(settings(tmp_path, store, textfile=path), end()) == []
    assert path.stat().st_mode & 0o777 == 0o640
    assert read(path) == found, "no attempt of its own: the newer one in the file stays"


@pytest.mark.parametrize("is_stopped", [False, True], ids=["the store is down", "stopped"])
def test_without_the_store_what_was_published_stays_and_the_attempt_is_new(
    tmp_path: Path, store: str, *, is_stopped: bool
) -> None:
    path = tmp_path / "auditor.prom"
    assert exported(settings(tmp_path, store, textfile=path), end()) == []
    before = read(path)["contoso-eu"]
    where = store if is_stopped else str(tmp_path / "nowhere")
    failed = attempt(5, **AUTH, snapshot_id="")
    how = end(failed, is_stopped=is_stopped)
    assert exported(settings(tmp_path, where, textfile=path), how) == []
    after = read(path)["contoso-eu"]
    assert after["auditor_last_attempt_exit", ""] == 77
    assert {k: v for k, v in after.items() if "attempt" not in k[0]} == {
        k: v for k, v in before.items() if "attempt" not in k[0]
    }


def test_a_run_for_one_customer_is_no_attempt(tmp_path: Path, store: str) -> None:
    path = tmp_path / "auditor.prom"
    on_demand = attempt(5, kind="partial", exit=0)
    assert exported(settings(tmp_path, store, textfile=path), end(on_demand)) == []
    assert read(path)["contoso-eu"]["auditor_last_attempt_exit", ""] == 77


def test_a_file_of_another_program_is_replaced(tmp_path: Path, store: str) -> None:
    path = tmp_path / "auditor.prom"
    path.write_text("not { a metric")
    assert exported(settings(tmp_path, store, textfile=path), end()) == []
    assert "contoso-eu" in read(path)


def test_the_gateway_gets_a_group_for_each_partner_of_the_run(tmp_path: Path, store: str) -> None:
    with monitoring_server() as gateway:
        url = gateway.url.replace("://", "://night:pass%40word@") + "/push"
        assert exported(settings(tmp_path, store, pushgateway=url), end(attempt(5))) == []
        [sent] = gateway.sent
        assert (sent.method, sent.path) == ("PUT", "/push/metrics/job/auditor/partner/contoso-eu")
        login = base64.b64encode(b"night:pass@word").decode()
        assert sent.headers["authorization"] == f"Basic {login}"
        [(partner, figures)] = exposition.read(sent.body.decode()).items()
        assert partner == "contoso-eu"
        assert figures["auditor_last_attempt_exit", ""] == 0


def test_without_the_store_the_gateway_keeps_what_was_published(tmp_path: Path) -> None:
    with monitoring_server() as gateway:
        configured = settings(tmp_path, str(tmp_path / "nowhere"), pushgateway=gateway.url)
        assert exported(configured, end(attempt(5, **AUTH))) == []
        [sent] = gateway.sent
        assert sent.method == "POST", "a POST replaces only the metrics that it has"
        [figures] = exposition.read(sent.body.decode()).values()
        assert {name for name, _ in figures} == {
            LAST_ATTEMPT,
            "auditor_last_attempt_exit",
            "auditor_last_attempt_duration_seconds",
            "auditor_last_attempt_error",
        }


def test_what_fails_is_one_warning_without_the_password(tmp_path: Path, store: str) -> None:
    with monitoring_server() as gateway:
        gateway.status = 400
        configured = settings(
            tmp_path,
            store,
            textfile=tmp_path / "missing" / "auditor.prom",
            pushgateway=gateway.url.replace("://", "://night:hidden-word@"),
        )
        found = exported(configured, end(attempt(5)))
    assert [code for code, _, _ in found] == ["E_METRICS", "E_METRICS"]
    assert "cannot write" in found[0][1]
    assert found[1][1].endswith(f"{gateway.url.removeprefix('http://')} answers 400")
    assert "hidden-word" not in repr(found)


def test_a_gateway_that_hangs_does_not_hold_the_run(tmp_path: Path, store: str) -> None:
    with monitoring_server() as gateway:
        gateway.may_answer.clear()
        configured = settings(tmp_path, store, pushgateway=gateway.url)
        found = exported(configured, end(attempt(5)), push_s=0.05)
    assert [message for _, message, _ in found] == [
        "[metrics] pushgateway was not updated: no end within 0.05 seconds"
    ]


def test_no_configuration_means_no_work(tmp_path: Path) -> None:
    configured = settings(tmp_path / "never made", str(tmp_path / "nowhere"))
    assert exported(configured, end(attempt(5))) == []
    assert list(tmp_path.iterdir()) == []
