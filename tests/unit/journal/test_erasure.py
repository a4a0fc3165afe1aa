"""P42: what runs left in `state_dir` is rid of a customer; other runs stay as they are."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from auditor.errors import Locked
from auditor.journal import erasure, quarantine
from auditor.journal.attempts import Attempt, Attempts, read
from auditor.journal.journal import Journal
from auditor.journal.quarantine import QuarantineRecord
from auditor.journal.runs import Runs
from auditor.model import Reply
from auditor.settings import Narrow
from auditor.store.erasure import Traces
from tests.builders.store_lake import ACME, BOND
from tests.builders.traces import found_in_files
from tests.unit.journal.test_runs import NOW, TENANTS, begin_run

TRACES = Traces(customer_id=ACME, names=("Acme", "acme.example"), partners=(TENANTS[0],))
UNKNOWN = Traces(customer_id=ACME)
"""No snapshot knows this customer: its only run was killed."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def journal(path: Path, *bodies: str) -> None:
    async def fill() -> None:
        opened = Journal(path)
        for number, body in enumerate(bodies):
            await opened.append(bytes([number]), Reply(status=200, body=body.encode(), sent_at=NOW))
        await opened.close()

    asyncio.run(fill())


def record(customer_id: str, items: str = "") -> QuarantineRecord:
    return QuarantineRecord(
        at=NOW,
        endpoint="customers",
        customer_id=customer_id,
        reason="odd_field",
        items=items,
        status=200,
        sha256="",
        size=1,
        request_id="",
        correlation_id="",
        key="00",
    )


def left(state: Path, narrow: Narrow | None = None, entropy: str = "1") -> Path:
    """Let a run leave journals of two partners, of which the first has the customer."""
    folder = Runs(state).folder(begin_run(Runs(state), narrow=narrow, entropy=entropy).run_id)
    (folder / "lock").touch()
    journal(folder / f"{TENANTS[0]}.journal", "[]", f'{{"id": "{ACME}"}}' + " " * 600)
    journal(folder / f"{TENANTS[1]}.journal", f'{{"id": "{BOND}"}}')
    records = [record(ACME), record("", "1 odd: Acme"), record(BOND)]
    quarantine.write(folder / f"{TENANTS[0]}.quarantine", records)
    (folder / f"{TENANTS[0]}.staged").mkdir()
    (folder / f"{TENANTS[0]}.staged" / "answers").write_text(ACME)
    return folder


def forgotten(state: Path, traces: Traces = TRACES, *, apply: bool = True) -> dict[str, object]:
    rows = erasure.forget(state, traces, apply=apply)
    return {str(row["what"]): row["rows"] for row in rows}


def files(state: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}


@pytest.mark.parametrize("traces", [TRACES, UNKNOWN], ids=["known", "unknown"])
def test_replies_records_and_staged_answers_go_and_other_partners_stay(
    state: Path, traces: Traces
) -> None:
    folder = left(state)
    before = files(state)
    planned = forgotten(state, traces, apply=False)
    assert files(state) == before
    assert planned["raw_replies"] == 2
    assert forgotten(state, traces) == planned
    assert found_in_files((ACME,), state) == []
    assert (folder / f"{TENANTS[1]}.journal").read_bytes() == before[
        folder / f"{TENANTS[1]}.journal"
    ]
    kept = quarantine.records(folder / f"{TENANTS[0]}.quarantine")
    assert BOND in {each.customer_id for each in kept}
    assert (folder / f"{TENANTS[0]}.staged").is_dir(), "it says that the run has work to finish"
    assert forgotten(state, traces) == {}


@pytest.mark.parametrize("name", [ACME, " ACME ", "acme.example"])
def test_a_run_that_was_asked_about_the_customer_goes_whole(state: Path, name: str) -> None:
    named = left(state, Narrow(customers=("x", name)))
    other = left(state, Narrow(customers=("x",)), entropy="2")
    forgotten(state)
    assert not named.exists()
    assert (other / "run.json").exists()


def test_waiting_attempts_keep_other_customers(state: Path) -> None:
    attempt = Attempt(
        run_id="r",
        partner_tenant_id=TENANTS[0],
        partner_name="eu",
        kind="partial",
        trigger="cron",
        customers=f"{BOND};acme",
        started_at=NOW,
        reason="no answer",
    )
    Attempts(state).save([attempt])
    (state / "attempts" / "odd.json").write_text("{")
    assert forgotten(state) == {"waiting_attempt": 1}
    [path] = (path for path in Attempts(state).paths() if path.stem == "r")
    assert read(path) == (msgspec.structs.replace(attempt, customers=BOND),)


def test_no_run_begins_while_all_stand_still(state: Path) -> None:
    """P14: a full run of a partner that ran here before is refused too; so is a second erasure."""
    runs = Runs(state)
    folder = left(state)
    header = next(run.header for run in runs.folders())
    assert header
    with runs.standing_still(TENANTS[:1]):
        for refused in (
            runs.locked(TENANTS[:1], lambda: header),
            runs.locked((), lambda: header),
            runs.standing_still(()),
        ):
            with pytest.raises(Locked), refused:
                pass
    with runs.holding(folder), pytest.raises(Locked), runs.standing_still(()):
        pass
    with runs.standing_still(TENANTS):
        pass
