"""A run in the steps of a durable engine: prepared in one, started in the next, awaited in a third."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Run, RunSpec, TicketText, cancel_if, cancel_if_asked
from tests.conftest import client_of
from tests.orchestration.support import end_last_job, job_of, outcome_of, posts
from tests.triggering.support import now, run_as_scheduled


@pytest.fixture(autouse=True)
def jobs_run_until_they_are_ended(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).duration = None


def step(ticket: TicketText, **spec: Any) -> Run:
    return Run(RunSpec(123, **spec), ticket, account="account")


async def prepared(emulator: HevoEmulator, **spec: Any) -> str:
    """Return what the first step returns, in a process that is gone by now."""
    ticket = TicketText()
    async with client_of(emulator) as hevo:
        assert await step(ticket, **spec).prepare(hevo) is None
    assert ticket.text is not None
    return ticket.text


async def started(emulator: HevoEmulator) -> str:
    """Return what the second step returns, in a process that is gone by now."""
    ticket = TicketText(await prepared(emulator))
    async with client_of(emulator) as hevo:
        job_of(await step(ticket).start(hevo, first=True))
    assert ticket.text is not None
    return ticket.text


# -- start ----------------------------------------------------------------------------------------


async def test_the_first_attempt_posts_at_once(emulator: HevoEmulator, hevo: HevoClient) -> None:
    text = await prepared(emulator)
    assert posts(emulator) == 0
    run = step(TicketText(text))
    emulator.requests.clear()
    job = job_of(await run.start(hevo, first=True))
    assert [call.endpoint for call in emulator.requests][:3] == [
        "get_pipeline",
        "list_jobs",
        "sync_now",
    ]
    assert job.id == emulator.pipeline(123).jobs[-1].job_id
    assert not run.is_resumed
    assert job.certainty == "certain"


async def test_a_later_attempt_finds_what_the_first_has_sent(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Nothing of the first attempt was stored but what was prepared."""
    text = await prepared(emulator)
    async with client_of(emulator) as gone:
        sent = job_of(await step(TicketText(text)).start(gone, first=True))
    run = step(TicketText(text))
    async with client_of(emulator) as other:
        job = job_of(await run.start(other))
    assert (job.id, posts(emulator)) == (sent.id, 1)
    assert run.is_resumed


async def test_a_later_attempt_searches_before_it_posts(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    text, began = await prepared(emulator, discovery_timeout=60.0), now()
    run = step(TicketText(text), discovery_timeout=60.0)
    job_of(await run.start(hevo))
    assert now() - began >= 60
    assert posts(emulator) == 1


@pytest.mark.parametrize("first", [True, False])
async def test_an_ambiguous_post_is_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, first: bool
) -> None:
    text = await prepared(emulator)
    emulator.faults.drop(on="sync_now", effect="before")
    outcome = outcome_of(await step(TicketText(text)).start(hevo, first=first))
    assert outcome.error == "TriggerOutcomeUnknown"
    assert len(emulator.requests.of("sync_now")) == 1


async def test_what_was_refused_may_have_been_sent_since(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """An engine may lose what was stored last, so that alone proves nothing."""
    ticket = TicketText(await prepared(emulator))
    emulator.faults.status(400, on="sync_now")
    assert outcome_of(await step(ticket).start(hevo, first=True)).kind == "error"
    emulator.faults.clear()
    async with client_of(emulator) as other:
        began = now()
        job_of(await step(ticket).start(other))
    assert now() - began >= 150


@pytest.mark.parametrize("if_running", ["fail", "wait", "join"])
async def test_if_running_applies_to_what_is_prepared(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    running = run_as_scheduled(emulator, duration=300)
    ticket = TicketText()
    outcome = await step(ticket, if_running=if_running).prepare(hevo)
    if if_running == "fail":
        assert outcome is not None
        assert (outcome.kind, outcome.job_id) == ("blocked", running)
        return
    assert outcome is None
    job = job_of(await step(ticket, if_running=if_running).start(hevo, first=True))
    assert (job.id == running) is (if_running == "join")
    assert posts(emulator) == (if_running == "wait")


async def test_what_cannot_be_prepared(hevo: HevoClient) -> None:
    with pytest.raises(errors.ConfigurationError, match="fresh_within"):
        await step(TicketText(), fresh_within=60).prepare(hevo)


async def test_a_store_that_awaits(emulator: HevoEmulator, hevo: HevoClient) -> None:
    """It is awaited before the POST, and what it raises keeps that from leaving."""
    stored: list[int] = []

    async def save(_: str) -> None:
        await asyncio.sleep(1)
        stored.append(posts(emulator))

    job_of(await step(TicketText(on_save=save)).start(hevo))
    assert stored == [0, 1, 1]

    async def fail(_: str) -> None:
        raise OSError("no space left on device")

    end_last_job(emulator)
    with pytest.raises(OSError, match="no space"):
        await step(TicketText(on_save=fail)).start(hevo)
    assert posts(emulator) == 1


# -- wait and cancel ------------------------------------------------------------------------------


async def test_the_wait_needs_nothing_but_the_text(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run = step(TicketText(await started(emulator)))
    assert await run.poll(hevo) is None
    job_id = end_last_job(emulator)
    outcome = await run.wait(hevo)
    assert (outcome.kind, outcome.job_id, outcome.certainty) == ("success", job_id, "certain")


async def test_another_process_cancels_what_the_store_names(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    text = await started(emulator)
    assert await step(TicketText(text)).cancel(hevo, within=20)
    assert len(emulator.requests.of("cancel_job")) == 1
    assert not await step(TicketText()).cancel(hevo, within=20)


async def test_a_wait_without_a_job(hevo: HevoClient) -> None:
    with pytest.raises(errors.HevoError, match="no Job yet"):
        await step(TicketText()).wait(hevo)


@pytest.mark.parametrize("is_asked", [True, False])
async def test_a_step_that_is_cancelled_ends_its_job_if_that_was_asked(
    emulator: HevoEmulator, hevo: HevoClient, is_asked: bool
) -> None:
    run = step(TicketText(await started(emulator)))

    async def asked() -> bool:
        return is_asked

    async def wait() -> None:
        async with cancel_if(asked, run, hevo):
            await run.wait(hevo)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(30)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(emulator.requests.of("cancel_job")) == is_asked


async def test_a_cancel_that_fails_is_still_a_cancellation(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    run = step(TicketText(await started(emulator)))
    emulator.faults.status(403, on="cancel_job")

    async def wait() -> None:
        async with cancel_if(lambda: True, run, hevo):
            await run.wait(hevo)

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(30)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert "could not be cancelled, and goes on in Hevo" in caplog.text


async def test_a_cancel_that_keeps_failing_leaves_the_budget_to_others(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run = step(TicketText(await started(emulator)))
    emulator.faults.status(503, on="cancel_job", times=None)
    with pytest.raises(errors.ServerError):
        await run.cancel(hevo, within=20)
    assert 8 <= len(emulator.requests.of("cancel_job")) <= 20


async def test_a_cancel_that_is_itself_cancelled_and_fails_is_left_to_the_next_attempt(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = TicketText(await started(emulator))
    emulator.faults.status(503, on="cancel_job", times=None)
    cancelling = asyncio.create_task(step(ticket).cancel(hevo, within=20))
    for _ in range(3):  # as a triggerer of Airflow does at each turn of its loop
        await asyncio.sleep(1)
        cancelling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelling
    assert '"is_to_be_cancelled":true' in (ticket.text or "")


async def test_a_job_that_only_the_cancel_has_found_is_named(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="engine")
    run = step(TicketText(await prepared(emulator)))
    starting = asyncio.create_task(run.start(hevo, first=True))
    await asyncio.sleep(3)
    assert posts(emulator) == 1
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert run.job_id is None
    await cancel_if_asked(lambda: True, run, hevo, within=60, logger=logging.getLogger("engine"))
    job = f"Job 123:{emulator.pipeline(123).jobs[-1].job_id}"
    said = [each.getMessage() for each in caplog.records if each.name == "engine"]
    assert said == [f"Hevo was asked to cancel {job}"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [(True, "Hevo was asked to cancel"), (False, "no user asked"), (None, "the engine is away")],
)
async def test_what_came_of_a_cancel_is_said_in_the_engines_log(
    emulator: HevoEmulator,
    hevo: HevoClient,
    caplog: pytest.LogCaptureFixture,
    asked: bool | None,
    said: str,
) -> None:
    """Whatever fails, and though the store is all that knows the Job."""
    caplog.set_level(logging.INFO, logger="engine")

    def ask() -> bool:
        if asked is None:
            raise OSError("the engine is away")
        return asked

    run = step(TicketText(await started(emulator)))
    await cancel_if_asked(ask, run, hevo, logger=logging.getLogger("engine"))
    (line,) = [each.getMessage() for each in caplog.records if each.name == "engine"]
    assert said in line
    assert f"Job 123:{emulator.pipeline(123).jobs[-1].job_id}" in line
    assert len(emulator.requests.of("cancel_job")) == (asked is True)


async def test_a_later_attempt_that_is_cancelled_in_its_search(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """What it finds is only possibly its own, so it is left running."""
    text = await prepared(emulator)
    emulator.pipeline(123).appears_after = 30
    async with client_of(emulator) as gone:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(step(TicketText(text)).start(gone, first=True), 5)
    async with client_of(emulator) as other:
        run = step(TicketText(text))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(run.start(other), 5)
        assert not await run.cancel(other, within=60)
    assert posts(emulator) == 1
    assert not emulator.requests.of("cancel_job")
