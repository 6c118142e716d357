"""A run that is terminated: by a user, and otherwise."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.dagster import HevoResource, step
from hevo_edge.integrations.dagster.tickets import FROM_FAILURE
from tests.integrations.dagster.support import assets_of, last_job, logged, starts
from tests.integrations.dagster.test_never_doubled import execute, job_of, nothing, re_execute

LIMIT = 60.0
"""Seconds for what a test waits for, whatever hangs."""


@contextmanager
def terminating(
    emu: HevoEmulator, instance: dg.DagsterInstance, *, by_user: bool
) -> Iterator[None]:
    """Terminate this process's run as a launcher does, as soon as its Job is being polled."""

    def terminate() -> None:
        until = time.monotonic() + LIMIT
        while not emu.requests.of("get_job") and time.monotonic() < until:
            time.sleep(0.02)
        (run,) = instance.get_runs()
        if by_user:
            instance.report_run_canceling(run)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=terminate)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def run_terminated(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    *,
    by_user: bool,
    **options: Any,
) -> list[str]:
    """Terminate a run of Pipeline 123's assets. Returns what it has logged."""
    assets = assets_of(hevo, 123, **options)
    with terminating(emu, instance, by_user=by_user):
        result = dg.materialize(
            [assets], resources={"hevo": hevo}, instance=instance, raise_on_error=False
        )
    assert not result.success
    return logged(instance, result.run_id)


def cancels(emu: HevoEmulator) -> int:
    return len(emu.requests.of("cancel_job"))


@pytest.mark.parametrize(
    ("choice", "by_user", "cancelled"),
    [
        ("user", True, True),
        ("user", False, False),
        ("always", False, True),
        ("never", True, False),
    ],
)
def test_the_job_is_cancelled_as_it_was_asked_for(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    choice: str,
    by_user: bool,
    cancelled: bool,
) -> None:
    lines = run_terminated(emu, hevo, instance, by_user=by_user, cancel_on_termination=choice)
    assert (cancels(emu) > 0) == cancelled
    assert (last_job(emu).status in {"CANCELLING", "CANCELLED"}) == cancelled
    if cancelled:
        assert lines[-1] == f"Hevo was asked to cancel Job 123:{last_job(emu).job_id}"
    elif choice == "user":
        assert "no user asked" in lines[-1]


def test_a_job_that_was_joined_is_not_cancelled(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    emu.pipeline(123).plan(duration=None, appears_after=0)
    emu.pipeline(123).start_job(now=emu.now)
    run_terminated(emu, hevo, instance, by_user=True, if_running="join")
    assert starts(emu) == 0
    assert cancels(emu) == 0


def test_a_cancel_that_fails_says_how_to_do_it_by_hand(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(step, "CANCEL_TIMEOUT", 0.5)
    emu.faults.status(403, {"message": "no"}, on="cancel_job", times=None)
    lines = run_terminated(emu, hevo, instance, by_user=True)
    assert f"hevo-edge cancel 123:{last_job(emu).job_id}" in lines[-1]
    assert last_job(emu).status == "IN_PROGRESS"


def test_a_re_execution_cancels_what_could_not_be_cancelled(
    emu: HevoEmulator,
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(step, "CANCEL_TIMEOUT", 5.0)
    emu.faults.status(403, {"message": "no"}, on="cancel_job", times=None)
    emu.pipeline(7).plan(duration=None)
    job = job_of(hevo, nothing, timeout=LIMIT)
    with terminating(emu, instance, by_user=True):
        result = execute(job, instance)
    emu.faults.clear()
    assert re_execute(job, instance, result.run_id, **{FROM_FAILURE[0]: "true"})
    first, second = emu.pipeline(7).jobs
    assert (first.status, second.status) == ("CANCELLED", "COMPLETED")
    (run,) = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    says = f"Job {first.job_id} of an earlier attempt ended badly, or was cancelled"
    assert any(line.startswith(says) for line in logged(instance, run.run_id))


def test_a_timeout_can_cancel(
    emu: HevoEmulator, hevo: HevoResource, instance: dg.DagsterInstance
) -> None:
    assets = assets_of(hevo, 123, timeout=10, on_timeout="cancel")
    result = dg.materialize(
        [assets], resources={"hevo": hevo}, instance=instance, raise_on_error=False
    )
    assert not result.success
    assert last_job(emu).status in {"CANCELLING", "CANCELLED"}
