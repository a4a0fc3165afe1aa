"""Imports the DAG as Airflow does and prints what it found, as JSON; Airflow's Python runs it."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2] / "jobs" / "airflow"))  # as for a DAG folder
found = importlib.import_module("inventory_audit")
parts = importlib.import_module("inventory_audit_parts")


def downstream(dag: Any) -> dict[str, list[str]]:
    return {task.task_id: sorted(task.downstream_task_ids) for task in dag.tasks}


retry = found.ByExitStatus()
json.dump(
    {
        "downstream": downstream(found.inventory_audit),
        "downstream of parts": downstream(parts.inventory_audit_parts),
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
