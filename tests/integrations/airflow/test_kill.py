"""Killing a task whose Job runs in Hevo."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from threading import Timer
from typing import Any

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.airflow import HevoPipelineOperator, compat
from hevo_edge.integrations.airflow import task as task_module
from tests.integrations.airflow.support import (
    deferral_of,
    last_job,
    operator,
    start_by_schedule,
    starts,
)


class Killed(BaseException):
    """What Airflow's handler raises after it has called on_kill."""


@pytest.fixture
def ended_by(monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """What Airflow says of who has ended the task; the last entry counts."""
    answers: list[bool | None] = [True]
    monkeypatch.setattr(compat, "was_ended_by_user", lambda ti: answers[-1])
    return answers


def started(context: Any, **options: Any) -> HevoPipelineOperator:
    """Return an operator whose Job runs; ``on_kill`` can come at any moment now."""
    task = operator(**options)
    deferral_of(task, context)
    return task


def cancels(emu: HevoEmulator) -> int:
    return len(emu.requests.of("cancel_job"))


@pytest.mark.parametrize(
    ("cancel_on_kill", "by_user", "expected"),
    [
        ("user", True, 1),
        ("user", False, 0),
        ("user", None, 0),
        ("always", True, 1),
        ("always", False, 1),
        ("always", None, 1),
        ("never", True, 0),
    ],
)
def test_a_kill_cancels_the_job_if_the_right_one_has_asked(
    emu: HevoEmulator,
    context: Any,
    ended_by: list[bool | None],
    cancel_on_kill: str,
    by_user: bool | None,
    expected: int,
) -> None:
    ended_by.append(by_user)
    started(context, cancel_on_kill=cancel_on_kill).on_kill()
    assert cancels(emu) == expected
    if expected:
        assert emu.requests.of("cancel_job")[0].took_effect


def test_a_job_that_was_joined_is_left_running(
    emu: HevoEmulator,
    context: Any,
    ended_by: list[bool | None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    start_by_schedule(emu).visible_from = emu.now
    task = started(context, if_running="join", cancel_on_kill="always")
    task.on_kill()
    assert cancels(emu) == 0
    assert "not surely of this task" in caplog.text


def test_a_job_that_is_only_possibly_its_own_is_left_running(
    emu: HevoEmulator, context: Any, ended_by: list[bool | None]
) -> None:
    emu.faults.drop(on="sync_now", effect="after")  # whether the POST arrived is not known
    task = started(context, cancel_on_kill="always")
    assert starts(emu) == 1
    task.on_kill()
    assert cancels(emu) == 0


def test_a_kill_before_anything_was_started_does_nothing(emu: HevoEmulator) -> None:
    operator(cancel_on_kill="always").on_kill()
    assert emu.requests == []


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
def test_trouble_with_the_cancel_is_logged_and_not_raised(
    emu: HevoEmulator,
    context: Any,
    ended_by: list[bool | None],
    caplog: pytest.LogCaptureFixture,
    status: int,
) -> None:
    task = started(context)
    emu.faults.status(status, {"message": "Hevo's words"}, on="cancel_job", times=None)
    began = time.monotonic()
    task.on_kill()
    assert time.monotonic() - began < task_module._KILL_TIMEOUT + 1
    assert cancels(emu) >= 1
    assert [r for r in caplog.records if r.levelno == logging.WARNING]


def test_a_kill_takes_no_longer_than_airflow_allows(
    emu: HevoEmulator,
    context: Any,
    ended_by: list[bool | None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = started(context)
    monkeypatch.setattr(task_module, "_KILL_TIMEOUT", 0.3)
    rule = emu.faults.delay(100, on="*", times=None)  # a second
    began = time.monotonic()
    task.on_kill()
    assert time.monotonic() - began < 0.9
    assert [r for r in caplog.records if r.levelno == logging.WARNING]
    emu.faults.rules.remove(rule)


def test_an_answer_of_airflow_that_never_comes_is_not_waited_for(
    emu: HevoEmulator, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = started(context)
    monkeypatch.setattr(task_module, "_KILL_TIMEOUT", 0.2)

    def hangs(ti: Any) -> bool:
        time.sleep(0.6)
        return False

    monkeypatch.setattr(compat, "was_ended_by_user", hangs)
    began = time.monotonic()
    task.on_kill()
    assert time.monotonic() - began < 0.5


@pytest.fixture
def airflows_handler() -> Iterator[list[HevoPipelineOperator]]:
    """A handler of SIGTERM like that of Airflow's task runner; it is for the task in the list."""
    tasks: list[HevoPipelineOperator] = []

    def handle(signum: int, frame: Any) -> None:
        tasks[0].on_kill()
        raise Killed

    before = signal.signal(signal.SIGTERM, handle)
    yield tasks
    signal.signal(signal.SIGTERM, before)


def test_a_kill_from_a_signal_handler_while_the_worker_waits(
    emu: HevoEmulator,
    context: Any,
    ended_by: list[bool | None],
    airflows_handler: list[HevoPipelineOperator],
) -> None:
    task = operator(deferrable=False)
    airflows_handler.append(task)

    def kill() -> None:
        signal.raise_signal(signal.SIGTERM)

    timer = Timer(0.7, kill)
    timer.start()
    with pytest.raises(Killed):
        task.execute(context)  # asyncio.run is in the main thread now
    timer.join()
    assert cancels(emu) == 1
    assert last_job(emu).status in {"CANCELLING", "CANCELLED"}
