"""What the command line says of waits before there is a Job."""

from __future__ import annotations

import logging

import pytest

from hevo_edge import PipelineAction
from hevo_edge._command_line import notes
from hevo_edge._command_line.notes import WaitNotes
from hevo_edge._command_line.output import Console
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import BudgetEvent, TriggerEvent, TriggerPhase
from tests.command_line.support import FAST, CommandLine


def test_what_a_trigger_waits_for(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=0.0)
    running = pipeline.start_job(now=emulator.now)
    done = hevo_edge("sync", "123", "--if-running", "wait", *FAST)
    assert done.code == 0
    assert f"Pipeline 123: waiting for Job {running.job_id} to end" in done.err.splitlines()


def test_logging_is_afterwards_as_it_was(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    below = logging.getLogger("hevo_edge.triggering")
    below.setLevel(below.level)  # it remembers nothing of earlier tests
    before = below.isEnabledFor(logging.INFO)
    assert hevo_edge("sync", "123", *FAST).code == 0
    assert below.isEnabledFor(logging.INFO) is before


def budget(expected: float, priority: str = "trigger", waited: float | None = None) -> BudgetEvent:
    return BudgetEvent(
        name="sync_now", pipeline_id=1, priority=priority, expected=expected, waited=waited
    )


def test_the_call_budget_is_told_of_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1000.0
    monkeypatch.setattr(notes, "monotonic", lambda: now)
    said = WaitNotes(Console())
    for event in (budget(2.0), budget(40.0, "poll"), budget(40.0), budget(41.0), budget(0, "", 4)):
        said.on_budget(event)
    assert capsys.readouterr().err == "waiting for the call budget, about 40s\n"
    now += notes.BETWEEN
    said.on_budget(budget(75.0))
    assert capsys.readouterr().err == "waiting for the call budget, about 1m15s\n"


def test_quiet_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    said = WaitNotes(Console(is_quiet=True))
    said.on_budget(budget(40.0))
    said.on_trigger(
        TriggerEvent(
            call=1,
            verb="trigger",
            ticket_id="t",
            pipeline_id=1,
            action=PipelineAction.SYNC_NOW,
            phase=TriggerPhase.WAITING,
            doing="waiting for its restart",
            elapsed=0.0,
        )
    )
    assert capsys.readouterr().err == ""
