"""Run.start without an earlier attempt: trigger once, store the ticket, say what is in the way."""

from __future__ import annotations

import logging
import time

import pytest

from hevo_edge import HevoClient, JobStatus
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import HevoError, JobInProgress, TriggerTimeout
from tests.orchestration.support import (
    DictStore,
    attempt,
    end_last_job,
    job_of,
    outcome_of,
    posts,
    running_job,
)


async def test_a_run_is_started_once_and_its_ticket_is_stored(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store, generation=3)
    assert one.job is None
    assert not one.has_sent
    job = job_of(await one.start(hevo))
    assert one.job is job
    assert one.has_sent
    assert not one.is_resumed
    assert posts(emulator) == 1
    assert store.stored is not None
    assert store.stored.ticket.job_id == job.id
    assert store.stored.generation == 3
    assert store.stored.account == "account"


async def test_without_a_store_nothing_is_kept(emulator: HevoEmulator, hevo: HevoClient) -> None:
    one = attempt(None)
    job_of(await one.start(hevo))
    outcome = await one.wait(hevo)
    assert outcome.kind == "success"
    one.finish(outcome)
    assert posts(emulator) == 1


async def test_the_ticket_is_stored_before_anything_leaves(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    class Fails(DictStore):
        def save(self, text: str) -> None:
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        await attempt(Fails()).start(hevo)
    assert posts(emulator) == 0


async def test_the_spec_reaches_the_trigger(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job_of(await attempt(None, action="RESYNC", drop_and_load=True).start(hevo))
    assert emulator.requests.of("resync_pipeline")[0].body == {"resync_mode": "DROP_AND_LOAD"}


async def test_a_running_job_is_named_and_nothing_is_started(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    other = running_job(emulator)
    one = attempt(store)
    blocked = outcome_of(await one.start(hevo))
    assert blocked.kind == "blocked"
    assert blocked.job_id == other.job_id
    assert blocked.job is not None
    assert blocked.job["status"] == "IN_PROGRESS"
    assert isinstance(blocked.exception, JobInProgress)
    assert not blocked.has_ended
    assert not blocked.is_final
    assert not one.has_sent
    assert posts(emulator) == 0


async def test_a_running_job_is_joined_if_that_is_asked_for(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    other = running_job(emulator)
    job = job_of(await attempt(store, if_running="join").start(hevo))
    assert job.id == other.job_id
    assert job.certainty == "joined"
    assert posts(emulator) == 0


async def test_a_running_job_is_awaited_here_if_the_attempt_may_block(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    other = running_job(emulator, duration=60)
    job = job_of(await attempt(None, if_running="wait").start(hevo))
    assert job.id != other.job_id
    assert other.status == "COMPLETED"


async def test_a_running_job_is_for_the_caller_to_await_if_the_attempt_may_not_block(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    other = running_job(emulator, duration=60)
    one = attempt(None, if_running="wait")
    blocked = outcome_of(await one.start(hevo, may_block=False))
    assert (blocked.kind, blocked.job_id) == ("blocked", other.job_id)
    assert (await hevo.pipeline(123).job(other.job_id).await_completion()).is_terminal
    assert job_of(await one.start(hevo, may_block=False)).id != other.job_id
    assert posts(emulator) == 1


async def test_a_running_job_that_is_not_listed_is_for_the_caller_as_soon_as_it_is(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    other = running_job(emulator, duration=3600, appears_after=40)
    one = attempt(None, if_running="wait")
    began = hevo._core.clock.now()
    blocked = outcome_of(await one.start(hevo, may_block=False))
    assert (blocked.kind, blocked.job_id) == ("blocked", other.job_id)
    assert hevo._core.clock.now() - began < 46
    assert len(emulator.requests.of("sync_now")) == 4  # at 0, 5, 10 and 20 s
    end_last_job(emulator)
    assert job_of(await one.start(hevo, may_block=False)).id != other.job_id
    assert posts(emulator) == 1


async def test_a_running_job_that_is_never_listed_blocks_no_longer_than_a_search_takes(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running_job(emulator, appears_after=1e6)
    one = attempt(None, if_running="wait", discovery_timeout=60)
    began = hevo._core.clock.now()
    blocked = outcome_of(await one.start(hevo, may_block=False))
    assert (blocked.kind, blocked.job_id) == ("blocked", None)
    assert 60 <= hevo._core.clock.now() - began < 95


async def test_a_late_start_names_the_limit_and_not_what_was_left_of_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running_job(emulator, appears_after=1e6)
    for left in (7, 0):
        one = attempt(None, if_running="wait", deadline=time.time() + left, limit=25)
        late = outcome_of(await one.start(hevo, may_block=False))
        assert late.kind == "timeout"
        assert "was not started within 25 s (it was" in late.message
    assert posts(emulator) == 0


async def test_a_running_job_that_is_not_listed_blocks_without_a_name(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running_job(emulator, appears_after=1e6)
    blocked = outcome_of(await attempt(None).start(hevo, may_block=False))
    assert (blocked.kind, blocked.job_id, blocked.job) == ("blocked", None, None)


@pytest.mark.parametrize(("status", "error"), [(401, "AuthenticationError"), (404, "NotFound")])
async def test_an_error_that_no_retry_can_mend_is_final(
    emulator: HevoEmulator, hevo: HevoClient, status: int, error: str
) -> None:
    emulator.faults.status(status, {"message": "no"}, times=None)
    outcome = outcome_of(await attempt(None).start(hevo))
    assert (outcome.kind, outcome.error, outcome.is_final) == ("error", error, True)
    assert isinstance(outcome.exception, HevoError)


async def test_an_outage_is_not_final(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.status(500, {"message": "no"}, times=None)
    outcome = outcome_of(await attempt(None).start(hevo))
    assert (outcome.kind, outcome.error, outcome.is_final) == ("error", "ServerError", False)


@pytest.mark.parametrize("late", [0.0, 5.0])
async def test_the_deadline_covers_the_start(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, late: float
) -> None:
    emulator.faults.delay(20.0, on="list_jobs", times=None)
    one = attempt(store, deadline=time.time() + late)
    outcome = outcome_of(await one.start(hevo))
    assert outcome.kind == "timeout"
    assert isinstance(outcome.exception, TriggerTimeout)
    assert not one.has_sent
    assert posts(emulator) == 0


async def test_a_post_that_gets_429_is_sent_again(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.faults.status(
        429, {"message": "slow down"}, headers={"Retry-After": "2"}, on="sync_now"
    )
    job_of(await attempt(store).start(hevo))
    assert [call.status for call in emulator.requests.of("sync_now")] == [429, 200]


async def test_a_job_that_is_never_listed_leaves_its_ticket_to_the_next_attempt(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, caplog: pytest.LogCaptureFixture
) -> None:
    emulator.pipeline(123).plan(duration=None, appears_after=400)
    one = attempt(store, discovery_timeout=60.0)
    outcome = outcome_of(await one.start(hevo))
    assert (outcome.kind, outcome.error) == ("error", "JobNotFoundAfterTrigger")
    assert one.has_sent
    one.finish(outcome)
    assert store.stored is not None
    caplog.set_level(logging.INFO)
    await hevo._core.clock.sleep(400)
    another = attempt(store)
    job = job_of(await another.start(hevo))
    assert job.status == JobStatus.IN_PROGRESS
    assert another.is_resumed
    assert posts(emulator) == 1
    assert f"an earlier attempt started Job {job.id}, which is still running" in caplog.text
