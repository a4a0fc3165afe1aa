"""Runs the DAG of `jobs/airflow` in a throwaway Airflow, against a sandbox: `make airflow`.

Each case prints one line. The last two kill a task in the middle of its audit, as Airflow does when
it loses a heartbeat: first the task alone, while its command lives on, then both.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from auditor.sandbox import Fault, WorldSize, config_text, environment_token
from auditor.store import open_store
from tests.airflow.throwaway_airflow import Airflow, Run, wait_for
from tests.builders.serving import Serving

REPEATED_AT_MOST = 64 + 64
"""Calls of a killed run that may be repeated: those in flight and those not yet synced (P11)."""
SLOWLY = Fault(endpoint="check_inventory", delay_s=0.3)
UNREACHABLE = Fault(status=503, partner="contoso-eu")
UNANSWERED = Fault(endpoint="check_inventory", partner="contoso-eu", share=0.3, status=500)


class Proof:
    """A sandbox, a store and an Airflow that audits the one into the other."""

    def __init__(self, folder: Path, serving: Serving) -> None:
        self.serving = serving
        self.folder = folder
        self.config = folder / "auditor.toml"
        self.report = folder / "report.html"
        sandbox = serving.sandbox
        self.config.write_text(config_text(sandbox.world, sandbox.base_url, environment_token))
        self.names = [partner.name for partner in sandbox.world.partners()]
        environment = {
            **serving.environ,
            "AUDITOR_COMMAND": str(Path(sys.executable).with_name("auditor")),
            "AUDITOR_CONFIG": str(self.config),
            "AUDITOR_REPORT": str(self.report),
            "AUDITOR_SCHEDULE": "",
            "AUDITOR_RETRY": "0.05",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        self.airflow = Airflow(folder / "airflow", environment)

    def snapshots(self) -> list[dict[str, object]]:
        """Return the rows of the relation `snapshot`, oldest first."""
        rows = open_store(str(self.folder / "lake")).arrow("snapshot")
        return rows.sort_by("published_at").to_pylist()  # type: ignore[no-any-return]

    def nightly(self) -> str:
        """Audit every partner: one snapshot, one summary and one asset event for each."""
        run = self.airflow.test()
        published = [row["snapshot_id"] for row in self.snapshots()]
        expect(run.state == "success", run)
        expect([each["exit"] for each in run.summaries] == [0, 0], run)
        expect([each["snapshot_id"] for each in run.events] == published, run)
        expect(self.report.stat().st_size > 0, run)
        return f"{len(published)} snapshots, {len(run.events)} asset events, the report"

    def parts(self) -> str:
        """Audit every partner in parts: one summary and one event, with a snapshot for each."""
        before = len(self.snapshots())
        run = self.airflow.test("inventory_audit_parts")
        published = {row["snapshot_id"] for row in self.snapshots()[before:]}
        expect(run.state == "success", run)
        expect(run.tasks["part"] == ["success"] * 4, run)
        expect([each["exit"] for each in run.summaries] == [0], run)
        expect(len(run.events) == 1, run)
        named = {each["snapshot_id"] for each in run.events[0]["snapshots"]}
        expect(named == published, run)
        return f"{len(run.tasks['part'])} parts, {len(published)} snapshots"

    def one_customer(self) -> str:
        """Audit one customer: one partial snapshot, and the nightly report stays."""
        customer = self.serving.sandbox.world.partners()[0]
        customers = open_store(str(self.folder / "lake")).table("latest_customer")
        mine = customers[customers.partner_tenant_id == customer.partner_tenant_id]
        customer_id, before = str(mine.customer_id.iloc[0]), self.report.stat().st_mtime_ns
        self.serving.sandbox.log.clear()
        run = self.airflow.test(customer_id=customer_id, partner=customer.name)
        calls = [each for each in self.serving.sandbox.log.records if each.api_class == "inventory"]
        expect(run.state == "success", run)
        expect(run.tasks["audit"] == ["success"], run)
        expect({each.customer for each in calls} == {customer_id}, run)
        expect(self.snapshots()[-1]["kind"] == "partial", run)
        expect(self.report.stat().st_mtime_ns == before, run)
        return f"{len(calls)} inventory checks, all of that customer"

    def incomplete(self) -> str:
        """Publish an incomplete night once, and alert."""
        with self.fault(UNANSWERED):
            run = self.airflow.test()
        expect(sorted(each["exit"] for each in run.summaries) == [0, 3], run)
        expect(set(run.tasks["audit"]) == {"success"}, run)
        expect(run.tries["audit"] == [1, 1], run)
        expect((run.tasks["alert"], run.state) == (["failed"], "failed"), run)
        return "published, not retried; `alert` failed"

    def secret_missing(self) -> str:
        """Fail one partner at once, and audit the other."""
        text = self.config.read_text()
        self.config.write_text(text.replace("_CONTOSO_EU", "_NOT_SET"))
        try:
            run = self.airflow.test()
        finally:
            self.config.write_text(text)
        expect(sorted(run.tasks["audit"]) == ["failed", "success"], run)
        expect(run.tries["audit"] == [1, 1], run)
        expect((run.tasks["alert"], run.state) == (["failed"], "failed"), run)
        return "its task failed at the first try; the other partner was published"

    def unreachable(self) -> str:
        """Retry a partner that does not answer, and publish it in a later try."""
        with self.fault(UNREACHABLE):
            self.airflow.trigger("unreachable")
            wait_for(lambda: max(self.tries("unreachable")) > 1, "a second try")
        run = self.finished("unreachable")
        expect(run.state == "success", run)
        return f"the tries of `audit`: {run.tries['audit']}"

    def killed(self, run_id: str, *, command_too: bool) -> str:
        """Kill a task in the middle of its audit. The retry repeats almost no call."""
        partner = self.names[0]
        self.serving.sandbox.log.clear()
        with self.fault(SLOWLY):
            self.airflow.trigger(run_id, partner=partner)
            wait_for(lambda: self.checks() > 200, "two hundred checks")
            command = self.command()
            os.kill(parent_of(command), signal.SIGKILL)
            if command_too:
                os.kill(command, signal.SIGKILL)
        run = self.finished(run_id)
        expect(run.state == "success", run)
        expect(run.tries["audit"] == [2], run)
        repeated = sum(
            number - 1
            for question, number in self.serving.questions().items()
            if "checkInventory" in str(question)
        )
        expect(repeated <= (REPEATED_AT_MOST if command_too else 0), run)
        return f"{repeated} of {self.checks()} checks repeated"

    def checks(self) -> int:
        """Return how many inventory checks the sandbox has answered."""
        return sum(each.api_class == "inventory" for each in list(self.serving.sandbox.log.records))

    def command(self) -> int:
        """Return the process id of the `auditor run` at work."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            words = path.read_bytes().split(b"\0")
            if str(self.config).encode() in words and b"run" in words:
                return int(path.parent.name)
        raise SystemExit("airflow: no auditor is running")

    def tries(self, run_id: str) -> list[int]:
        return self.airflow.read(run_id).tries.get("audit", [0])

    def finished(self, run_id: str) -> Run:
        """Wait for the end of a DAG run, and return it."""
        ends = {"success", "failed"}
        wait_for(lambda: self.airflow.read(run_id).state in ends, f"the end of {run_id}")
        return self.airflow.read(run_id)

    @contextmanager
    def fault(self, fault: Fault) -> Iterator[None]:
        self.serving.sandbox.faults.add(fault)
        try:
            yield
        finally:
            self.serving.sandbox.faults.clear()


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def expect(is_right: bool, run: Run) -> None:
    if not is_right:
        raise SystemExit(f"not as expected: {run}")


def prove() -> None:
    """Run every case; ends the program at the first that is wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="auditor-airflow-") as made,
        Serving(1, WorldSize(customers=60)) as serving,
    ):
        proof = Proof(Path(made), serving)
        case("nightly", proof.nightly)
        case("parts", proof.parts)
        case("one customer", proof.one_customer)
        case("incomplete night", proof.incomplete)
        case("secret missing", proof.secret_missing)
        with proof.airflow.scheduling():
            case("unreachable", proof.unreachable)
            case("task killed", lambda: proof.killed("task-killed", command_too=False))
            case("both killed", lambda: proof.killed("both-killed", command_too=True))


def case(name: str, prove_it: Callable[[], str]) -> None:
    print(f"{name:18}{prove_it()}", flush=True)


if __name__ == "__main__":
    prove()
