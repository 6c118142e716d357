"""Run.wait, poll, cancel and finish."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import HevoError
from hevo_edge.orchestration import Run, may_cancel, spec_of, to_be_cancelled
from tests.common.test_cleanup import cancel_at_each_turn
from tests.conftest import client_of
from tests.orchestration.support import (
    CutOff,
    DictStore,
    attempt,
    end_last_job,
    job_of,
    posts,
    running_job,
)


@pytest.fixture(autouse=True)
def jobs_run_until_they_are_ended(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).duration = None


def cancels(emulator: HevoEmulator) -> int:
    return len(emulator.requests.of("cancel_job"))


# -- wait -----------------------------------------------------------------------------------------


async def test_the_job_is_awaited(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=3600)
    one = attempt(None)
    job = job_of(await one.start(hevo))
    outcome = await one.wait(hevo)
    assert (outcome.kind, outcome.job_id, outcome.certainty) == ("success", job.id, "certain")
    assert outcome.has_ended
    assert outcome.message == f"Job {job.id} of Pipeline 123 ended COMPLETED"
    assert outcome.job is not None
    assert outcome.job["events_loaded"] == 1000


async def test_another_process_awaits_a_job_by_its_id(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job_id = running_job(emulator, duration=60).job_id
    assert (await attempt(None).wait(hevo, job_id)).kind == "success"


async def test_another_client_may_await_the_job(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=60)
    one = attempt(None)
    async with client_of(emulator) as gone:
        job_of(await one.start(gone))
    outcome = await one.wait(hevo)
    assert (outcome.kind, outcome.certainty) == ("success", "certain")


async def test_a_wait_tells_of_each_change(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=3600)
    one, seen = attempt(None), list[Any]()
    job_of(await one.start(hevo))
    await one.wait(hevo, on_update=lambda job: seen.append(job.data.events_loaded))
    assert len(seen) > 2
    assert seen[-1] == 1000


async def test_a_wait_without_a_job_is_a_mistake(hevo: HevoClient) -> None:
    with pytest.raises(HevoError, match="no Job yet"):
        await attempt(None).wait(hevo)


async def test_a_job_that_ends_otherwise_names_the_failed_objects(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=60, outcome="FAILED")
    one = attempt(None)
    job_of(await one.start(hevo))
    outcome = await one.wait(hevo)
    assert (outcome.kind, outcome.error) == ("failed", "JobFailed")
    assert outcome.has_ended
    assert not outcome.is_final
    assert "failed objects: items (FAILED)" in outcome.message


async def test_a_status_may_be_accepted(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(duration=60, outcome="FAILED")
    one = attempt(None, accept=["FAILED"])
    job_of(await one.start(hevo))
    assert (await one.wait(hevo)).kind == "success"


async def test_an_outage_ends_no_wait(emulator: HevoEmulator, hevo: HevoClient) -> None:
    one = attempt(None)
    job_of(await one.start(hevo))
    waiting = asyncio.ensure_future(one.wait(hevo))
    await asyncio.sleep(60)
    fault = emulator.faults.status(500, {"message": "no"}, times=None)
    await asyncio.sleep(3600)
    emulator.faults.rules.remove(fault)
    end_last_job(emulator)
    assert (await waiting).kind == "success"


@pytest.mark.parametrize(("on_timeout", "cancelled"), [("raise", 0), ("cancel", 1)])
async def test_the_deadline_ends_the_wait(
    emulator: HevoEmulator, hevo: HevoClient, on_timeout: str, cancelled: int
) -> None:
    one = attempt(None, deadline=time.time() + 300, on_timeout=on_timeout)
    job = job_of(await one.start(hevo))
    outcome = await one.wait(hevo)
    assert (outcome.kind, outcome.error, outcome.job_id) == ("timeout", "JobTimeout", job.id)
    assert not outcome.has_ended
    assert outcome.job is not None
    assert cancels(emulator) == cancelled


async def test_a_job_that_ended_just_before_the_deadline_is_a_success(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=290)
    one = attempt(None, deadline=time.time() + 300, poll_interval=3600)
    job_of(await one.start(hevo))
    assert (await one.wait(hevo)).kind == "success"


async def test_a_job_that_is_not_surely_its_own_is_left_running_at_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running_job(emulator)
    one = attempt(None, if_running="join", deadline=time.time() + 60, on_timeout="cancel")
    job_of(await one.start(hevo))
    assert (await one.wait(hevo)).kind == "timeout"
    assert cancels(emulator) == 0


# -- poll -----------------------------------------------------------------------------------------


async def test_a_poll_is_one_request(emulator: HevoEmulator, hevo: HevoClient) -> None:
    # With this option a deadline cancels, and a poll is no deadline.
    one = attempt(None, deadline=time.time() + 3600, on_timeout="cancel")
    job_of(await one.start(hevo))
    before = len(emulator.requests)
    assert await one.poll(hevo) is None
    assert len(emulator.requests) == before + 1
    end_last_job(emulator)
    outcome = await one.poll(hevo)
    assert outcome is not None
    assert outcome.kind == "success"
    assert cancels(emulator) == 0


async def test_a_poll_by_id(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job_id = running_job(emulator).job_id
    assert await attempt(None).poll(hevo, job_id) is None
    end_last_job(emulator, "FAILED")
    outcome = await attempt(None).poll(hevo, job_id)
    assert outcome is not None
    assert outcome.kind == "failed"


async def test_a_poll_during_an_outage_is_no_outcome(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job_id = running_job(emulator).job_id
    end_last_job(emulator)
    fault = emulator.faults.drop(times=None)
    assert await attempt(None).poll(hevo, job_id) is None
    emulator.faults.rules.remove(fault)
    assert await attempt(None).poll(hevo, job_id) is not None


async def test_a_poll_with_a_wrong_key_is_an_outcome(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(401, {"message": "no"}, times=None)
    outcome = await attempt(None).poll(hevo, "abc")
    assert outcome is not None
    assert (outcome.kind, outcome.is_final) == ("error", True)


@pytest.mark.parametrize(("on_timeout", "cancelled"), [("raise", 0), ("cancel", 1)])
async def test_a_poll_at_the_deadline_is_the_last(
    emulator: HevoEmulator, hevo: HevoClient, on_timeout: str, cancelled: int
) -> None:
    one = attempt(None)
    job = job_of(await one.start(hevo))
    late = attempt(None, deadline=time.time() - 1, on_timeout=on_timeout)
    late.job = job
    outcome = await late.poll(hevo)
    assert outcome is not None
    assert (outcome.kind, outcome.error) == ("timeout", "JobTimeout")
    assert cancels(emulator) == cancelled


# -- cancel ---------------------------------------------------------------------------------------


async def test_the_tasks_own_job_is_cancelled_and_its_ticket_forgotten(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store)
    job_of(await one.start(hevo))
    assert await one.cancel(hevo, within=4)
    assert emulator.pipeline(123).jobs[-1].status == "CANCELLING"
    assert store.stored is None


async def test_another_process_cancels_the_job_of_the_stored_ticket(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    job_of(await attempt(store, job_type="INCREMENTAL").start(hevo))
    spec = spec_of(store.kept["ticket"])
    assert (spec.pipeline_id, spec.action, spec.job_type) == (123, "SYNC_NOW", "INCREMENTAL")
    async with client_of(emulator) as another:
        assert await Run(spec, store, account="account").cancel(another, within=20)
    assert cancels(emulator) == 1
    assert store.stored is None


async def test_a_store_may_save_asynchronously(emulator: HevoEmulator, hevo: HevoClient) -> None:
    class SlowStore(DictStore):
        async def _save(self, text: str) -> None:
            await asyncio.sleep(1)
            assert posts(emulator) == (0 if self.saves == 0 else 1)
            DictStore.save(self, text)

        def save(self, text: str) -> Any:
            return self._save(text)

    store = SlowStore()
    one = attempt(store)
    job_of(await one.start(hevo))
    assert store.saves >= 2
    emulator.faults.status(503, {"message": "no"}, on="cancel_job", times=None)
    with pytest.raises(HevoError):
        await one.cancel(hevo, within=20)
    assert store.stored is not None
    assert store.stored.is_to_be_cancelled


async def test_a_job_that_was_joined_is_left_running(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, caplog: pytest.LogCaptureFixture
) -> None:
    running_job(emulator)
    one = attempt(store, if_running="join")
    job_of(await one.start(hevo))
    assert not await one.cancel(hevo, within=4)
    assert cancels(emulator) == 0
    assert "not surely of this task" in caplog.text


@pytest.mark.parametrize(
    ("appears_after", "cancelled"),
    [pytest.param(5, 1, id="listed"), pytest.param(1e6, 0, id="not")],
)
async def test_an_attempt_that_was_cut_off_in_its_search_searches_once_more(
    emulator: HevoEmulator,
    hevo: HevoClient,
    store: DictStore,
    appears_after: float,
    cancelled: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.pipeline(123).plan(duration=None, appears_after=appears_after)
    store.dies_after = 2
    one = attempt(store)
    with pytest.raises(CutOff):
        await one.start(hevo)
    await asyncio.sleep(10)
    assert one.has_sent
    async with client_of(emulator) as another:
        assert await one.cancel(another, within=4) is (cancelled == 1)
    assert cancels(emulator) == cancelled
    assert (store.stored is None) is (cancelled == 1)
    assert ("no Job of this task is listed yet" in caplog.text) is (cancelled == 0)


async def test_a_resumed_search_that_is_cut_off_again_can_be_cancelled(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(duration=None, appears_after=60)
    store.dies_after = 2
    with pytest.raises(CutOff):
        await attempt(store).start(hevo)
    another = attempt(store)
    async with client_of(emulator) as of_another:
        starting = asyncio.ensure_future(another.start(of_another))
        await asyncio.sleep(20)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
    assert another.has_sent
    await asyncio.sleep(60)
    async with client_of(emulator) as of_kill:
        assert await another.cancel(of_kill, within=4)
    assert posts(emulator) == 1


async def test_before_anything_was_sent_nothing_is_cancelled(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    assert not await attempt(None).cancel(hevo, within=4)
    assert emulator.requests == []


async def test_a_cancel_takes_no_longer_than_it_may(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store)
    job_of(await one.start(hevo))
    fault = emulator.faults.delay(20, on="*", times=None)
    began = hevo._core.clock.now()
    with pytest.raises(HevoError, match="did not answer within 4 s"):
        await one.cancel(hevo, within=4)
    assert hevo._core.clock.now() - began < 5
    assert store.stored is not None
    emulator.faults.rules.remove(fault)
    await asyncio.sleep(30)


async def test_trouble_with_the_cancel_is_raised(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store)
    job_of(await one.start(hevo))
    emulator.faults.status(400, {"message": "Hevo's words"}, on="cancel_job", times=None)
    with pytest.raises(HevoError, match="Hevo's words"):
        await one.cancel(hevo, within=4)
    assert store.stored is not None


async def test_a_cancel_is_asked_for_until_the_time_is_over(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store)
    job_of(await one.start(hevo))
    emulator.faults.status(503, on="cancel_job", times=8)
    assert await one.cancel(hevo, within=60)
    assert emulator.pipeline(123).jobs[-1].status == "CANCELLING"


@pytest.mark.parametrize("generation", [0, 1])
async def test_what_could_not_be_cancelled_is_left_to_the_next_attempt(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, generation: int
) -> None:
    emulator.pipeline(123).plan(duration=None)
    one = attempt(store, generation=0)
    first = job_of(await one.start(hevo))
    fault = emulator.faults.status(503, on="cancel_job", times=None)
    with pytest.raises(HevoError, match="503"):
        await one.cancel(hevo, within=4)
    assert store.stored is not None
    assert store.stored.is_to_be_cancelled
    emulator.faults.rules.remove(fault)
    store.dies_after = store.saves + 1  # nor is it forgotten when the next one is cut off
    with contextlib.suppress(CutOff):
        await attempt(store, generation=generation).start(hevo)
    second = job_of(await attempt(store, generation=generation).start(hevo))
    assert second.id != first.id
    assert (await first.refresh()).status == "CANCELLED"
    assert posts(emulator) == 2
    assert not store.stored.is_to_be_cancelled


async def test_a_stored_text_can_be_marked_by_another_process(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(duration=None)
    first = job_of(await attempt(store).start(hevo))
    store.save(to_be_cancelled(store.kept["ticket"]))
    assert job_of(await attempt(store).start(hevo)).id != first.id
    assert (await first.refresh()).status == "CANCELLED"


@pytest.mark.parametrize(
    ("certainty", "allowed"),
    [
        ("certain", True),
        ("likely", True),
        ("possible", False),
        ("joined", False),
        (None, False),
        ("of another time", False),
    ],
)
def test_only_what_is_certain_or_likely_may_be_cancelled(certainty: Any, allowed: bool) -> None:
    assert may_cancel(certainty) is allowed


async def test_a_cancel_outlasts_further_cancellations_of_its_task(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    one = attempt(None)
    job = job_of(await one.start(hevo))

    async def task() -> None:
        try:
            await one.wait(hevo)
        except asyncio.CancelledError:
            await one.cancel(hevo, within=4)
            raise

    running = asyncio.create_task(task())
    await asyncio.sleep(20)
    cancel_at_each_turn(running)
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (await job.refresh()).status == "CANCELLING"


# -- finish ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "keeps"), [("COMPLETED", False), ("FAILED", False), (None, True)]
)
async def test_the_ticket_is_kept_while_the_job_may_run(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, status: str | None, keeps: bool
) -> None:
    one = attempt(store, deadline=time.time() + 60)
    job_of(await one.start(hevo))
    if status is not None:
        end_last_job(emulator, status)
    one.finish(await one.wait(hevo))
    assert (store.stored is not None) is keeps
    assert one.has_sent
