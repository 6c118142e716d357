"""Waiting: shared looks, deadlines, blips, outcomes, cancellation."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import aclosing
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, JobStatus, RateLimit, errors, schedules
from hevo_edge._awaiting.progress import format_duration
from hevo_edge.emulator import EmulatedJob, HevoEmulator

from .conftest import client_of


def now() -> float:
    return asyncio.get_running_loop().time()


def started(emulator: HevoEmulator, hevo: HevoClient, **plan: Any) -> tuple[EmulatedJob, Job]:
    """Start a Job that is in the list at once; return it and a handle that has seen nothing."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=0, **plan)
    emulated = pipeline.start_job(now=emulator.now)
    return emulated, hevo.pipeline(123).job(emulated.job_id)


# -- outcomes -------------------------------------------------------------------------------------

OUTCOMES = [
    ("FAILED", errors.JobFailed),
    ("COMPLETED_WITH_FAILURES", errors.JobCompletedWithFailures),
    ("CANCELLED", errors.JobCancelled),
    ("SKIPPED", errors.JobSkipped),
    ("DEFERRED", errors.JobDeferred),
    ("DEFERRED_WITH_FAILURES", errors.JobDeferred),
    ("DEFERRED_WITH_FAILURE", errors.JobDeferred),
]


async def test_success_returns_the_job_with_its_final_counts(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100, events=5000)
    assert job.status is None
    assert await job.await_completion() is job
    assert job.status is JobStatus.COMPLETED
    assert job.data is not None
    assert job.data.events_loaded == 5000
    assert job.data.duration_seconds == 100
    # At 0, 15, ... 105.
    assert len(emulator.requests.of("get_job")) == 8


@pytest.mark.parametrize(("status", "kind"), OUTCOMES)
async def test_any_other_end_raises_its_own_error_unless_accepted(
    emulator: HevoEmulator, hevo: HevoClient, status: str, kind: type[errors.JobDidNotSucceed]
) -> None:
    emulated, job = started(emulator, hevo, duration=20, outcome=status)
    with pytest.raises(errors.JobDidNotSucceed) as caught:
        await job.await_completion()
    assert type(caught.value) is kind
    assert caught.value.job is job
    assert job.is_terminal
    for word in (emulated.job_id, "Pipeline 123", status, "after 20s", "events loaded"):
        assert word in str(caught.value)
    for accept in ([status], status, {JobStatus(status)}, status.lower()):
        again = hevo.job(job.ref)
        assert await again.await_completion(accept=accept) is again


async def test_an_accepted_status_ends_the_wait_even_if_nobody_knows_it(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=20, outcome="SUCCEEDED")
    await job.await_completion(accept=["SUCCEEDED"], timeout=100)
    assert job.status == "SUCCEEDED"
    await job.await_completion(accept=["SUCCEEDED"])


async def test_partial_failures_can_be_good_enough(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=20, outcome="COMPLETED_WITH_FAILURES")
    await job.await_completion(accept_completed_with_failures=True)
    assert job.data is not None
    assert job.data.events_failed == 100
    assert job.data.objects_failed == 1


async def test_a_job_known_to_have_ended_costs_no_call(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1)
    await asyncio.sleep(2)
    await job.refresh()
    calls = len(emulator.requests)
    await job.await_completion()
    assert len(emulator.requests) == calls


async def test_an_unknown_status_is_logged_once_and_waited_out(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=100)
    emulator.faults.unknown_value("status", "ON_THE_MOON", on="get_job", times=4)
    seen: list[str | None] = []
    await job.await_completion(on_update=lambda job: seen.append(job.status))
    assert job.status == "COMPLETED"
    assert "ON_THE_MOON" in seen
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "unknown status 'ON_THE_MOON'" in caplog.text


@pytest.mark.parametrize("name", ["type", "created_ts", "events_loaded", "duration", "updated_ts"])
async def test_a_missing_field_is_no_reason_to_fail(
    emulator: HevoEmulator, hevo: HevoClient, name: str
) -> None:
    _, job = started(emulator, hevo, duration=30, outcome="FAILED")
    emulator.faults.missing_field(name, times=None)
    with pytest.raises(errors.JobFailed):
        await job.await_completion()


# -- looks ----------------------------------------------------------------------------------------


async def test_waiters_on_one_job_share_its_looks(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulated, job = started(emulator, hevo, duration=100)

    async def later(seconds: float) -> Job:
        await asyncio.sleep(seconds)
        return await hevo.job(f"123:{emulated.job_id}").await_completion()

    alone = asyncio.create_task(job.await_completion())
    others = [asyncio.create_task(later(seconds)) for seconds in (0, 1, 7, 16, 99)]
    await asyncio.gather(alone, *others)
    assert len(emulator.requests.of("get_job")) == 8


async def test_the_most_eager_waiter_sets_the_pace(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=100)
    lazy = asyncio.create_task(job.await_completion(poll_interval=50))
    await asyncio.sleep(20)
    eager = hevo.job(job.ref)
    with pytest.raises(errors.JobTimeout):
        await eager.await_completion(poll_interval=5, timeout=20)
    # 0 by the lazy one; then at once, as five seconds are long over, and every five until the
    # deadline, which a last look meets; then the lazy one's own pace again.
    looks = [call.at - emulated.created for call in emulator.requests.of("get_job")]
    assert looks == pytest.approx([0, 20, 25, 30, 35, 40], abs=0.01)
    await lazy
    assert len(emulator.requests.of("get_job")) == 8


async def test_a_job_just_seen_is_not_looked_at_again_at_once(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    job = await hevo.pipeline(123).trigger()
    seen_at = emulator.requests[-1].at
    await job.await_completion()
    assert emulator.requests.of("get_job")[0].at - seen_at == pytest.approx(15, abs=0.01)


async def test_a_newer_snapshot_is_news_to_those_who_wait(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    seen: list[int | None] = []
    waiting = asyncio.create_task(
        job.await_completion(
            poll_interval=60,
            on_update=lambda job: seen.append(job.data.duration if job.data else None),
        )
    )
    await asyncio.sleep(30)
    fresh = await hevo.job(job.ref).refresh()
    other = asyncio.create_task(fresh.await_completion(poll_interval=60))
    await asyncio.sleep(0)
    assert fresh.data is not None
    assert fresh.data.duration == 30_000
    await asyncio.gather(waiting, other)
    assert seen == [0, 30_000, 90_000, 100_000]


async def test_any_schedule_will_do(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulated, job = started(emulator, hevo, duration=200)
    await job.await_completion(
        poll_interval=schedules.geometric(share=0.5, shortest=10, longest=60)
    )
    looks = [call.at - emulated.created for call in emulator.requests.of("get_job")]
    assert looks == pytest.approx([0, 10, 20, 30, 45, 67.5, 101.25, 151.88, 211.88], abs=0.1)


async def test_a_schedule_that_breaks_ends_its_own_wait_only(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    class Broken:
        def gap(self, age: float) -> float:
            return 10 if age < 25 else -1

    class Crashing:
        def gap(self, age: float) -> float:
            raise RuntimeError("of its own")

    _, job = started(emulator, hevo, duration=100)
    other = asyncio.create_task(hevo.job(job.ref).await_completion())
    with pytest.raises(errors.ConfigurationError, match="Broken"):
        await job.await_completion(poll_interval=Broken())
    with pytest.raises(RuntimeError, match="of its own"):
        await hevo.job(job.ref).await_completion(poll_interval=Crashing())
    assert (await other).status == "COMPLETED"


# -- trouble --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        ("drop", {}),
        ("status", {"status": 500}),
        ("status", {"status": 503, "headers": {"Retry-After": "1000"}}),
        ("status", {"status": 429}),
        ("status", {"status": 429, "headers": {"Retry-After": "300"}}),
        ("html", {}),
        ("truncate", {}),
        ("body", {"body": []}),
        ("delay", {"seconds": 50}),
    ],
)
async def test_a_blip_is_never_a_failed_job(
    emulator: HevoEmulator, hevo: HevoClient, fault: tuple[str, dict[str, Any]]
) -> None:
    _, job = started(emulator, hevo, duration=100)
    getattr(emulator.faults, fault[0])(on="get_job", times=12, **fault[1])
    await job.await_completion()
    assert job.status == "COMPLETED"


async def test_an_outage_is_waited_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=100)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(20)
    await emulator.stop()
    await asyncio.sleep(300)
    await emulator.start()
    assert (await waiting).status == "COMPLETED"


@pytest.mark.parametrize(
    ("status", "kind"), [(401, errors.AuthenticationError), (403, errors.PermissionDenied)]
)
async def test_what_makes_looking_pointless_ends_every_wait(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: type[errors.ApiError]
) -> None:
    _, job = started(emulator, hevo, duration=100)
    waits = [asyncio.create_task(hevo.job(job.ref).await_completion()) for _ in range(3)]
    await asyncio.sleep(20)
    emulator.faults.status(status, on="get_job", times=None)
    caught = await asyncio.gather(*waits, return_exceptions=True)
    assert [type(error) for error in caught] == [kind] * 3
    assert len({id(error) for error in caught}) == 3


async def test_a_job_that_nobody_knows(emulator: HevoEmulator, hevo: HevoClient) -> None:
    with pytest.raises(errors.NotFound):
        await hevo.job("123:nope").await_completion()
    assert len(emulator.requests) == 1


async def test_a_job_seen_before_is_gone_only_when_that_is_confirmed(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=2)
    await job.await_completion()
    assert job.status == "COMPLETED"

    _, job = started(emulator, hevo, duration=100)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=None)
    start = now()
    with pytest.raises(errors.NotFound):
        await job.await_completion()
    # One look on schedule, and two soon after it.
    assert now() - start == pytest.approx(25, abs=0.1)


async def test_404s_are_counted_in_a_row(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=120)
    await job.refresh()
    emulator.faults.status(404, on="get_job", times=2)
    emulator.faults.status(404, on="get_job", skip=3, times=2)
    await job.await_completion()
    assert job.status == "COMPLETED"


async def test_a_schedule_by_age_needs_no_duration_from_hevo(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=3600)
    emulator.faults.missing_field("duration", times=None)
    await job.await_completion(poll_interval=schedules.geometric())
    assert len(emulator.requests.of("get_job")) < 100


# -- deadlines ------------------------------------------------------------------------------------


async def test_the_last_look_comes_at_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=39)
    start = now()
    # Looks at 0 and 30 find it running; the one at the deadline finds it done.
    await job.await_completion(poll_interval=30, timeout=40)
    assert now() - start == pytest.approx(40, abs=0.01)


async def test_a_deadline_that_passes(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    start = now()
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=40)
    assert now() - start == pytest.approx(40, abs=0.01)
    error = caught.value
    assert error.job is job
    assert job.status == "IN_PROGRESS"
    assert "still IN_PROGRESS after waiting 40 s" in str(error)
    assert "goes on in Hevo" in str(error)
    assert not emulator.requests.of("cancel_job")

    assert await job.await_completion(timeout=1, on_timeout="return") is job
    assert not job.is_terminal


async def test_a_deadline_that_passes_can_cancel_the_job(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    with pytest.raises(errors.JobTimeout, match="was asked to cancel it"):
        await job.await_completion(timeout=40, on_timeout="cancel")
    assert len(emulator.requests.of("cancel_job")) == 1
    with pytest.raises(errors.JobCancelled):
        await job.await_completion()

    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.status(403, on="cancel_job")
    with pytest.raises(errors.JobTimeout, match="Cancelling it failed: .*403") as caught:
        await job.await_completion(timeout=40, on_timeout="cancel")
    assert isinstance(caught.value.__cause__, errors.PermissionDenied)


async def test_a_deadline_in_an_outage_keeps_to_time_and_says_why(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(10_000, on="get_job", times=None)
    start = now()
    with pytest.raises(errors.JobTimeout, match="still unseen"):
        await job.await_completion(timeout=40)
    assert now() - start < 40 + 6

    emulator.faults.clear()
    emulator.faults.status(500, on="get_job", times=None)
    with pytest.raises(errors.JobTimeout) as caught:
        await job.await_completion(timeout=40)
    assert isinstance(caught.value.__cause__, errors.ServerError)


async def test_the_last_look_waits_for_no_retry(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=55)
    emulator.faults.status(503, headers={"Retry-After": "40"}, on="get_job", skip=3)
    start = now()
    await job.await_completion(timeout=60)
    assert now() - start == pytest.approx(60, abs=0.1)


async def test_waiters_with_one_deadline_share_the_last_look(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waits = [hevo.job(job.ref).await_completion(timeout=10) for _ in range(5)]
    results = await asyncio.gather(*waits, return_exceptions=True)
    assert {type(result) for result in results} == {errors.JobTimeout}
    assert len(emulator.requests) == 2


async def test_a_slow_callback_does_not_disable_the_deadline(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1800)

    async def slow(_: Job) -> None:
        await asyncio.sleep(20)

    start = now()
    with pytest.raises(errors.JobTimeout):
        await job.await_completion(timeout=60, on_update=slow)
    assert now() - start <= 60 + 2 * 20


async def test_cancelling_at_the_deadline_is_bounded(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    await job.refresh()
    emulator.faults.delay(10_000, times=None)
    start = now()
    with pytest.raises(errors.JobTimeout, match="Cancelling it failed: .*timed out"):
        await job.await_completion(timeout=60, on_timeout="cancel")
    assert now() - start <= 60 + 18


# -- cancellation ---------------------------------------------------------------------------------


async def test_cancelling_the_await_stops_looking_and_leaves_the_job_alone(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(31)
    looks = len(emulator.requests)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await asyncio.sleep(100)
    assert len(emulator.requests) == looks
    assert not emulator.requests.of("cancel_job")
    assert asyncio.all_tasks() >= {asyncio.current_task()}


async def test_cancelling_in_the_middle_of_a_look(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(20, on="get_job")
    waiting = asyncio.create_task(job.await_completion())
    staying = asyncio.create_task(hevo.job(job.ref).await_completion(timeout=60))
    await asyncio.sleep(5)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    with pytest.raises(errors.JobTimeout):
        await staying

    emulator.faults.delay(20, on="get_job")
    alone = asyncio.create_task(hevo.job(job.ref).await_completion())
    await asyncio.sleep(5)
    alone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await alone


async def test_an_interrupt_can_cancel_the_job_as_well(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulated, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True))
    await asyncio.sleep(31)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert emulated.status == "CANCELLING"


async def test_an_interrupt_that_cannot_cancel_is_bounded_and_said(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    for fault, says in (("delay", "did not answer within 10 s"), ("status", "403")):
        getattr(emulator.faults, fault)(400 if fault == "delay" else 403, on="cancel_job")
        waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True))
        await asyncio.sleep(1)
        start = now()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert now() - start <= 10.1
        assert says in caplog.text


async def test_a_second_interrupt_ends_the_cancelling_too(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    emulator.faults.delay(400, on="cancel_job")
    waiting = asyncio.create_task(job.await_completion(cancel_on_interrupt=True))
    await asyncio.sleep(1)
    waiting.cancel()
    await asyncio.sleep(1)
    waiting.cancel()
    start = now()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert now() == pytest.approx(start, abs=0.01)


async def test_closing_the_client_ends_the_waits(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion())
    await asyncio.sleep(1)
    await hevo.close()
    with pytest.raises(errors.HevoError, match="closed while a Job was awaited"):
        await waiting


# -- updates --------------------------------------------------------------------------------------


async def test_updates_come_at_each_change(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=40)
    seen: list[tuple[str | None, int | None]] = []

    async def note(job: Job) -> None:
        await asyncio.sleep(0)
        assert job.data is not None
        seen.append((job.status, job.data.events_loaded))

    await job.await_completion(poll_interval=20, on_update=note)
    assert seen == [("IN_PROGRESS", 0), ("IN_PROGRESS", 500), ("COMPLETED", 1000)]


async def test_a_callback_that_raises_ends_its_own_wait(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=40)

    def crash(_: Job) -> None:
        raise ZeroDivisionError

    other = asyncio.create_task(hevo.job(job.ref).await_completion())
    with pytest.raises(ZeroDivisionError):
        await job.await_completion(on_update=crash)
    assert (await other).status == "COMPLETED"


async def test_progress_goes_to_stderr(
    emulator: HevoEmulator, hevo: HevoClient, capsys: pytest.CaptureFixture[str]
) -> None:
    emulated, job = started(emulator, hevo, duration=75, outcome="FAILED")
    with pytest.raises(errors.JobFailed):
        await job.await_completion(poll_interval=60, progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    name = f"Pipeline 123 INCREMENTAL Job {emulated.job_id}"
    assert printed.err.splitlines() == [
        f"{name}: IN_PROGRESS after 0s, 0 events loaded",
        f"{name}: IN_PROGRESS after 1m00s, 360 events loaded, 40 failed",
        f"{name}: FAILED after 1m15s, 450 events loaded, 50 failed",
    ]
    assert format_duration(3600) == "1h00m"


async def test_watch_yields_a_snapshot_a_change_to_everybody(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=50)

    async def statuses(slowness: float) -> list[tuple[str, int | None]]:
        seen: list[tuple[str, int | None]] = []
        async for snapshot in hevo.job(job.ref).watch(poll_interval=20):
            await asyncio.sleep(slowness)
            seen.append((str(snapshot.status), snapshot.events_loaded))
        return seen

    start = now()
    quick = asyncio.create_task(statuses(0))
    slow = asyncio.create_task(statuses(100))
    expected = [("IN_PROGRESS", n) for n in (0, 400, 800)] + [("COMPLETED", 1000)]
    assert await quick == expected
    assert now() - start == pytest.approx(60, abs=0.1)
    assert await slow == expected
    assert len(emulator.requests.of("get_job")) == 4


async def test_readers_of_one_job_object_do_not_mislead_each_other(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=60)

    async def look_slowly() -> None:
        async for _ in job.watch(poll_interval=5):
            await asyncio.sleep(7)

    async def wait_slowly(_: Job) -> None:
        await asyncio.sleep(4)

    watching = asyncio.create_task(look_slowly())
    start = now()
    await job.await_completion(poll_interval=5, on_update=wait_slowly)
    assert now() - start <= 75
    assert job.status == "COMPLETED"
    await watching
    assert job.status == "COMPLETED"


async def test_a_newcomer_gets_what_is_known(emulator: HevoEmulator, hevo: HevoClient) -> None:
    _, job = started(emulator, hevo, duration=1000)
    waiting = asyncio.create_task(job.await_completion(poll_interval=100))
    await asyncio.sleep(10)
    async with aclosing(hevo.job(job.ref).watch(poll_interval=100)) as snapshots:
        first = await snapshots.__anext__()
    assert first.events_loaded == 0
    assert len(emulator.requests) == 1
    waiting.cancel()
    await asyncio.wait({waiting})


async def test_leaving_a_watch_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    _, job = started(emulator, hevo, duration=1000)
    async with aclosing(job.watch()) as snapshots:
        async for _ in snapshots:
            break
    looks = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == looks


# -- many -----------------------------------------------------------------------------------------


def many(emulator: HevoEmulator, hevo: HevoClient, *plans: dict[str, Any]) -> list[Job]:
    jobs = []
    for number, plan in enumerate(plans, 1):
        pipeline = emulator.add_pipeline(number)
        pipeline.plan(appears_after=0, **plan)
        emulated = pipeline.start_job(now=emulator.now)
        jobs.append(hevo.pipeline(number).job(emulated.job_id))
    return jobs


async def test_await_all_keeps_the_order(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(emulator, hevo, {"duration": 50}, {"duration": 10}, {"duration": 30})
    assert await hevo.await_all([jobs[0], jobs[1].ref, jobs[2]]) == jobs
    assert await hevo.await_all([]) == []


async def test_await_all_raises_the_first_failure_and_ends_the_rest(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 500}, {"duration": 10, "outcome": "FAILED"})
    start = now()
    with pytest.raises(errors.JobFailed) as caught:
        await hevo.await_all(jobs)
    assert caught.value.job == jobs[1]
    assert now() - start == pytest.approx(15, abs=0.1)
    looks = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == looks


async def test_a_failure_in_a_group_cancels_nothing_in_hevo_but_an_interrupt_does(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 500}, {"duration": 10, "outcome": "FAILED"})
    with pytest.raises(errors.JobFailed):
        await hevo.await_all(jobs, cancel_on_interrupt=True)
    assert len(asyncio.all_tasks()) <= 4, "the other waits are over when await_all raises"
    assert not emulator.requests.of("cancel_job")

    waiting = asyncio.create_task(
        hevo.await_all(jobs, cancel_on_interrupt=True, on_failure="return")
    )
    await asyncio.sleep(20)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [call.pipeline_id for call in emulator.requests.of("cancel_job")] == [1]


async def test_await_all_can_collect_failures(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(
        emulator, hevo, {"duration": 50}, {"duration": 10, "outcome": "FAILED"}, {"duration": 500}
    )
    results = await hevo.await_all(jobs, on_failure="return", timeout=60)
    assert results[0] is jobs[0]
    assert isinstance(results[1], errors.JobFailed)
    assert isinstance(results[2], errors.JobTimeout)


async def test_as_completed_yields_in_the_order_of_ending(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    plans: list[dict[str, Any]] = [
        {"duration": 50},
        {"duration": 10, "outcome": "FAILED"},
        {"duration": 30},
    ]
    jobs = many(emulator, hevo, *plans)
    ended = [result async for result in hevo.as_completed(jobs, on_failure="return")]
    assert isinstance(ended[0], errors.JobFailed)
    assert [ended[0].job, *ended[1:]] == [jobs[1], jobs[2], jobs[0]]

    with pytest.raises(errors.JobFailed):
        async for _ in hevo.as_completed([hevo.job(job.ref) for job in jobs]):
            pass


async def test_leaving_a_group_early_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 10}, {"duration": 5000}, {"duration": 5000})
    async with aclosing(hevo.as_completed(jobs)) as ending:
        async for job in ending:
            assert job == jobs[0]
            break
    waiting = asyncio.create_task(hevo.await_all(jobs[1:]))
    await asyncio.sleep(1)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    looks = len(emulator.requests)
    await asyncio.sleep(100)
    assert len(emulator.requests) == looks


async def test_a_crash_in_a_callback_is_never_collected(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    jobs = many(emulator, hevo, {"duration": 10}, {"duration": 20})

    def crash(_: Job) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hevo.await_all(jobs, on_failure="return", on_update=crash)


async def test_jobs_that_have_failed_already_are_all_accounted_for(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = many(emulator, hevo, *({"duration": 1, "outcome": "FAILED"} for _ in range(3)))
    await asyncio.sleep(2)
    for job in jobs:
        await job.refresh()
    with pytest.raises(errors.JobFailed):
        await hevo.await_all(jobs)
    gc.collect()
    await asyncio.sleep(0)
    assert "never retrieved" not in caplog.text


async def test_many_waits_keep_nobody_else_waiting(emulator: HevoEmulator) -> None:
    async with client_of(emulator) as hevo:
        jobs = many(emulator, hevo, *({"duration": 3000} for _ in range(100)))
        waiting = asyncio.create_task(hevo.await_all(jobs))
        await asyncio.sleep(120)
        start = now()
        await hevo.pipeline(1).enable()
        assert now() - start < 5
        await hevo.get_pipeline(1)
        assert now() - start < 180
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_those_who_wait_for_a_start_leave_calls_to_those_who_wait_for_an_end(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator) as hevo:
        idle = []
        for number in range(1000, 1060):
            emulator.add_pipeline(number, history=1)
            idle.append(asyncio.create_task(hevo.pipeline(number).await_completion()))
        (job,) = many(emulator, hevo, {"duration": 480})
        start = now()
        await job.await_completion(timeout=3600)
        assert now() - start < 600
        for waiting in idle:
            waiting.cancel()
        await asyncio.wait(idle)


async def test_more_jobs_than_the_budget_has_calls_for_are_still_all_seen(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(100, 60.0)) as hevo:
        jobs = many(emulator, hevo, *({"duration": 100 + n} for n in range(60)))
        await hevo.await_all(jobs)
    assert 429 not in {call.status for call in emulator.requests}
