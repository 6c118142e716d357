"""Runs of whole DAGs, in a process of Airflow's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / "examples" / "airflow"


def run_dags(folder: Path, env: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    """Run every DAG of a folder. Returns how each ended, by its id, and the lines of the output."""
    done = subprocess.run(
        [sys.executable, str(HERE / "run_dags.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={
            **os.environ,
            "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
            "PYTHONWARNINGS": "ignore",
            **env,
        },
    )
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    said = [line.removeprefix("RESULT ") for line in lines]
    rows = [json.loads(line) for line in said if line.startswith("{")]
    assert rows[0] == {"errors": {}}
    return {row["dag"]: row for row in rows[1:]}, lines
