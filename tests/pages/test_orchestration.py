"""What the page docs/orchestration.md says, beside its blocks."""

from __future__ import annotations

import time

import pytest

from hevo_edge import Job
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Outcome, Run, RunSpec
from tests.conftest import client_of


class Texts:
    """Keeps one text in memory, as a TicketStore."""

    def __init__(self) -> None:
        self._text: str | None = None

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        self._text = text

    def delete(self) -> None:
        self._text = None


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_an_attempt_after_an_ambiguous_post(effect: str) -> None:
    """What the page on orchestrators says of retries after ``"error"``."""
    async with HevoEmulator() as emulator:
        emulator.add_pipeline(123, appears_after=200 if effect == "after" else 5, duration=600)
        emulator.faults.drop(on="sync_now", effect=effect)
        store = Texts()
        async with client_of(emulator) as hevo:
            outcome = await Run(RunSpec(123), store, account="").start(hevo)
            assert isinstance(outcome, Outcome)
            assert outcome.error == "TriggerOutcomeUnknown"
            hurried = RunSpec(123, deadline=time.time() + 5)
            again = await Run(hurried, store, account="").start(hevo)
            assert isinstance(again, Outcome)
            assert len(emulator.requests.of("sync_now")) == 1
            assert isinstance(await Run(RunSpec(123), store, account="").start(hevo), Job)
        effects = [call.took_effect for call in emulator.requests.of("sync_now")]
        assert effects == ([True] if effect == "after" else [False, True])
