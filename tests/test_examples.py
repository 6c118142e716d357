"""Every example runs as its reader would run it, and says what it promises to say."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator

EXAMPLES = Path(__file__).parent.parent / "examples"
SAYS = {
    "account.py": [],
    "quickstart.py": [
        "Pipeline 123 (Orders to the warehouse) is there; its status is INITIALIZED",
        "started as INCREMENTAL Job",
        "started as RESYNC_WITH_DROP_AND_LOAD Job",
        "COMPLETED after 1m40s: 1,000 events loaded, 0 failed; 3 objects done, 0 failed",
        "2 of 2 Jobs succeeded",
    ],
    "await_many.py": [
        "Waiting for 100 Jobs within the budget",
        "Pipeline 7 ended FAILED after 37s",
        "99 of 100 Jobs have succeeded",
        "and 0 of them refused",
    ],
    "from_sync_code.py": ["script: 1,000 events loaded", "thread worker: 1,000 events loaded"],
    "event_driven.py": ["backup-2026-01-01.dump is complete", "COMPLETED: 1,000 events", "done"],
    "own_orchestrator.py": [
        "Pipeline 1: resumed Job",
        "Pipeline 1, attempt 1: success",
        "Pipeline 2, attempt 1: failed",
        "Pipeline 2, attempt 2: success",
        "stopped; its Job was cancelled",
        "it ended with exit status 143",
        "Pipeline 1: its runs are COMPLETED\n",
        "Pipeline 2: its runs are FAILED, COMPLETED\n",
        "Pipeline 3: its runs are CANCELLED\n",
        "tickets that are left: []",
    ],
    "seeing_the_calls.py": [
        "of Pipeline 124 ended COMPLETED",
        "   3 sync_now",
        "waited 0 s for the call budget, of which now ",
        " of 100 calls in 3 s are used",
    ],
    "recover_after_downtime.py": [
        "5 of 8 Pipelines failed in their last run",
        "Syncing them, 3 at a time",
        "5 of 5 have recovered",
    ],
    "schema_update.py": [
        "app.public.invoices: BLOCKED",
        "invoices is ACTIVE now",
        "Sync: HISTORICAL COMPLETED: users (250 rows)",
        "invoices (250 rows)\n",
        "Resync of invoices: HISTORICAL COMPLETED: invoices (1,000 rows)",
    ],
    "survive_a_crash.py": [
        "there is no ticket; triggering",
        "the first worker died, with exit status 9",
        "there is a ticket; Hevo has accepted it: True",
        ": certain",
        "COMPLETED",
        "POSTs that Hevo has seen: 1; runs that it has started: 1",
    ],
    "sync_several.py": [
        "Syncing 3 Pipelines at once",
        "Pipeline 3: COMPLETED, 3,000 events loaded",
        "All have succeeded",
    ],
}


SHOW_PROGRESS = {"seeing_the_calls.py"}
# What asyncio's debug mode says of a callback on a busy machine, which took less than a second.
BUSY = re.compile(r"^Executing <.*> took 0\.\d+ seconds\n", re.MULTILINE)


@pytest.fixture(autouse=True)
def shared_windows_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("machine")))


def run(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HEVO_")}
    return subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**clean, **environment},
    )


def test_no_example_is_forgotten() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_example_runs_and_says_what_it_does(name: str) -> None:
    done = run(name)
    assert done.returncode == 0, done.stderr
    said = BUSY.sub("", done.stderr)
    assert said == "" or (name in SHOW_PROGRESS and "looking for its Job" in said)
    for words in SAYS[name]:
        assert words in done.stdout


def test_quickstart_names_the_setting_that_is_missing() -> None:
    done = run("quickstart.py", HEVO_API_KEY="key", HEVO_PIPELINE_ID="1")
    assert done.returncode == 2
    assert "HEVO_API_SECRET" in done.stderr
    done = run("quickstart.py", HEVO_REGION="us")
    assert done.returncode == 2
    assert "HEVO_API_KEY, HEVO_API_SECRET" in done.stderr
    done = run("quickstart.py", HEVO_API_KEY="key", HEVO_API_SECRET="s", HEVO_REGION="us")
    assert done.returncode == 2
    assert "HEVO_PIPELINE_ID" in done.stderr
    settings = {"HEVO_API_KEY": "key", "HEVO_API_SECRET": "s", "HEVO_REGION": "us"}
    done = run("quickstart.py", **settings, HEVO_PIPELINE_ID="nonsense")
    assert done.returncode == 2
    assert done.stderr == "pipeline_id must be a positive integer, not 'nonsense'\n"


def test_quickstart_says_when_hevo_cannot_be_reached() -> None:
    done = run(
        "quickstart.py",
        HEVO_API_KEY="key",
        HEVO_API_SECRET="very-secret",
        HEVO_PIPELINE_ID="1",
        HEVO_BASE_URL="http://127.0.0.1:9",
    )
    assert done.returncode == 3
    assert "RequestNotSent" in done.stderr
    assert "very-secret" not in done.stderr + done.stdout


async def test_the_orchestrator_tries_again_when_its_post_never_arrived(
    emulator: HevoEmulator,
    hevo: HevoClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next attempt searches once more, and only then posts again."""
    monkeypatch.syspath_prepend(EXAMPLES)
    example = importlib.import_module("own_orchestrator")
    emulator.faults.drop(on="sync_now")
    assert await example.Orchestrator(hevo, "", tmp_path, every=15.0).run_task("123")
    assert [call.took_effect for call in emulator.requests.of("sync_now")] == [False, True]
    assert not list(tmp_path.iterdir())
