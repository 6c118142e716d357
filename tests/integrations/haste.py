"""The SDK's own pauses, shortened: its time is real, that of the tests' emulator runs faster."""

from __future__ import annotations

import pytest

from hevo_edge import job
from hevo_edge._awaiting import failures
from hevo_edge._http import throttle
from hevo_edge._jobs import cancel
from hevo_edge._triggering import attempt, discovery, if_running, pipeline_reader
from hevo_edge.orchestration import _blocking, waits
from hevo_edge.schedules import fixed, geometric


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten them for a test, whose emulator runs a hundred times faster than the clock."""
    soon, pauses = fixed(0.05), geometric(share=0.1, shortest=0.05, longest=0.5)
    monkeypatch.setattr(throttle, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(throttle, "LEAST_PAUSE", 0.1)
    monkeypatch.setattr(failures, "CONFIRMING_INTERVAL", 0.2)
    monkeypatch.setattr(discovery, "FIRST_POLL", 0.05)
    monkeypatch.setattr(discovery, "POLL_GAPS", pauses)
    monkeypatch.setattr(discovery, "ACCEPT_DOUBTFUL_AFTER", 0.5)
    monkeypatch.setattr(discovery, "LISTED_WITHIN", 0.3)
    monkeypatch.setattr(attempt, "LISTED_WITHIN", 0.3)
    monkeypatch.setattr(attempt, "REPEAT_PAUSES", pauses)
    monkeypatch.setattr(attempt, "UNLISTED_POLL", 0.05)
    monkeypatch.setattr(attempt, "MIN_PAUSE", 0.05)
    monkeypatch.setattr(if_running, "POLL_UNTIL_ENDED", soon)
    monkeypatch.setattr(if_running, "UNTIL_CANCELLED", soon)
    monkeypatch.setattr(pipeline_reader, "READY_POLL_INTERVAL", 0.05)
    monkeypatch.setattr(job, "UNTIL_CANCELLED", soon)
    monkeypatch.setattr(cancel, "BACKOFF_FACTOR", 0.01)
    monkeypatch.setattr(waits, "CANCEL_PAUSE", 0.05)
    monkeypatch.setattr(_blocking, "TRIGGER_GAPS", pauses)
    monkeypatch.setattr(_blocking, "POLL_INTERVAL", 0.05)
