"""What runs are told of their waits."""

from __future__ import annotations

import logging

import pytest

from hevo_edge.enums import PipelineAction
from hevo_edge.integrations.prefect.notes import RunNotes
from hevo_edge.observing import BudgetEvent, TriggerEvent, TriggerPhase

BUDGET = "waiting for Hevo's call budget, about 40 s"


def waits(priority: str, *, expected: float = 40.0, waited: float | None = None) -> BudgetEvent:
    return BudgetEvent(
        name="get_job", pipeline_id=7, priority=priority, expected=expected, waited=waited
    )


@pytest.fixture(autouse=True)
def at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def test_a_call_that_waits_for_the_budget(caplog: pytest.LogCaptureFixture) -> None:
    notes = RunNotes()
    notes.on_budget(waits("trigger"))
    notes.on_budget(waits("trigger", waited=40.0))
    notes.on_budget(waits("trigger", expected=1.0))
    assert caplog.messages == [BUDGET]


def test_polls_tell_each_wait_of_their_pipeline_once(caplog: pytest.LogCaptureFixture) -> None:
    notes = RunNotes()
    with notes.told(7), notes.told(7), notes.told(8):
        notes.on_budget(waits("poll"))
        notes.on_budget(waits("poll"))
    notes.on_budget(waits("poll"))
    assert caplog.messages == [BUDGET, BUDGET]


def test_what_a_trigger_does_that_takes_long(caplog: pytest.LogCaptureFixture) -> None:
    notes = RunNotes()
    for phase in TriggerPhase:
        notes.on_trigger(
            TriggerEvent(
                call=1,
                verb="trigger",
                ticket_id="",
                pipeline_id=7,
                action=PipelineAction.SYNC_NOW,
                phase=phase,
                doing=f"it is {phase}",
                elapsed=0.0,
            )
        )
    assert caplog.messages == ["Pipeline 7: it is waiting", "Pipeline 7: it is searching"]
