"""A deferred task that is killed, and a triggerer that is restarted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoTrigger, compat, connections
from hevo_edge.orchestration import Account
from tests.integrations.airflow.support import (
    FakeTaskInstance,
    deferral_of,
    first_event,
    is_cancelled,
    last_job,
    only_airflow_2,
    only_airflow_3,
    operator,
    start_by_schedule,
    starts,
)


@pytest.fixture
def job_id(emu: HevoEmulator) -> str:
    """The id of a Job that runs."""
    emu.pipeline(123).plan(duration=None, appears_after=0)
    return start_by_schedule(emu).job_id


@pytest.fixture
def by_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user has marked the task."""
    monkeypatch.setattr(compat, "was_ended_by_user", lambda _: True)


@pytest.fixture(autouse=True)
def nothing_of_a_task_is_stored(variables: dict[str, str]) -> None:
    """Airflow's database is not needed."""


def trigger(job_id: str | None, certainty: str | None = "certain", **options: Any) -> HevoTrigger:
    given = {"poke_interval": 0.05, "cancel_on_kill": True, **options}
    one = HevoTrigger(123, job_id=job_id, certainty=certainty, **given)
    one.task_instance = FakeTaskInstance()  # type: ignore[assignment]
    return one


@pytest.mark.usefixtures("by_a_user")
@pytest.mark.parametrize(
    ("certainty", "cancel_on_kill", "expected"),
    [
        ("certain", True, 1),
        ("likely", True, 1),
        ("possible", True, 0),
        ("joined", True, 0),
        (None, True, 0),
        ("certain", False, 0),
    ],
)
def test_on_kill_cancels_only_a_job_of_its_own(
    emu: HevoEmulator, job_id: str, certainty: str | None, cancel_on_kill: bool, expected: int
) -> None:
    asyncio.run(trigger(job_id, certainty, cancel_on_kill=cancel_on_kill).on_kill())
    assert len(emu.requests.of("cancel_job")) == expected
    assert (last_job(emu).status == "CANCELLING") is bool(expected)


@pytest.mark.parametrize("answer", [False, None])
def test_on_kill_cancels_nothing_when_another_triggerer_has_taken_over(
    emu: HevoEmulator, job_id: str, monkeypatch: pytest.MonkeyPatch, answer: bool | None
) -> None:
    monkeypatch.setattr(compat, "was_ended_by_user", lambda _: answer)
    asyncio.run(trigger(job_id).on_kill())
    assert emu.requests.of("cancel_job") == []


def test_on_kill_without_a_job_does_nothing(emu: HevoEmulator) -> None:
    asyncio.run(trigger(None).on_kill())
    assert emu.requests == []


@pytest.mark.usefixtures("by_a_user")
def test_on_kill_does_not_raise_when_hevo_refuses(
    emu: HevoEmulator, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    emu.faults.status(403, {"message": "not yours"}, on="cancel_job", times=None)
    asyncio.run(trigger(job_id).on_kill())
    assert "could not be cancelled" in caplog.text
    assert "not yours" in caplog.text


@pytest.mark.usefixtures("by_a_user")
def test_on_kill_does_not_raise_when_the_connection_is_gone(
    emu: HevoEmulator, job_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    asyncio.run(trigger(job_id, connection_id="nowhere").on_kill())
    assert "could not be cancelled" in caplog.text
    assert "nowhere" in caplog.text


async def cancelled(one: HevoTrigger, *, again: bool = False) -> None:
    """Cancel a trigger in the midst of its wait, as a triggerer does; and perhaps again."""
    waiting = asyncio.ensure_future(first_event(one))
    await asyncio.sleep(0.2)
    waiting.cancel()
    if again:
        asyncio.get_running_loop().call_later(0.001, waiting.cancel)
    with pytest.raises(asyncio.CancelledError):
        await waiting


@only_airflow_2
@pytest.mark.parametrize(
    ("by_user", "cancel_on_kill", "expected"),
    [(True, True, 1), (False, True, 0), (None, True, 0), (True, False, 0)],
)
def test_on_airflow_2_a_cancellation_asks_who_it_was(
    emu: HevoEmulator,
    job_id: str,
    monkeypatch: pytest.MonkeyPatch,
    by_user: bool | None,
    cancel_on_kill: bool,
    expected: int,
) -> None:
    asked: list[Any] = []

    def was_ended_by_user(ti: Any) -> bool | None:
        asked.append(ti)
        return by_user

    monkeypatch.setattr(compat, "was_ended_by_user", was_ended_by_user)
    one = trigger(job_id, cancel_on_kill=cancel_on_kill)
    asyncio.run(cancelled(one, again=True))
    assert len(emu.requests.of("cancel_job")) == expected
    assert asked == ([one.task_instance] if cancel_on_kill else [])


@only_airflow_3
def test_on_airflow_3_a_cancellation_alone_cancels_nothing(emu: HevoEmulator, job_id: str) -> None:
    # A restart of the triggerer cancels as well; Airflow calls on_kill when it was a user.
    asyncio.run(cancelled(trigger(job_id)))
    assert emu.requests.of("cancel_job") == []


@pytest.mark.usefixtures("by_a_user")
@only_airflow_3
def test_airflow_3_calls_on_kill_after_the_cancellation(emu: HevoEmulator, job_id: str) -> None:
    async def killed() -> None:
        one = trigger(job_id)
        await cancelled(one)
        await one.on_kill()

    asyncio.run(killed())
    assert [call.took_effect for call in emu.requests.of("cancel_job")] == [True]


def test_a_restarted_triggerer_goes_on(emu: HevoEmulator, job_id: str) -> None:
    one = trigger(job_id, cancel_on_kill=False)
    asyncio.run(cancelled(one))
    last_job(emu).end(emu.now, "COMPLETED")
    assert asyncio.run(first_event(one))["status"] == "success"


async def killed_as_by_a_triggerer(one: HevoTrigger) -> None:
    """Do what Airflow 3.3 does with a killed task: it cancels again at each turn of its loop."""

    async def run_trigger() -> None:
        try:
            await first_event(one)
        except asyncio.CancelledError:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait_for(one.on_kill(), 30)
            raise
        finally:
            await one.cleanup()

    running = asyncio.ensure_future(run_trigger())
    await asyncio.sleep(0.2)
    while not running.done():
        running.cancel()
        await asyncio.sleep(0.05)


@pytest.mark.usefixtures("by_a_user")
@only_airflow_3
@pytest.mark.parametrize("status", [429, 503])
def test_a_kill_outlasts_the_triggerers_impatience_and_what_passes(
    emu: HevoEmulator, job_id: str, status: int
) -> None:
    emu.faults.status(status, headers={"Retry-After": "0"}, on="cancel_job", times=6)
    asyncio.run(killed_as_by_a_triggerer(trigger(job_id)))
    assert is_cancelled(last_job(emu))
    assert len(emu.requests.of("cancel_job")) == 7


@pytest.mark.usefixtures("by_a_user")
@only_airflow_3
def test_forty_kills_at_once_cancel_forty_jobs(emu: HevoEmulator) -> None:
    jobs = []
    for pipeline_id in range(200, 240):
        emu.add_pipeline(pipeline_id, duration=None)
        jobs.append(emu.pipeline(pipeline_id).start_job(now=emu.now))

    def of(pipeline_id: int, job_id: str) -> HevoTrigger:
        one = HevoTrigger(pipeline_id, job_id=job_id, certainty="certain", cancel_on_kill=True)
        one.task_instance = FakeTaskInstance()  # type: ignore[assignment]
        return one

    async def kill_all() -> None:
        kills = [of(number, job.job_id) for number, job in enumerate(jobs, 200)]
        await asyncio.gather(*map(killed_as_by_a_triggerer, kills))

    asyncio.run(kill_all())
    assert all(map(is_cancelled, jobs))


@pytest.mark.usefixtures("by_a_user")
def test_what_could_not_be_cancelled_is_named_and_left_to_the_next_try(
    emu: HevoEmulator,
    job_id: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(compat, "on_kill_timeout", lambda: 0.5)
    emu.faults.status(503, on="cancel_job", times=None)
    began = time.monotonic()
    asyncio.run(trigger(job_id).on_kill())
    assert time.monotonic() - began < 5
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert f"hevo-edge cancel 123:{job_id}" in warned[-1]
    assert "503" in warned[-1]
    assert list(variables.values()) == [f"123:{job_id}"]


@pytest.mark.usefixtures("by_a_user")
@pytest.mark.parametrize("cleared", [False, True])
def test_the_next_try_cancels_what_a_kill_had_to_leave(
    emu: HevoEmulator,
    context: Any,
    ti: FakeTaskInstance,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    cleared: bool,
) -> None:
    monkeypatch.setattr(compat, "on_kill_timeout", lambda: 0.3)
    deferred = deferral_of(operator(), context)
    first = last_job(emu)
    refusing = emu.faults.status(503, on="cancel_job", times=None)
    deferred.trigger.task_instance = ti
    asyncio.run(deferred.trigger.on_kill())
    assert first.status == "IN_PROGRESS"
    emu.faults.rules.remove(refusing)
    ti.max_tries += cleared
    again = deferral_of(operator(), context)
    assert first.status == "CANCELLED"
    assert again.trigger.job_id == last_job(emu).job_id != first.job_id
    assert starts(emu) == 2
    assert not [key for key in variables if key.startswith("hevo_cancel")]


@pytest.mark.parametrize("slow", ["Hevo", "the connection"])
@pytest.mark.usefixtures("by_a_user")
def test_whatever_takes_the_time_the_job_is_named_and_left(
    emu: HevoEmulator,
    job_id: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    slow: str,
) -> None:
    async def hangs(_: str) -> Account:
        await asyncio.sleep(60)
        raise AssertionError

    monkeypatch.setattr(compat, "on_kill_timeout", lambda: 1.0)
    if slow == "Hevo":
        emu.faults.delay(100 * 60, on="cancel_job", times=None)
    else:
        monkeypatch.setattr(connections, "read_async", hangs)
    asyncio.run(trigger(job_id).on_kill())
    assert f"hevo-edge cancel 123:{job_id}" in caplog.text
    assert list(variables.values()) == [f"123:{job_id}"]
    emu.faults.rules.clear()


def test_who_ended_it_is_not_guessed_where_airflow_does_not_say_in_time(
    emu: HevoEmulator,
    job_id: str,
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    over = threading.Event()
    monkeypatch.setattr(compat, "was_ended_by_user", lambda _: over.wait(10))
    monkeypatch.setattr(compat, "on_kill_timeout", lambda: 0.3)

    async def kill() -> None:
        await trigger(job_id).on_kill()
        over.set()  # asyncio.run waits for the thread

    asyncio.run(kill())
    assert f"hevo-edge cancel 123:{job_id}" in caplog.text
    assert not variables
    assert emu.requests.of("cancel_job") == []


def test_the_time_of_a_kill_is_the_triggerers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert compat.on_kill_timeout() == 25
    monkeypatch.setenv("AIRFLOW__TRIGGERER__ON_KILL_TIMEOUT", "6")
    assert compat.on_kill_timeout() == 3
