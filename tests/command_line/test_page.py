"""Every command on the page "On the command line" runs as it stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hevo_edge._command_line.exit_codes import WORST_FIRST, ExitCode
from hevo_edge._command_line.parser import build
from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.__main__ import parser as emulator_parser
from tests.command_line.support import FAST, SHORT, CommandLine, command

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text()
SCRIPTS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
REF = "123:550e8400-e29b-41d4-a716-446655440000"
TICKET = "~/.local/state/hevo-edge/tickets/123-0a1b2c.json"
WAITS = re.compile(
    r"^(hevo-edge (?:sync|resync|wait|recover|cancel) [^|>\n]*?)(?= *(?:[|>\n]|$))", re.MULTILINE
)


@pytest.fixture
def home(emulator: HevoEmulator, tmp_path: Path) -> Path:
    """A home folder as the page has it, and Pipelines of which one has failed."""
    for number in (1, 2, 7):
        emulator.add_pipeline(number, history=1, **SHORT)
    emulator.pipeline(7).add_history(created=emulator.now - 600, status="FAILED", duration=30.0)
    emulator.pipeline(123).add_history(created=emulator.now - 600, duration=30.0)
    folders = (".config/hevo-edge", ".config/fish/completions", "bin")
    for folder in (*folders, ".local/share/bash-completion/completions"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / ".config/hevo-edge/profiles.ini").write_text(
        f"[prod]\napi_key = {emulator.api_key}\napi_secret = {emulator.api_secret}\n"
        f"base_url = {emulator.base_url}\n"
    )
    shim = tmp_path / "bin" / "hevo-edge"
    shim.write_text(f'#!/bin/sh\nexec {" ".join(command())} "$@"\n')
    shim.chmod(0o755)
    return tmp_path


def run(script: str, emulator: HevoEmulator, home: Path) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    path = f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-eu", "-c", script],
        env={**clean, **emulator.environment, "HOME": str(home), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda text: " ".join(text.split()[:4]))
def test_it_runs(emulator: HevoEmulator, hevo_edge: CommandLine, home: Path, script: str) -> None:
    if "jq" in script and shutil.which("jq") is None:
        pytest.skip("jq is not installed")
    code = re.sub(r"^export .*\n", "", script, flags=re.MULTILINE)
    job = f"123:{emulator.pipeline(123).jobs[-1].job_id}"
    code = WAITS.sub(rf"\1 {' '.join(FAST)}", code.replace(REF, job))
    if (now := "hevo-edge wait 123 --timeout") in code:
        emulator.pipeline(123).plan(duration=60.0)
        code = code.replace(now, f"hevo-edge sync 123 --no-wait\n{now}")
    if TICKET in code:
        emulator.faults.drop(on="sync_now", effect="after")
        emulator.pipeline(123).plan(appears_after=60.0)
        cut_off = run("hevo-edge sync 123 --timeout 5", emulator, home)
        assert cut_off.returncode == 6, cut_off.stderr
        code = code.replace(TICKET, cut_off.stderr.split()[-1])
    done = run(code, emulator, home)
    assert done.returncode == 0, done.stderr
    assert done.stdout or "completion" in script
    assert not [line for line in done.stderr.splitlines() if line.startswith("hevo-edge: ")]


def test_what_it_shows_outside_of_scripts_runs_too(emulator: HevoEmulator, home: Path) -> None:
    (home / ".config/hevo-edge/profiles.ini").chmod(0o600)
    (cron,) = re.findall(r"^0 6 \* \* \*  /opt/venv/bin/(hevo-edge .*)$", PAGE, re.MULTILINE)
    (in_ci,) = re.findall(r"^  run: (hevo-edge .*)$", PAGE, re.MULTILINE)
    for line in (cron, in_ci):
        done = run(WAITS.sub(rf"\1 {' '.join(FAST)}", line), emulator, home)
        assert done.returncode == 0, done.stderr
    assert "> /dev/null" in cron
    (arguments,) = re.findall(r"^hevo-edge emulator (.*)$", PAGE, re.MULTILINE)
    emulated = emulator_parser().parse_args(arguments.split())
    assert (emulated.pipelines, emulated.failed, emulated.fail) == ([1, 2, 3, 123], [2], [3])


def test_no_command_and_no_exit_code_is_forgotten() -> None:
    names = build()._subparsers
    assert names is not None
    for name in names._group_actions[0].choices or ():
        assert re.search(rf"hevo-edge (--profile prod )?{name}\b", PAGE), name
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
    assert table == set(ExitCode)
    order = ", ".join(str(int(code)) for code in WORST_FIRST)
    assert f"in this order: {order}." in PAGE
