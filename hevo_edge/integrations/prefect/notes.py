"""What runs of Prefect are told of their waits, where those are not for the Job itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hevo_edge.integrations.prefect.run_log import run_logger
from hevo_edge.observing import BudgetEvent, Observer, TriggerEvent, TriggerPhase

NOTICEABLE = 3.0
"""Seconds from which on a wait for the call budget is worth a line."""


class RunNotes(Observer):
    """Tells flow runs and task runs what they wait for, where that is not the Job itself."""

    def __init__(self) -> None:
        self._waits: dict[int, list[Any]] = {}

    @contextmanager
    def told(self, pipeline_id: int) -> Iterator[None]:
        """Tell the run that calls, once, when polls of its Pipeline wait for the call budget."""
        logger = run_logger()
        waits = self._waits.setdefault(pipeline_id, [])
        waits.append(logger)
        try:
            yield
        finally:
            if logger in waits:
                waits.remove(logger)
            if not waits:
                self._waits.pop(pipeline_id, None)

    def on_trigger(self, event: TriggerEvent, /) -> None:
        """Say what a trigger does, as it may take a minute."""
        if event.phase in {TriggerPhase.WAITING, TriggerPhase.SEARCHING}:
            run_logger().info("Pipeline %s: %s", event.pipeline_id, event.doing)

    def on_budget(self, event: BudgetEvent, /) -> None:
        """Say that the call budget is used up."""
        if event.waited is not None or event.expected < NOTICEABLE:
            return
        loggers = [run_logger()]
        if event.priority == "poll" and event.pipeline_id is not None:
            waits = self._waits.get(event.pipeline_id, [])
            loggers, waits[:] = waits[:], []
        for logger in loggers:
            logger.info("waiting for Hevo's call budget, about %.0f s", event.expected)
