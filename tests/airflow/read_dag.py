"""Imports the DAG as Airflow does and prints what it found, as JSON; Airflow's Python runs it."""

import importlib.util
import json
import sys
from pathlib import Path

FILE = Path(__file__).parents[2] / "jobs" / "airflow" / "inventory_audit.py"

spec = importlib.util.spec_from_file_location("inventory_audit", FILE)
assert spec is not None
assert spec.loader is not None
found = importlib.util.module_from_spec(spec)
spec.loader.exec_module(found)
retry = found.ByExitStatus()
json.dump(
    {
        "downstream": {
            task.task_id: sorted(task.downstream_task_ids) for task in found.inventory_audit.tasks
        },
        "retried": [
            status
            for status in range(256)
            if retry.evaluate(found.CommandFailed("run", status), 1, 6).action.value == "retry"
        ],
        "accepted": sorted(found.Audit(task_id="one", partner="contoso").accepted),
        "timeout": retry.evaluate(TimeoutError(), 1, 6).action.value,
        "keys": [
            found.key_of(run_id, partner)
            for run_id in ("scheduled__2026-12-01T02:15:00+00:00", "scheduled 2026-12-01")
            for partner in ("contoso-eu", "Contoso EU", "contoso-us")
        ],
    },
    sys.stdout,
)
