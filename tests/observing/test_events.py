"""What observers are told of the calls, the budget, polls, triggers, statuses and waits."""

from __future__ import annotations

import asyncio
import contextvars
import logging
from typing import Any

import pytest

from hevo_edge import HevoClient, Priority, RateLimit, api, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.observing import (
    BudgetEvent,
    Observer,
    PollEvent,
    RequestEvent,
    StatusEvent,
    ThrottledEvent,
    TriggerEvent,
    TriggerPhase,
    WaitEvent,
)
from hevo_edge.observing._observer import METHODS
from tests.awaiting.support import many, started
from tests.conftest import client_of


class Recorder(Observer):
    """Keeps all events, and the value of a context variable at each."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.contexts: dict[str, set[str]] = {}

    def _record(self, event: Any, /) -> None:
        self.events.append(event)
        self.contexts.setdefault(type(event).__name__, set()).add(CALLER.get())

    on_request = on_budget = on_throttled = on_poll = _record
    on_trigger = on_status = on_wait = _record

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


CALLER = contextvars.ContextVar("CALLER", default="nobody")


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


async def test_each_attempt_at_a_request_is_told(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    emulator.faults.status(502, times=2)
    async with client_of(emulator, observer=recorder) as hevo:
        await hevo.send(api.list_jobs(123, cursor=None))
    requests = recorder.of(RequestEvent)
    assert [event.status for event in requests] == [502, 502, 200]
    assert [event.attempt for event in requests] == [1, 2, 3]
    assert [type(event.error) for event in requests] == [errors.ServerError] * 2 + [type(None)]
    last = requests[-1]
    assert (last.name, last.method, last.path) == ("list_jobs", "GET", "/api/v1/pipelines/123/jobs")
    assert (last.pipeline_id, last.job_id, last.priority) == (123, None, "list")
    assert last.calls_left == 95  # of those that a trigger may make
    assert len(requests) == len(emulator.requests)


async def test_a_request_that_is_never_sent(recorder: Recorder, emulator: HevoEmulator) -> None:
    client = client_of(
        emulator, base_url="http://127.0.0.1:1", max_retries=0, observer=recorder, rate_limit=None
    )
    async with client as hevo:
        with pytest.raises(errors.RequestNotSent):
            await hevo.get_pipeline(5)
    (event,) = recorder.of(RequestEvent)
    assert (event.status, event.pipeline_id, event.calls_left) == (None, 5, None)
    assert isinstance(event.error, errors.RequestNotSent)


async def test_a_wait_for_the_budget_is_told_at_both_ends(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    limit = RateLimit(10, 60.0)
    async with client_of(emulator, observer=recorder, rate_limit=limit) as hevo:
        for _ in range(10):
            await hevo.send(api.get_pipeline(123), priority=Priority.CANCEL)
        assert not recorder.of(BudgetEvent)
        await hevo.send(api.get_pipeline(123), priority=Priority.CANCEL)
    begin, end = recorder.of(BudgetEvent)
    assert (begin.waited, end.expected) == (None, 0.0)
    assert begin.expected == pytest.approx(end.waited, abs=1)
    assert recorder.of(RequestEvent)[-1].waited == end.waited


async def test_an_interrupted_wait_for_the_budget_is_over_too(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder, rate_limit=RateLimit(1, 60.0)) as hevo:
        await hevo.get_pipeline(123)
        waiting = asyncio.create_task(hevo.get_pipeline(123))
        await asyncio.sleep(5)
        waiting.cancel()
        await asyncio.wait({waiting})
    assert [event.waited for event in recorder.of(BudgetEvent)] == [None, pytest.approx(5)]


async def test_a_429_is_told_with_its_pause(emulator: HevoEmulator, recorder: Recorder) -> None:
    emulator.faults.status(429, headers={"Retry-After": "7"}, times=1)
    async with client_of(emulator, observer=recorder) as hevo:
        await hevo.get_pipeline(123)
    (event,) = recorder.of(ThrottledEvent)
    assert (event.name, event.retry_after) == ("get_pipeline", 7)
    assert event.pause >= 7


async def test_a_trigger_tells_its_phases_and_its_end(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        job = await hevo.pipeline(123).trigger()
    events: list[TriggerEvent] = recorder.of(TriggerEvent)
    assert [event.phase for event in events] == [
        TriggerPhase.STARTED,
        TriggerPhase.READING,
        TriggerPhase.POSTING,
        TriggerPhase.SEARCHING,
        TriggerPhase.ENDED,
    ]
    assert len({(event.call, event.ticket_id) for event in events}) == 1
    last = events[-1]
    assert (last.verb, last.pipeline_id, last.job_id) == ("trigger", 123, job.id)
    assert (last.certainty, last.error) == (job.certainty, None)
    assert last.elapsed > 0


async def test_prepare_fire_and_reconcile_are_told_as_such(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        ticket = await hevo.pipeline(123).prepare_trigger()
        await hevo.fire(ticket)
        await hevo.reconcile(ticket)
    ends = [event for event in recorder.of(TriggerEvent) if event.phase is TriggerPhase.ENDED]
    assert [event.verb for event in ends] == ["prepare", "fire", "reconcile"]
    assert {event.ticket_id for event in ends} == {ticket.ticket_id}


async def test_a_trigger_that_fails_tells_its_error(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        started(emulator, hevo, duration=500)
        with pytest.raises(errors.JobInProgress) as raised:
            await hevo.pipeline(123).trigger()
        waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
        await asyncio.sleep(10)
        waiting.cancel()
        await asyncio.wait({waiting})
    ends = [event for event in recorder.of(TriggerEvent) if event.phase is TriggerPhase.ENDED]
    assert ends[0].error is raised.value
    assert isinstance(ends[1].error, asyncio.CancelledError)


async def test_statuses_are_told_once_each_and_waits_at_both_ends(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        jobs = many(emulator, hevo, {"duration": 60}, {"duration": 90, "outcome": "FAILED"})
        await hevo.await_all(jobs, on_failure="return")
        again = [hevo.job(job.ref) for job in jobs]  # handles that know nothing
        await hevo.await_all(again, on_failure="return")
    statuses: list[StatusEvent] = recorder.of(StatusEvent)
    told = {(event.pipeline_id, event.status, event.previous) for event in statuses}
    assert told == {
        (1, "IN_PROGRESS", None),
        (1, "COMPLETED", "IN_PROGRESS"),
        (2, "IN_PROGRESS", None),
        (2, "FAILED", "IN_PROGRESS"),
    }
    assert len(statuses) == 4
    ended = next(event for event in statuses if event.status == "COMPLETED")
    assert (ended.is_terminal, ended.duration) == (True, 60.0)
    assert ended.detection_delay is not None
    waits: list[WaitEvent] = recorder.of(WaitEvent)
    assert [str(event.phase) for event in waits[:4]] == ["started", "started", "ended", "ended"]
    failed = [event for event in waits if isinstance(event.error, errors.JobFailed)]
    assert {event.pipeline_id for event in failed} == {2}


async def test_waits_that_are_left_are_told(emulator: HevoEmulator, recorder: Recorder) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        jobs = many(emulator, hevo, {"duration": 30, "outcome": "FAILED"}, {"duration": 900})
        with pytest.raises(errors.JobFailed):
            await hevo.await_all(jobs)
    ends = [event for event in recorder.of(WaitEvent) if event.phase == "ended"]
    assert [type(event.error) for event in ends] == [errors.JobFailed, asyncio.CancelledError]


async def test_polls_are_told(emulator: HevoEmulator, recorder: Recorder) -> None:
    async with client_of(emulator, observer=recorder) as hevo:
        _, job = started(emulator, hevo, duration=60)
        emulator.faults.status(503, on="get_job", times=8)
        with pytest.raises(errors.JobTimeout):
            await job.await_completion(timeout=50)
        waiting = hevo.pipeline(123).await_completion(timeout=100)
        await waiting
    polls: list[PollEvent] = recorder.of(PollEvent)
    assert isinstance(polls[0].error, errors.ServerError)
    assert any(poll.is_final for poll in polls)
    assert any(poll.job_ids == () for poll in polls)
    assert any(poll.job_ids == (job.id,) and poll.error is None for poll in polls)


async def test_contexts_are_those_of_the_caller_or_nobodys(
    emulator: HevoEmulator, recorder: Recorder
) -> None:
    async with client_of(emulator, observer=recorder) as hevo:

        async def sync() -> None:
            CALLER.set("me")
            job = await hevo.pipeline(123).trigger()
            await job.await_completion()

        await asyncio.create_task(sync())
    assert recorder.contexts["TriggerEvent"] == {"me"}
    assert recorder.contexts["WaitEvent"] == {"me"}
    assert recorder.contexts["PollEvent"] == {"nobody"}
    assert recorder.contexts["StatusEvent"] == {"nobody"}


# -- observers that are wrong ----------------------------------------------------------------------


class Raises(Observer):
    """Raises at each request."""

    def on_request(self, event: RequestEvent, /) -> None:
        raise ValueError("no such metric")


async def test_one_that_raises_is_logged_once_and_disturbs_nothing(
    emulator: HevoEmulator, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    async with client_of(emulator, observer=[Raises(), recorder]) as hevo:
        for _ in range(3):
            await hevo.get_pipeline(123)
    told = [record for record in caplog.records if record.name == "hevo_edge.observing"]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert "Raises.on_request has raised" in told[0].getMessage()
    assert len(recorder.of(RequestEvent)) == 3


class Slow(Observer):
    """Has a method that nobody would await."""

    async def on_wait(self, event: WaitEvent, /) -> None:  # type: ignore[override]
        pass


@pytest.mark.parametrize("wrong", [Slow(), [Slow()], Recorder, "observer", 5, [None], [object()]])
def test_what_is_no_observer_is_refused(wrong: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="observer"):
        HevoClient("key", "secret", region="us", observer=wrong)


@pytest.mark.parametrize("slip", ["on_requests", "on_throttle", "on_statuses", "on_triggered"])
def test_a_misspelt_method_is_refused(slip: str) -> None:
    misspelt = type("Ours", (Observer,), {slip: lambda self, event: None})
    with pytest.raises(
        errors.ConfigurationError, match=f"Ours.{slip} would never be called; is on"
    ):
        HevoClient("key", "secret", region="us", observer=misspelt())
    own = type("Ours", (Observer,), {"on_request_done": lambda self: None, "on_start": None})
    HevoClient("key", "secret", region="us", observer=own())


def test_any_object_with_the_methods_will_do() -> None:
    class Own:
        pass

    own = Own()
    for name in METHODS:
        setattr(own, name, lambda event: None)
    HevoClient("key", "secret", region="us", observer=own)  # type: ignore[arg-type]
