import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.builders.exit_table import cell

READ = Path(__file__).with_name("read_dag.py")
AIRFLOW = READ.parents[2] / ".venv-airflow"


@pytest.mark.skipif(
    not (AIRFLOW / "installed").exists(), reason="`make airflow` was never run here: no Airflow"
)
def test_airflow_reads_the_dag(tmp_path: Path) -> None:
    environment = {"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    output = subprocess.run(
        [AIRFLOW / "bin" / "python", READ],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found = json.loads(output.splitlines()[-1])
    assert found["downstream"] == {
        "doctor": ["audit", "plan"],
        "plan": ["audit"],
        "audit": ["report"],
        "report": ["alert"],
        "alert": [],
    }
    assert found["downstream of parts"] == {
        "doctor": ["part"],
        "part": ["publish"],
        "publish": ["report"],
        "report": ["alert"],
        "alert": [],
    }
    assert found["retried"] == [
        status for status in range(256) if cell(status, "Airflow").startswith("retried")
    ]
    assert found["accepted"] == [
        status for status in range(256) if cell(status, "Airflow").startswith("done")
    ]
    assert found["timeout"] == "fail"
    assert len(set(found["keys"])) == 6
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", key) for key in found["keys"])
