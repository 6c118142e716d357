"""Run.start with the ticket of an earlier attempt: resume its run, or start a new one."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge._triggering.attribution import MAX_START_DELAY
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of
from tests.orchestration.support import (
    CutOff,
    DictStore,
    attempt,
    end_last_job,
    job_of,
    outcome_of,
    posts,
)


@pytest.fixture(autouse=True)
def jobs_run_until_they_are_ended(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).duration = None


async def started(emulator: HevoEmulator, store: DictStore, **spec: Any) -> str:
    """Start a run in a process that is gone by now. Returns its Job's id."""
    async with client_of(emulator) as hevo:
        return job_of(await attempt(store, **spec).start(hevo)).id


async def cut_off(emulator: HevoEmulator, store: DictStore, saves: int) -> None:
    """Start a run, and let the process die when the ticket has been stored so often."""
    store.dies_after = saves
    with pytest.raises(CutOff):
        await started(emulator, store)


# -- cut off between the POST and the end ---------------------------------------------------------


@pytest.mark.parametrize(
    ("saves", "sent"),
    [pytest.param(1, 0, id="before the POST"), (2, 1), (3, 1)],
)
async def test_an_attempt_that_is_cut_off_leads_to_one_run(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, saves: int, sent: int
) -> None:
    await cut_off(emulator, store, saves)
    assert posts(emulator) == sent
    another = attempt(store)
    job = job_of(await another.start(hevo))
    assert job.id == emulator.pipeline(123).jobs[-1].job_id
    assert posts(emulator) == 1
    # Where the POST had not left, nobody knew: its Job was searched for first.
    assert another.is_resumed


async def test_a_crash_between_the_post_and_the_save_of_its_answer_leads_to_one_run(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    real, texts = store.save, 0

    def save(text: str) -> None:
        nonlocal texts
        texts += 1
        if texts == 2:
            raise CutOff
        real(text)

    store.save = save  # type: ignore[method-assign]
    with pytest.raises(CutOff):
        await started(emulator, store)
    assert posts(emulator) == 1
    assert store.stored is not None
    assert store.stored.ticket.state == "sending"
    job = job_of(await attempt(store).start(hevo))
    assert job.id == emulator.pipeline(123).jobs[-1].job_id
    assert posts(emulator) == 1


async def test_a_reply_that_was_lost_leads_to_one_run(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.faults.drop(on="sync_now", effect="after")
    await cut_off(emulator, store, saves=2)
    job_of(await attempt(store).start(hevo))
    assert posts(emulator) == 1


async def test_an_attempt_that_was_refused_has_sent_nothing_to_resume(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.faults.status(400, {"message": "no"}, on="sync_now")
    assert outcome_of(await attempt(store).start(hevo)).kind == "error"
    another = attempt(store)
    job_of(await another.start(hevo))
    assert not another.is_resumed
    assert posts(emulator) == 1


# -- the earlier run has ended --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "accept", "runs"),
    [
        ("COMPLETED", [], 1),
        ("FAILED", [], 2),
        ("CANCELLED", [], 2),
        ("COMPLETED_WITH_FAILURES", [], 2),
        ("COMPLETED_WITH_FAILURES", ["COMPLETED_WITH_FAILURES"], 1),
    ],
)
async def test_a_retry_takes_a_run_that_ended_well_and_repeats_another(
    emulator: HevoEmulator,
    hevo: HevoClient,
    store: DictStore,
    status: str,
    accept: list[str],
    runs: int,
) -> None:
    first = await started(emulator, store, generation=0)
    end_last_job(emulator, status)
    another = attempt(store, generation=0, accept=accept)
    job = job_of(await another.start(hevo))
    assert (job.id == first) is (runs == 1)
    assert another.is_resumed is (runs == 1)
    assert posts(emulator) == runs


@pytest.mark.parametrize(
    ("before", "after", "runs"), [(0, 0, 1), (0, 1, 2), ("a", "b", 2), (None, 1, 1), (0, None, 1)]
)
async def test_another_generation_repeats_a_run_that_ended_well(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, before: Any, after: Any, runs: int
) -> None:
    await started(emulator, store, generation=before)
    end_last_job(emulator)
    job_of(await attempt(store, generation=after).start(hevo))
    assert posts(emulator) == runs


async def test_another_generation_resumes_a_run_that_goes_on(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    first = await started(emulator, store, generation=0)
    another = attempt(store, generation=1)
    assert job_of(await another.start(hevo)).id == first
    assert another.is_resumed
    assert posts(emulator) == 1


async def test_a_run_that_is_being_cancelled_is_outwaited_and_repeated(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    first = await started(emulator, store)
    job = emulator.pipeline(123).jobs[-1]
    emulator.pipeline(123).cancel(job, emulator.now)
    assert job_of(await attempt(store).start(hevo)).id != first
    assert job.status == "CANCELLED"
    assert posts(emulator) == 2


async def test_a_run_that_is_cancelled_for_ever_is_outwaited_until_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).cancel_duration = 1e6
    first = await started(emulator, store)
    emulator.pipeline(123).cancel(emulator.pipeline(123).jobs[-1], emulator.now)
    began = hevo._core.clock.now()
    outcome = outcome_of(await attempt(store, deadline=time.time() + 60).start(hevo))
    assert (outcome.kind, outcome.error) == ("timeout", "TriggerTimeout")
    assert first in outcome.message
    assert 55 < hevo._core.clock.now() - began < 65
    assert store.stored is not None
    assert posts(emulator) == 1


# -- what is stored does not serve ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("saves", "error"), [(2, "JobNotFoundAfterTrigger"), (3, "NotFound")], ids=["accepted", "found"]
)
async def test_a_run_that_is_not_there_is_kept_while_it_may_appear(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, saves: int, error: str
) -> None:
    await cut_off(emulator, store, saves=saves)
    unlisted = emulator.pipeline(123).jobs.pop()
    kept = store.stored
    assert outcome_of(await attempt(store).start(hevo)).error == error
    assert (posts(emulator), store.stored) == (1, kept)
    emulator.pipeline(123).jobs.append(unlisted)
    job = job_of(await attempt(store).start(hevo))
    assert (posts(emulator), job.id) == (1, unlisted.job_id)


@pytest.mark.parametrize("saves", [2, 3], ids=["accepted", "found"])
@pytest.mark.parametrize("why", ["it began long ago", "a new run is asked for"])
async def test_a_run_that_will_not_appear_is_repeated(
    emulator: HevoEmulator,
    hevo: HevoClient,
    store: DictStore,
    caplog: pytest.LogCaptureFixture,
    saves: int,
    why: str,
) -> None:
    generation = None if why == "it began long ago" else 0
    store.dies_after = saves
    with pytest.raises(CutOff):
        await attempt(store, generation=generation).start(hevo)
    emulator.pipeline(123).jobs.pop()
    if why == "it began long ago":
        post = store.stored.ticket.post if store.stored else None
        assert post is not None
        assert post.sent_at is not None
        earlier = post.sent_at - MAX_START_DELAY - 1
        store.save((store.load() or "").replace(str(post.sent_at), str(earlier)))
    another = attempt(store, generation=None if generation is None else 1)
    job_of(await another.start(hevo))
    assert not another.is_resumed
    assert posts(emulator) == 2
    assert "run is not there" in caplog.text


async def test_a_ticket_of_another_account_is_left_alone(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, caplog: pytest.LogCaptureFixture
) -> None:
    first = await started(emulator, store, account="one")
    blocked = outcome_of(await attempt(store, account="another").start(hevo))
    assert (blocked.kind, blocked.job_id) == ("blocked", first)
    assert "ran in another account" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [
        {"pipeline_id": 7},
        {"action": "RESYNC"},
        {"job_type": "HISTORICAL"},
    ],
)
async def test_the_ticket_of_another_request_is_left_alone(
    emulator: HevoEmulator,
    hevo: HevoClient,
    store: DictStore,
    changed: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emulator.add_pipeline(7, duration=None)
    first = await started(emulator, store)
    end_last_job(emulator)
    another = attempt(store, **changed, discovery_timeout=60.0)
    await another.start(hevo)
    assert posts(emulator) == 2
    assert another.job is None or another.job.id != first
    assert "the task was changed since its last attempt" in caplog.text


@pytest.mark.parametrize(
    "changed",
    [{"if_running": "wait"}, {"discovery_timeout": 60}, {"poll_interval": 5}, {"accept": "FAILED"}],
)
async def test_a_request_that_differs_in_how_it_waits_is_the_same(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, changed: Any
) -> None:
    first = await started(emulator, store)
    assert job_of(await attempt(store, **changed).start(hevo)).id == first


@pytest.mark.parametrize("text", ["", "nonsense", "{}", '{"ticket": {"version": 99}}', "null"])
async def test_what_cannot_be_read_is_no_obstacle(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, text: str
) -> None:
    store.save(text)
    another = attempt(store)
    job_of(await another.start(hevo))
    assert not another.is_resumed
    assert posts(emulator) == 1


async def test_trouble_while_resuming_keeps_the_ticket(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    first = await started(emulator, store)
    fault = emulator.faults.status(500, {"message": "no"}, times=None)
    assert outcome_of(await attempt(store).start(hevo)).error == "ServerError"
    emulator.faults.rules.remove(fault)
    assert job_of(await attempt(store).start(hevo)).id == first
    assert posts(emulator) == 1


async def test_one_attempt_may_be_started_again_once_its_run_is_over(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    one = attempt(store)
    first = job_of(await one.start(hevo))
    end_last_job(emulator, "CANCELLED")
    second = job_of(await one.start(hevo))
    assert second.id != first.id
    assert one.job is second
    assert posts(emulator) == 2


# -- a POST whose fate was never known ------------------------------------------------------------


async def test_a_lost_post_that_started_nothing_is_sent_again(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.faults.drop(on="sync_now", effect="before")
    first = outcome_of(await attempt(store).start(hevo))
    assert first.error == "TriggerOutcomeUnknown"
    assert posts(emulator) == 0
    async with client_of(emulator) as another:
        job = job_of(await attempt(store).start(another))
    assert posts(emulator) == 1
    assert job.id == emulator.pipeline(123).jobs[-1].job_id


async def test_a_lost_post_that_started_a_run_is_not_sent_again(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(appears_after=200, duration=None)
    emulator.faults.drop(on="sync_now", effect="after")
    first = outcome_of(await attempt(store).start(hevo))
    assert first.error == "TriggerOutcomeUnknown"
    async with client_of(emulator) as another:
        job = job_of(await attempt(store).start(another))
    assert posts(emulator) == 1
    assert job.id == emulator.pipeline(123).jobs[-1].job_id


@pytest.mark.parametrize("effect", ["before", "after"])
async def test_a_search_that_the_deadline_cuts_short_starts_nothing(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore, effect: str
) -> None:
    emulator.faults.drop(on="sync_now", effect=effect)
    emulator.pipeline(123).plan(appears_after=400, duration=None)
    outcome_of(await attempt(store).start(hevo))
    before, kept = len(emulator.requests.of("sync_now")), store.stored
    hurried = attempt(store, deadline=time.time() + 20)
    assert outcome_of(await hurried.start(hevo)).error == "TriggerOutcomeUnknown"
    assert len(emulator.requests.of("sync_now")) == before
    assert store.stored == kept


async def test_an_accepted_run_is_not_given_up_at_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(appears_after=400, duration=None)
    await cut_off(emulator, store, 2)
    hurried = attempt(store, deadline=time.time() - 5)
    assert outcome_of(await hurried.start(hevo)).error == "JobNotFoundAfterTrigger"
    assert store.stored is not None
    assert posts(emulator) == 1
    await asyncio.sleep(400)
    job = job_of(await attempt(store).start(hevo))
    assert job.id == emulator.pipeline(123).jobs[-1].job_id
    assert posts(emulator) == 1


async def test_the_short_search_of_a_cancel_is_no_proof(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(duration=8, appears_after=12)
    emulator.faults.drop(on="sync_now", effect="after")
    first = attempt(store)
    start = asyncio.create_task(first.start(hevo))
    await asyncio.sleep(1)
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    async with client_of(emulator) as other:
        assert not await first.cancel(other, within=6)
        await asyncio.sleep(5.5)
        await attempt(store).start(other)
    assert posts(emulator) == 1


async def test_a_new_generation_whose_start_fails_does_not_get_the_old_job(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    emulator.pipeline(123).plan(duration=5, appears_after=8)
    old = await attempt(store, 1).start(hevo)
    await asyncio.sleep(60)
    async with client_of(emulator) as other:
        emulator.faults.status(503, on="get_pipeline", times=4)
        outcome_of(await attempt(store, 2).start(other))
        job = job_of(await attempt(store, 2).start(other))
    assert job.id != job_of(old).id
    assert posts(emulator) == 2


# -- some objects of a Pipeline -------------------------------------------------------------------


async def test_a_resync_of_some_objects_is_resumed_by_the_same_request_only(
    emulator: HevoEmulator, hevo: HevoClient, store: DictStore
) -> None:
    users, orders, _ = emulator.pipeline(123).objects
    wanted: dict[str, Any] = {"action": "RESYNC", "object_ids": [users, orders]}
    store.dies_after = 2
    with pytest.raises(CutOff):
        await started(emulator, store, **wanted)
    same = attempt(store, **{**wanted, "object_ids": [orders, users]})
    job = job_of(await same.start(hevo))
    assert same.is_resumed
    assert sorted(emulator.pipeline(123).jobs[-1].objects) == ["orders", "users"]
    assert len(emulator.requests.of("resync_objects")) == 1
    end_last_job(emulator)
    other = attempt(store, action="RESYNC", object_ids=[users])
    assert job_of(await other.start(hevo)).id != job.id
    assert emulator.pipeline(123).jobs[-1].objects == ("users",)
