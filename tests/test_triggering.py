"""Triggering: exactly one run, and the handle of that run; judged by the emulator's journal."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hevo_edge import (
    Certainty,
    HevoClient,
    Job,
    JobType,
    PipelineAction,
    RateLimit,
    TriggerTicket,
    api,
    errors,
)
from hevo_edge.emulator import DIALECTS, Dialect, HevoEmulator
from hevo_edge.triggering import TicketState

from .conftest import REFUSALS, START, client_of


def now() -> float:
    return asyncio.get_running_loop().time()


def posts(emulator: HevoEmulator) -> int:
    return len(emulator.requests.of("sync_now", "resync_pipeline", "resync_objects"))


def runs(emulator: HevoEmulator, pipeline_id: int = 123) -> list[str]:
    """Return the ids of the Jobs that were started through the API."""
    jobs = emulator.pipeline(pipeline_id).jobs
    return [job.job_id for job in jobs if job.origin not in {"history", "schedule"}]


def run_as_scheduled(emulator: HevoEmulator, **plan: Any) -> str:
    """Let a scheduled Job run that is in the list at once; return its id."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(**{"appears_after": 0, **plan})
    return pipeline.start_job(now=emulator.now).job_id


# -- the ordinary path ----------------------------------------------------------------------------


@pytest.mark.parametrize("lag", [0, 0.5, 5, 15, 100])
async def test_a_job_that_appears_late_is_found(
    emulator: HevoEmulator, hevo: HevoClient, lag: float
) -> None:
    emulator.pipeline(123).plan(appears_after=lag, duration=300)
    start = now()
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert job.status == "IN_PROGRESS"
    assert posts(emulator) == 1
    # A look never comes later than a quarter of the time waited so far, or a second.
    assert now() - start <= max(lag + 1, lag * 1.25 + 0.5) + 0.01


async def test_a_job_that_is_over_before_the_first_look_is_found(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=5, duration=0, outcome="FAILED")
    job = await hevo.pipeline(123).sync_now()
    assert [job.id] == runs(emulator)
    assert job.status == "FAILED"
    with pytest.raises(errors.JobFailed):
        await job.await_completion()


async def test_skipped_rows_on_top_of_the_list_hide_nothing(emulator: HevoEmulator) -> None:
    pipeline = emulator.add_pipeline(1, every_minutes=5, history=2)
    pipeline.plan(duration=14 * 60, appears_after=0)
    await asyncio.sleep(16 * 60)  # a scheduled Job runs from 5:00 to 19:00, 10:00 and 15:00 skipped
    async with client_of(emulator) as hevo:
        with pytest.raises(errors.JobInProgress):
            await hevo.pipeline(1).trigger()
        # Ours starts by 19:15, and is hidden until 20:45; the row of 20:00 is skipped as well.
        pipeline.plan(duration=600, appears_after=90)
        job = await hevo.pipeline(1).trigger(if_running="wait")
    assert [job.id] == runs(emulator, 1)
    assert not job.adopted
    statuses = [job.status for job in emulator.pipeline(1).jobs[2:]]
    assert statuses == ["COMPLETED", "SKIPPED", "SKIPPED", "IN_PROGRESS", "SKIPPED"]


async def test_an_older_job_of_the_same_type_is_not_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.add_history(created=START - 120, job_type=JobType.INCREMENTAL)
    pipeline.plan(appears_after=30)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("order", ["newest_first", "oldest_first"])
@pytest.mark.parametrize("history", [0, 1, 99, 100, 101, 350])
async def test_several_pages_of_history_in_either_order(order: str, history: int) -> None:
    async with HevoEmulator(start=START, dialect=Dialect(list_order=order)) as emulator:
        emulator.add_pipeline(123, history=history, appears_after=8)
        async with client_of(emulator) as hevo:
            job = await hevo.pipeline(123).trigger()
            assert [job.id] == runs(emulator)
            looks = len(emulator.requests.of("list_jobs"))
            # The history is read through at most once, however often is looked.
            assert looks <= 10 + (history // 100 + 1 if order == "oldest_first" else 0)


async def test_newly_included_objects_make_it_historical(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).include_object("refunds")
    job = await hevo.pipeline(123).trigger()
    assert job.type == "HISTORICAL"
    assert [job.id] == runs(emulator)


async def test_an_explicit_job_type_is_kept_to(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = await hevo.pipeline(123).trigger(job_type="incremental")
    assert job.type == "INCREMENTAL"
    await job.await_completion()
    emulator.pipeline(123).include_object("refunds")
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="no new INCREMENTAL Job") as caught:
        await hevo.pipeline(123).trigger(job_type=JobType.INCREMENTAL, discovery_timeout=30)
    assert caught.value.ticket.pipeline_id == 123
    assert "HISTORICAL Job" in str(caught.value)


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@pytest.mark.parametrize("drop_and_load", [False, True])
async def test_a_resync_in_every_generation(dialect: str, drop_and_load: bool) -> None:
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        emulator.add_pipeline(123, history=2)
        form = "drop_and_load" if dialect == "drop_and_load" else "resync_mode"
        async with client_of(emulator, dialect=form) as hevo:
            job = await hevo.pipeline(123).resync(drop_and_load=drop_and_load)
            wanted = JobType.RESYNC_WITH_DROP_AND_LOAD if drop_and_load else JobType.RESYNC
            found = await hevo.pipeline(123).trigger(
                "RESYNC", job_type=wanted, if_running="join", drop_and_load=drop_and_load
            )
            assert [job.id] == [found.id] == runs(emulator)
            await job.await_completion()


async def test_the_wrong_generation_of_body_is_said_and_starts_nothing() -> None:
    async with HevoEmulator(start=START, dialect="drop_and_load") as emulator:
        emulator.add_pipeline(123)
        async with client_of(emulator) as hevo:
            with pytest.raises(errors.ApiError, match="must hold drop_and_load.*another dialect"):
                await hevo.pipeline(123).resync()
        assert not runs(emulator)


async def test_a_type_name_that_nobody_knows_is_a_candidate(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(type="RESYNC_BRAND_NEW")
    job = await hevo.pipeline(123).resync()
    assert job.type == "RESYNC_BRAND_NEW"


async def test_resyncing_some_objects(emulator: HevoEmulator, hevo: HevoClient) -> None:
    pipeline = hevo.pipeline(123)
    objects = [row.object_id async for row in pipeline.list_objects()]
    job = await pipeline.resync_objects(objects[:2])
    assert [job.id] == runs(emulator)
    assert emulator.requests.of("resync_objects")[0].body == {
        "object_ids": objects[:2],
        "drop_and_load": False,
    }


async def test_two_triggers_of_one_pipeline_never_interleave(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    async with client_of(emulator) as other:
        results = await asyncio.gather(
            hevo.pipeline(123).trigger(),
            other.pipeline(123).trigger(),
            hevo.pipeline(123).trigger(if_running="join"),
            return_exceptions=True,
        )
    assert posts(emulator) == 1
    first, second, third = results
    assert isinstance(first, Job)
    assert isinstance(second, errors.JobInProgress)
    assert second.job == first == third


# -- a Job is running already ---------------------------------------------------------------------


async def test_fail_names_the_running_job_and_sends_nothing(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.pipeline(123).trigger()
    assert caught.value.job is not None
    assert caught.value.job.id == running
    assert caught.value.status is None
    for word in (running, "Pipeline 123", "INCREMENTAL", "IN_PROGRESS", 'if_running="join"'):
        assert word in str(caught.value)
    assert posts(emulator) == 0


async def test_join_returns_the_running_job(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=600)
    job = await hevo.pipeline(123).trigger(if_running="join")
    assert job.id == running
    assert job.adopted
    assert posts(emulator) == 0


async def test_join_does_not_take_a_sync_for_a_resync(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress, match="is not what was asked for"):
        await hevo.pipeline(123).resync(if_running="join")
    assert posts(emulator) == 0


async def test_replace_cancels_and_starts_anew(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=6000)
    job = await hevo.pipeline(123).trigger(if_running="replace")
    assert job.id != running
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert (await hevo.job(123, running).refresh()).status == "CANCELLED"
    assert [call.endpoint for call in emulator.requests if call.method == "POST"] == [
        "cancel_job",
        "sync_now",
    ]


async def test_replace_copes_with_a_job_that_ends_by_itself(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=30)
    emulator.faults.delay(40, on="cancel_job", effect="before")
    job = await hevo.pipeline(123).trigger(if_running="replace")
    assert [job.id] == runs(emulator)


async def test_replace_reports_a_cancel_that_is_refused(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=6000)
    emulator.faults.status(403, on="cancel_job")
    with pytest.raises(errors.PermissionDenied):
        await hevo.pipeline(123).trigger(if_running="replace")
    assert posts(emulator) == 0


async def test_wait_starts_when_the_running_job_has_ended(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100, outcome="FAILED")
    job = await hevo.pipeline(123).trigger(if_running="wait")
    assert [job.id] == runs(emulator)
    first, second = emulator.pipeline(123).jobs[-2:]
    assert first.job_id == running
    assert first.ended is not None
    assert first.ended <= second.created <= first.ended + 16


@pytest.mark.parametrize("dialect", ["newest", "oldest"])
@pytest.mark.parametrize("if_running", ["fail", "join", "replace", "wait"])
async def test_a_running_job_that_is_not_in_the_list_yet(dialect: str, if_running: str) -> None:
    """Hevo refuses, by JSON or by text, because of a Job that cannot be seen."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=3)
        pipeline.plan(appears_after=14, duration=40)
        hidden = pipeline.start_job(now=emulator.now)
        async with client_of(emulator) as hevo:
            if if_running == "fail":
                with pytest.raises(errors.JobInProgress, match="not in the list yet") as caught:
                    await hevo.pipeline(123).trigger()
                assert caught.value.job is None
                assert caught.value.status in {409, 500}
                assert "progress" in caught.value.body
                return
            job = await hevo.pipeline(123).trigger(if_running=if_running)
        assert job.adopted is (if_running == "join")
        assert (job.id == hidden.job_id) is (if_running == "join")
        assert runs(emulator) == ([] if if_running == "join" else [job.id])
        assert hidden.status == ("CANCELLED" if if_running == "replace" else hidden.status)


async def test_fail_names_a_job_that_began_between_reading_and_posting(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    running = run_as_scheduled(emulator, duration=600)
    with pytest.raises(errors.JobInProgress) as caught:
        await hevo.fire(ticket)
    assert caught.value.job is not None
    assert caught.value.job.id == running
    # Nothing can have come of the ticket.
    assert await hevo.reconcile(ticket) is None


async def test_a_hidden_job_that_never_shows_is_given_up_on(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=10_000, duration=None)
    emulator.pipeline(123).start_job(now=emulator.now)
    start = now()
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(123).trigger(if_running="join", discovery_timeout=60)
    assert 60 <= now() - start <= 70


async def test_an_unknown_status_is_left_to_the_server(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.unknown_value("status", "ABORTED_BY_MOON", on="list_jobs")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)


# -- the Pipeline's state -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", ["DISABLED", "DISABLING", "DELETED", "RESTART_FAILED", "INITIALIZE_FAILED", "PAUSED"]
)
@pytest.mark.parametrize("action", list(PipelineAction))
async def test_a_state_in_which_nothing_can_run(
    emulator: HevoEmulator, hevo: HevoClient, status: str, action: PipelineAction
) -> None:
    emulator.pipeline(123).status = status
    with pytest.raises(errors.PipelineNotReady, match=status) as caught:
        await hevo.pipeline(123).trigger(action)
    assert (caught.value.status, caught.value.pipeline_id) == (status, 123)
    assert posts(emulator) == 0


@pytest.mark.parametrize("status", ["ENABLED", "BRAND_NEW_STATUS", "INITIALIZING"])
async def test_the_server_judges_every_other_state(
    emulator: HevoEmulator, hevo: HevoClient, status: str
) -> None:
    emulator.faults.unknown_value("status", status, on="get_pipeline", times=None)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    await job.await_completion()

    emulator.pipeline(123).status = "DISABLED"
    with pytest.raises(errors.ApiError, match="DISABLED") as caught:
        await hevo.pipeline(123).trigger()
    assert caught.value.code == "PIPELINE_NOT_ACTIVE"
    assert posts(emulator) == 2


async def test_restarting_is_waited_out(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).restart_duration = 300
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).plan(duration=20)
    start = now()
    job = await hevo.pipeline(123).trigger(if_running="wait")
    assert now() - start > 320
    assert job.type == "INCREMENTAL"


async def test_restarting_that_begins_after_the_check_is_waited_out_too(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).status = "RESTARTING"
    job = await hevo.fire(ticket)
    assert job.type == "INCREMENTAL"


async def test_restarting_forever_is_reported(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.faults.unknown_value("status", "RESTARTING", on="get_pipeline", times=None)
    start = now()
    with pytest.raises(errors.PipelineNotReady, match="RESTARTING"):
        await hevo.pipeline(123).trigger()
    assert now() - start == pytest.approx(1800, abs=6)


async def test_a_resync_whose_restart_fails(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(fail_restart=True)
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="no new Job") as caught:
        await hevo.pipeline(123).resync(discovery_timeout=60)
    assert caught.value.ticket.action is PipelineAction.RESYNC
    with pytest.raises(errors.PipelineNotReady, match="RESTART_FAILED"):
        await hevo.pipeline(123).resync()


async def test_a_pipeline_that_does_not_exist(hevo: HevoClient) -> None:
    with pytest.raises(errors.NotFound, match="999 does not exist"):
        await hevo.pipeline(999).trigger()


# -- what may have arrived ------------------------------------------------------------------------

AMBIGUOUS: list[tuple[str, dict[str, Any]]] = [
    ("drop", {}),
    ("delay", {"seconds": 45}),
    ("status", {"status": 500}),
    ("status", {"status": 502, "body": "<html>Bad Gateway</html>"}),
    ("status", {"status": 503, "headers": {"Retry-After": "5"}}),
    ("status", {"status": 504}),
]


@pytest.mark.parametrize(("fault", "options"), AMBIGUOUS)
async def test_a_post_that_took_effect_unseen_is_found_and_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, fault: str, options: dict[str, Any]
) -> None:
    getattr(emulator.faults, fault)(on="sync_now", effect="after", **options)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1
    # A scheduled run could have begun in the same seconds.
    assert job.adopted


@pytest.mark.parametrize("fault", ["html", "truncate"])
async def test_a_success_that_cannot_be_read_is_answered_by_looking(
    emulator: HevoEmulator, hevo: HevoClient, fault: str
) -> None:
    getattr(emulator.faults, fault)(on="sync_now")
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


@pytest.mark.parametrize(("fault", "options"), AMBIGUOUS)
async def test_a_post_that_was_lost_is_unknown_and_not_repeated(
    emulator: HevoEmulator, hevo: HevoClient, fault: str, options: dict[str, Any]
) -> None:
    getattr(emulator.faults, fault)(on="sync_now", effect="before", **options)
    if fault == "delay":
        # Held back, it arrives all the same; cut it off for good.
        emulator.faults.drop(on="sync_now")
    start = now()
    with pytest.raises(errors.TriggerOutcomeUnknown, match="may or may not") as caught:
        await hevo.pipeline(123).trigger()
    assert 150 <= now() - start <= 185
    assert not runs(emulator)
    assert posts(emulator) == 1
    assert await hevo.reconcile(caught.value.ticket) is None


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *REFUSALS,
        (302, errors.ApiError),
    ],
)
async def test_a_refusal_starts_nothing_and_is_raised_at_once(
    emulator: HevoEmulator, hevo: HevoClient, status: int, kind: type[errors.RequestError]
) -> None:
    emulator.faults.status(status, on="sync_now")
    start = now()
    with pytest.raises(kind):
        await hevo.pipeline(123).trigger()
    assert now() == pytest.approx(start, abs=0.01)
    assert not runs(emulator)


async def test_trouble_while_looking_is_waited_out(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.faults.status(503, on="list_jobs", skip=1, times=20)
    job = await hevo.pipeline(123).trigger()
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


@pytest.mark.parametrize("status", [503, 401])
async def test_a_list_that_cannot_be_read_leaves_the_ticket_in_your_hands(
    emulator: HevoEmulator, hevo: HevoClient, status: int
) -> None:
    emulator.faults.status(status, on="list_jobs", skip=1, times=None)
    with pytest.raises(errors.TriggerOutcomeUnknown, match="could not be listed") as caught:
        await hevo.pipeline(123).trigger()
    assert posts(emulator) == 1
    emulator.faults.clear()
    job = await hevo.reconcile(caught.value.ticket)
    assert job is not None
    assert [job.id] == runs(emulator)


async def test_a_job_that_never_shows_up(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.pipeline(123).plan(appears_after=1000, duration=None)
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="Hevo accepted") as caught:
        await hevo.pipeline(123).trigger(discovery_timeout=20)
    await asyncio.sleep(1000)
    job = await hevo.reconcile(caught.value.ticket)
    assert job is not None
    assert [job.id] == runs(emulator)


async def test_a_restart_that_failed_is_reported_soon(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(fail_restart=True)
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="RESTART_FAILED") as caught:
        await hevo.pipeline(123).resync()
    assert "Enable the Pipeline later" in str(caught.value)
    assert now() - start < 45  # 10 s of restarting, and 20 s for a Job that began before it failed


async def test_a_restart_may_take_longer_than_jobs_take_to_show_up(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.restart_duration = 900
    job = await hevo.pipeline(123).resync(discovery_timeout=60)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


async def test_a_restart_without_end_is_given_up_on(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).restart_duration = 10_000
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="the Pipeline is RESTARTING"):
        await hevo.pipeline(123).resync(discovery_timeout=60)
    assert now() - start == pytest.approx(1860, abs=15)


@pytest.mark.parametrize("deaf", ["get_pipeline", "nothing"])
async def test_a_job_that_never_shows_up_costs_no_more_time_than_said(
    emulator: HevoEmulator, hevo: HevoClient, deaf: str
) -> None:
    emulator.pipeline(123).plan(appears_after=1000)
    if deaf != "nothing":
        emulator.faults.delay(1000, on=deaf, skip=1, times=None)
    start = now()
    with pytest.raises(errors.JobNotFoundAfterTrigger, match="Do not trigger again blindly"):
        await hevo.pipeline(123).trigger(discovery_timeout=60)
    assert now() - start <= 66


async def test_a_job_that_began_just_before_is_not_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """A scheduled Job that is not in the list yet when it is read, and fits the action."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=6, duration=600)
    pipeline.start_job("HISTORICAL", now=emulator.now)
    await asyncio.sleep(2)
    job = await hevo.pipeline(123).resync()
    assert job.type == "RESYNC"
    assert not job.adopted


@pytest.mark.parametrize("skew", [3, 20, 3600, -3, -3600])
async def test_clocks_at_hevo_that_differ(skew: float) -> None:
    """The Jobs' clock behind the gateway's, or ahead: a Job that runs is found, if not for sure."""
    async with HevoEmulator(start=START) as emulator:
        pipeline = emulator.add_pipeline(123)
        pipeline.add_history(created=START - 7200 - skew)
        pipeline.plan(appears_after=5, duration=600, extra={"created_ts": (START - skew) * 1000})
        async with client_of(emulator) as hevo:
            job = await hevo.pipeline(123).trigger()
            assert [job.id] == runs(emulator)
            assert job.adopted
            assert job.certainty is Certainty.LIKELY


@pytest.mark.parametrize("accepted", [True, False])
async def test_a_job_that_is_over_and_too_old_by_its_clock(
    emulator: HevoEmulator, hevo: HevoClient, accepted: bool
) -> None:
    emulator.pipeline(123).plan(duration=0, extra={"created_ts": (START - 20) * 1000})
    if accepted:
        job = await hevo.pipeline(123).trigger()
        assert [job.id] == runs(emulator)
        assert job.certainty is Certainty.POSSIBLE
        return
    emulator.faults.drop(on="sync_now", effect="after")
    with pytest.raises(errors.TriggerOutcomeUnknown, match="earlier than the trigger") as caught:
        await hevo.pipeline(123).trigger()
    assert f"123:{runs(emulator)[0]}" in str(caught.value)


# -- tickets --------------------------------------------------------------------------------------


async def test_the_three_steps_are_a_trigger(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    assert posts(emulator) == 0
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert not job.adopted


async def test_a_ticket_is_plain_json_without_secrets(hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(
        "RESYNC", drop_and_load=True, if_running="wait", discovery_timeout=99
    )
    text = ticket.dumps()
    assert TriggerTicket.loads(text) == ticket
    assert "emulator-secret" not in text
    assert "emulator-key" not in text


@pytest.mark.parametrize("text", ["", "{}", "null", '{"version": 2}', "[1", b"\xff"])
def test_what_is_no_ticket(text: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="not a TriggerTicket"):
        TriggerTicket.loads(text)


async def test_firing_twice_posts_once(emulator: HevoEmulator, hevo: HevoClient) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    first, second = await asyncio.gather(hevo.fire(ticket), hevo.fire(ticket))
    third = await hevo.reconcile(ticket)
    assert first == second == third
    assert not second.adopted
    assert posts(emulator) == 1


@pytest.mark.parametrize("fired", [True, False])
async def test_another_process_takes_over(emulator: HevoEmulator, fired: bool) -> None:
    async with client_of(emulator) as first:
        stored = (await first.pipeline(123).prepare_trigger(discovery_timeout=60)).dumps()
        if fired:
            firing = asyncio.create_task(first.fire(TriggerTicket.loads(stored)))
            await asyncio.sleep(0.5)
            firing.cancel()
    async with client_of(emulator) as second:
        ticket = TriggerTicket.loads(stored)
        job = await second.reconcile(ticket)
        assert (job is not None) is fired
        again = await second.fire(ticket)
        assert [again.id] == runs(emulator)
        assert posts(emulator) == 1
        assert again.adopted is fired


async def test_preparing_makes_way_as_well(emulator: HevoEmulator, hevo: HevoClient) -> None:
    run_as_scheduled(emulator, duration=100)
    start = now()
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    assert now() - start >= 100
    emulator.pipeline(123).resync(emulator.now, drop_and_load=False)
    emulator.pipeline(123).plan(duration=500, appears_after=0)
    again = await hevo.pipeline(123).prepare_trigger(if_running="wait")
    assert again.watermark.server_time
    assert ticket.watermark.server_time
    assert again.watermark.server_time - ticket.watermark.server_time > 10
    assert posts(emulator) == 0


async def test_firing_again_after_an_answer_was_lost_only_looks(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    for _ in range(2):
        with pytest.raises(errors.TriggerOutcomeUnknown):
            await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    assert posts(emulator) == 1


async def test_a_joining_ticket_sends_nothing(emulator: HevoEmulator, hevo: HevoClient) -> None:
    running = run_as_scheduled(emulator, duration=600)
    ticket = await hevo.pipeline(123).prepare_trigger(if_running="join")
    assert (ticket.job_id, ticket.certainty) == (running, Certainty.JOINED)
    for job in (await hevo.fire(ticket), await hevo.reconcile(ticket)):
        assert job is not None
        assert job.id == running
        assert job.adopted
    assert posts(emulator) == 0


async def test_a_post_never_sent_may_be_fired_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    await emulator.stop()
    await asyncio.sleep(0.01)
    with pytest.raises(errors.RequestNotSent):
        await hevo.fire(ticket)
    await emulator.start()
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)


@pytest.mark.parametrize("stored", [True, False])
async def test_a_job_that_came_and_went_before_the_post_is_not_taken_for_ours(
    emulator: HevoEmulator, hevo: HevoClient, stored: bool
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=30)
    await asyncio.sleep(10)
    scheduled = run_as_scheduled(emulator, duration=5)
    await asyncio.sleep(60)
    if stored:
        async with client_of(emulator) as elsewhere:
            # Nobody there can know that the ticket was not fired before.
            job = await elsewhere.fire(TriggerTicket.loads(ticket.dumps()))
            assert (job.id, job.adopted) == (scheduled, True)
            return
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert not job.adopted


async def test_a_trigger_that_waits_keeps_nobody_from_an_answer(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    run_as_scheduled(emulator, duration=600)
    waiting = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
    await asyncio.sleep(5)
    start = now()
    with pytest.raises(errors.JobInProgress):
        await hevo.pipeline(123).trigger()
    assert now() == pytest.approx(start, abs=0.01)
    job = await waiting
    assert [job.id] == runs(emulator)


async def test_old_tickets_are_forgotten_in_the_end(
    hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hevo_edge._triggering.registry.MAX_RECORDS", 2)
    for _ in range(5):
        await hevo.pipeline(123).prepare_trigger()
    assert len(hevo._core.triggers.registry) == 2


async def test_cancelling_a_trigger_leaves_nothing_behind(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=600)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(2)
    triggering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await triggering
    calls = len(emulator.requests)
    await asyncio.sleep(60)
    assert len(emulator.requests) == calls
    # The lock is free again.
    job = await hevo.pipeline(123).trigger(if_running="join")
    assert [job.id] == runs(emulator)


async def test_a_prepared_ticket_is_fired_without_reading_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=0, duration=600)
    ticket = await hevo.pipeline(123).prepare_trigger()
    await asyncio.sleep(14)
    job = await hevo.fire(ticket)
    assert job.certainty is Certainty.CERTAIN
    asked = [call.endpoint for call in emulator.requests]
    assert asked == ["get_pipeline", "list_jobs", "sync_now", "list_jobs"]


async def test_what_has_been_found_is_not_looked_for_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger()
    job = await hevo.fire(ticket)
    await asyncio.sleep(600)
    calls = len(emulator.requests)
    again = await hevo.fire(ticket)
    assert (again, again.certainty, again.status) == (job, job.certainty, "COMPLETED")
    assert len(emulator.requests) == calls + 1


async def test_a_ticket_of_which_nothing_came_may_be_fired_again(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """After a POST that was lost, reconcile says None, and that frees the ticket."""
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
        await hevo.fire(ticket)
    assert await hevo.reconcile(caught.value.ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 2


async def test_a_ticket_from_elsewhere_is_looked_for_once_before_it_is_fired(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=60)
    async with client_of(emulator) as other:
        assert await other.reconcile(ticket) is None
        start = now()
        job = await other.fire(ticket)
    assert [job.id] == runs(emulator)
    assert now() - start < 20


def test_a_ticket_may_be_prepared_in_one_loop_and_fired_in_another() -> None:
    with HevoEmulator(speed=50, seed=1) as emulator:
        emulator.add_pipeline(123, duration=600)
        hevo = client_of(emulator)
        ticket = asyncio.run(hevo.pipeline(123).prepare_trigger())
        job = asyncio.run(hevo.fire(ticket))
        asyncio.run(hevo.close())
        assert [job.id] == runs(emulator)


async def test_a_ticket_that_hevo_has_accepted_is_never_free(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(appears_after=1000)
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    for attempt in (hevo.fire, hevo.reconcile, hevo.fire):
        with pytest.raises(errors.JobNotFoundAfterTrigger):
            await attempt(ticket)
    await asyncio.sleep(1000)
    job = await hevo.reconcile(ticket)
    assert job is not None
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


@pytest.mark.parametrize("duration", [2, 30, 600])
@pytest.mark.parametrize("listed_after", [3, 15, 45])
@pytest.mark.parametrize("dialect", ["newest", "oldest"])
async def test_a_job_in_progress_is_evidence_that_an_earlier_post_has_landed(
    dialect: str, listed_after: float, duration: float
) -> None:
    """The other process died, and its POST took effect just before we stopped looking for it."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=1)
        async with client_of(emulator) as first:
            text = (await first.pipeline(123).prepare_trigger(discovery_timeout=20)).dumps()
        async with client_of(emulator) as second:
            pipeline.plan(appears_after=listed_after, duration=duration)
            firing = asyncio.create_task(second.fire(TriggerTicket.loads(text)))
            await asyncio.sleep(19)
            late = emulator.pipeline(123).sync_now(emulator.now)
            if listed_after == 45:
                with pytest.raises(errors.TriggerOutcomeUnknown, match="may or may not"):
                    await firing
                await asyncio.sleep(60)
                firing = asyncio.create_task(second.fire(TriggerTicket.loads(text)))
            job = await firing
            assert (job.id, job.certainty) == (late.job_id, Certainty.POSSIBLE)
            assert await second.fire(TriggerTicket.loads(text)) == job
            assert await second.reconcile(TriggerTicket.loads(text)) == job
        assert runs(emulator) == [late.job_id]


async def test_what_came_of_an_earlier_post_meanwhile_is_seen_before_the_next(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    emulator.faults.delay(70, on="sync_now", effect="before")
    with pytest.raises(errors.TriggerOutcomeUnknown):
        await hevo.fire(ticket)
    assert await hevo.reconcile(ticket) is None
    await asyncio.sleep(90)  # it has taken effect after all, and its Job is over
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)
    assert posts(emulator) == 1


# -- tickets that keep themselves up to date --------------------------------------------------------


class Crash(Exception):
    """Stands for the end of a process."""


async def test_the_ticket_is_told_before_anything_is_sent_and_whenever_more_is_known(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    told: list[tuple[int, TriggerTicket]] = []

    def store(ticket: TriggerTicket) -> None:
        told.append((posts(emulator), TriggerTicket.loads(ticket.dumps())))

    job = await hevo.pipeline(123).trigger(on_ticket=store)
    (sent, before), (_, accepted), (_, found) = told
    assert sent == 0
    assert before.post is not None
    assert before.state is TicketState.SENDING
    assert before.post.elapsed is None
    assert accepted.post is not None
    assert accepted.post.accepted
    assert accepted.state is TicketState.ACCEPTED
    assert (found.job_id, found.certainty) == (job.id, Certainty.CERTAIN)
    assert len(found.dumps()) < 600


@pytest.mark.parametrize("verb", ["sync_now", "resync", "resync_objects"])
async def test_every_verb_takes_a_coroutine_function_as_well(
    emulator: HevoEmulator, hevo: HevoClient, verb: str
) -> None:
    stored: list[str] = []

    async def store(ticket: TriggerTicket) -> None:
        await asyncio.sleep(1)
        stored.append(ticket.dumps())

    pipeline = hevo.pipeline(123)
    objects = [[row.object_id async for row in pipeline.list_objects()]]
    job = await getattr(pipeline, verb)(
        *(objects if verb == "resync_objects" else []), on_ticket=store
    )
    assert TriggerTicket.loads(stored[-1]).job_id == job.id
    with pytest.raises(errors.ConfigurationError, match="on_ticket must be callable"):
        await pipeline.sync_now(on_ticket="store")  # type: ignore[arg-type]


@pytest.mark.parametrize("stage", [0, 1, 2])
async def test_another_process_goes_on_from_wherever_it_was(
    emulator: HevoEmulator, stage: int
) -> None:
    stored: list[str] = []

    def store(ticket: TriggerTicket) -> None:
        stored.append(ticket.dumps())
        if len(stored) == stage + 1:
            raise Crash

    async with client_of(emulator) as first:
        with pytest.raises(Crash):
            await first.pipeline(123).trigger(on_ticket=store, discovery_timeout=60)
    async with client_of(emulator) as second:
        calls, start = len(emulator.requests), now()
        job = await second.fire(TriggerTicket.loads(stored[-1]), on_ticket=store)
        assert [job.id] == runs(emulator)
        assert posts(emulator) == 1
        if stage == 0:  # nothing had been sent, but that cannot be known
            assert now() - start >= 60
        if stage == 2:
            assert len(emulator.requests) == calls + 1
        assert job.certainty is Certainty.CERTAIN
        assert TriggerTicket.loads(stored[-1]).job_id == job.id


async def test_a_ticket_that_cannot_be_stored_is_not_posted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    def full(_: TriggerTicket) -> None:
        raise OSError("no space left on device")

    ticket = await hevo.pipeline(123).prepare_trigger()
    with pytest.raises(OSError, match="no space"):
        await hevo.fire(ticket, on_ticket=full)
    assert posts(emulator) == 0
    assert await hevo.reconcile(ticket) is None
    job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)


async def test_what_was_refused_is_told_as_never_posted(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    told: list[TriggerTicket] = []
    emulator.faults.status(400, on="sync_now")
    with pytest.raises(errors.ApiError):
        await hevo.pipeline(123).trigger(on_ticket=told.append)
    assert [ticket.post is None for ticket in told] == [False, True]
    emulator.faults.clear()
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=60, duration=600)
    pipeline.start_job(now=emulator.now)
    with pytest.raises(errors.JobInProgress):
        await hevo.fire(told[-1], on_ticket=told.append)
    assert told[-1].post is None


@pytest.mark.parametrize("accepted", [True, False])
async def test_the_ticket_of_an_error_is_never_posted_elsewhere(
    emulator: HevoEmulator, hevo: HevoClient, accepted: bool
) -> None:
    if accepted:
        emulator.pipeline(123).plan(appears_after=500, duration=2)
    else:
        emulator.faults.drop(on="sync_now")
    with pytest.raises(errors.TriggerError) as caught:
        await hevo.pipeline(123).trigger(discovery_timeout=20)
    text = caught.value.ticket.dumps()
    async with client_of(emulator) as other:
        with pytest.raises(type(caught.value)):
            await other.fire(TriggerTicket.loads(text))
        assert posts(emulator) == 1
        if accepted:
            with pytest.raises(errors.JobNotFoundAfterTrigger):
                await other.reconcile(TriggerTicket.loads(text))
            await asyncio.sleep(500)
            job = await other.fire(TriggerTicket.loads(text))
            assert [job.id] == runs(emulator)
            return
        assert await other.reconcile(TriggerTicket.loads(text)) is None
        job = await other.fire(TriggerTicket.loads(text))
        assert posts(emulator) == 2
        assert len(runs(emulator)) == 1


async def test_a_ticket_that_was_fired_elsewhere_since_is_not_fired_here(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """This client prepared it; another one fired it, and stored what became of it."""
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    stored: list[TriggerTicket] = []
    async with client_of(emulator) as other:
        job = await other.fire(ticket, on_ticket=stored.append)
    for later in reversed(stored):
        assert await hevo.fire(later) == job
    assert posts(emulator) == 1


async def test_a_job_in_progress_that_is_older_than_the_ticket_is_no_evidence(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    async with client_of(emulator) as other:
        run_as_scheduled(emulator, duration=600, type="RESYNC")
        with pytest.raises(errors.JobInProgress, match="RESYNC"):
            await other.fire(ticket)
    assert posts(emulator) == 0


async def test_a_cursor_that_has_died_is_no_obstacle() -> None:
    async with HevoEmulator(start=START, dialect=Dialect(list_order="oldest_first")) as emulator:
        emulator.add_pipeline(123, history=250)
        async with client_of(emulator) as hevo:
            ticket = await hevo.pipeline(123).prepare_trigger()
            assert ticket.watermark.tail is not None
            emulator.faults.status(400, {"error": "BAD_CURSOR"}, on="list_jobs", times=None, skip=0)
            emulator.faults.rules[-1].times = 1
            job = await hevo.fire(ticket)
            assert [job.id] == runs(emulator)


async def test_a_fast_job_is_seen_under_two_hundred_newer_rows(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=10, duration=0)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(1.5)
    for _ in range(230):
        pipeline.add_history(created=emulator.now + 1, duration=0, status="SKIPPED")
    job = await triggering
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN


@pytest.mark.parametrize("lag", [0, 0.9])
async def test_a_quiet_trigger_costs_four_requests(
    emulator: HevoEmulator, hevo: HevoClient, lag: float
) -> None:
    emulator.pipeline(123).plan(appears_after=lag)
    await hevo.pipeline(123).trigger()
    assert len(emulator.requests) == 4


@pytest.mark.parametrize(("lag", "looks"), [(5, 3), (10, 5), (15, 7), (60, 22)])
async def test_looking_is_spaced(
    emulator: HevoEmulator, hevo: HevoClient, lag: float, looks: int
) -> None:
    emulator.pipeline(123).plan(appears_after=lag)
    await hevo.pipeline(123).trigger()
    assert len(emulator.requests.of("list_jobs")) - 1 <= looks


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
async def test_a_resync_in_the_words_of_every_generation(dialect: str) -> None:
    """RESTARTING or RESYNCING, INITIALIZED or ENABLED, RESTART_FAILED or FAILED."""
    async with HevoEmulator(start=START, dialect=dialect) as emulator:
        pipeline = emulator.add_pipeline(123, history=1, restart_duration=200, duration=30)
        form = "drop_and_load" if dialect == "drop_and_load" else "resync_mode"
        async with client_of(emulator, dialect=form) as hevo:
            job = await hevo.pipeline(123).resync()
            assert [job.id] == runs(emulator)
            await job.await_completion()
            pipeline.plan(fail_restart=True)
            with pytest.raises(errors.JobNotFoundAfterTrigger, match="FAILED.*Enable the Pipeline"):
                await hevo.pipeline(123).resync()
            with pytest.raises(errors.PipelineNotReady, match="FAILED"):
                await hevo.pipeline(123).trigger()
            await hevo.pipeline(123).enable()
            pipeline.plan(fail_restart=False)
            pipeline.resync(emulator.now, drop_and_load=False)
            start = now()
            job = await hevo.pipeline(123).sync_now(if_running="wait")
            assert now() - start > 200
            assert job.type == "INCREMENTAL"


@pytest.mark.parametrize("if_running", ["fail", "join", "replace", "wait"])
async def test_what_a_resync_does_to_a_sync_that_runs(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    """Hevo would cancel it without asking; here it is the caller who says so."""
    running = run_as_scheduled(emulator, duration=300)
    if if_running in {"fail", "join"}:
        with pytest.raises(errors.JobInProgress):
            await hevo.pipeline(123).resync(if_running=if_running)
        assert posts(emulator) == 0
        return
    job = await hevo.pipeline(123).resync(if_running=if_running)
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.CERTAIN
    ended = (await hevo.job(123, running).refresh()).status
    assert ended == ("CANCELLED" if if_running == "replace" else "COMPLETED")


# -- many at once, and callers that get in each other's way ----------------------------------------


async def test_a_job_that_came_and_went_while_the_post_waited_is_not_taken(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(10, 60.0)) as hevo:
        for _ in range(9):
            await hevo.send(api.get_job(123, emulator.pipeline(123).jobs[0].job_id))
        triggering = asyncio.create_task(hevo.pipeline(123).trigger())
        await asyncio.sleep(10)
        scheduled = run_as_scheduled(emulator, duration=20)
        job = await triggering
    assert job.id != scheduled
    assert [job.id] == runs(emulator)
    assert not job.adopted
    assert posts(emulator) == 1


@pytest.mark.parametrize("calls", [1, 3, 4, 10])
async def test_a_small_share_of_calls_is_enough_to_trigger(
    emulator: HevoEmulator, calls: int
) -> None:
    """Used evenly, so that there is a slot every now and then and never two at once."""
    async with client_of(emulator, rate_limit=RateLimit(calls, 60.0)) as hevo:
        others = [hevo.job(123, emulator.pipeline(123).jobs[0].job_id) for _ in range(20)]

        async def keep_busy(job: Job) -> None:
            while True:
                await job.refresh()

        busy = [asyncio.create_task(keep_busy(job)) for job in others]
        await asyncio.sleep(300)
        emulator.pipeline(123).plan(duration=3600)
        job = await hevo.pipeline(123).trigger(discovery_timeout=600)
        assert [job.id] == runs(emulator)
        assert posts(emulator) == 1
        for task in busy:
            task.cancel()
        await asyncio.wait(busy)


async def test_a_hundred_triggers_on_scheduled_pipelines_find_their_own_jobs() -> None:
    async with HevoEmulator(start=START) as emulator:
        for number in range(1, 41):
            emulator.add_pipeline(number, every_minutes=3, duration=20, history=1)
        await asyncio.sleep(150)
        async with client_of(emulator) as hevo:
            jobs = await asyncio.gather(
                *(hevo.pipeline(number).trigger(if_running="wait") for number in range(1, 41))
            )
        for job in jobs:
            assert [job.id] == runs(emulator, job.pipeline_id)
        assert 429 not in {call.status for call in emulator.requests}


@pytest.mark.parametrize("foreign", [True, False])
async def test_an_old_ticket_fired_twice_at_once_is_posted_once(
    emulator: HevoEmulator, hevo: HevoClient, foreign: bool
) -> None:
    ticket = await hevo.pipeline(123).prepare_trigger(discovery_timeout=20)
    await asyncio.sleep(10)
    async with client_of(emulator) as other:
        firing = other if foreign else hevo
        emulator.pipeline(123).plan(duration=2, appears_after=0)
        first, second = await asyncio.gather(firing.fire(ticket), firing.fire(ticket))
    assert first == second
    assert posts(emulator) == 1


async def test_one_who_looks_for_a_ticket_has_the_pipelines_turn(emulator: HevoEmulator) -> None:
    async with client_of(emulator) as first:
        text = (await first.pipeline(123).prepare_trigger(discovery_timeout=60)).dumps()
    async with client_of(emulator) as hevo:
        firing = asyncio.create_task(hevo.fire(TriggerTicket.loads(text)))
        await asyncio.sleep(3)
        triggering = asyncio.create_task(hevo.pipeline(123).trigger(if_running="wait"))
        jobs = await asyncio.gather(firing, triggering)
    assert [job.id for job in jobs] == runs(emulator)


@pytest.mark.parametrize("if_running", ["join", "replace", "wait"])
async def test_a_running_job_of_an_unknown_status_is_believed_when_hevo_refuses(
    emulator: HevoEmulator, hevo: HevoClient, if_running: str
) -> None:
    running = run_as_scheduled(emulator, duration=300)
    emulator.faults.unknown_value("status", "RUNNING", on="list_jobs", times=3)
    job = await hevo.pipeline(123).trigger(if_running=if_running)
    assert (job.id == running) is (if_running == "join")
    assert posts(emulator) <= 3


async def test_of_several_new_jobs_the_one_created_with_the_post_is_taken(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    """Ours was over at once, and a scheduled one began before either was in the list."""
    pipeline = emulator.pipeline(123)
    pipeline.plan(duration=0, appears_after=9)
    triggering = asyncio.create_task(hevo.pipeline(123).trigger())
    await asyncio.sleep(2)
    run_as_scheduled(emulator, duration=100, appears_after=7)
    job = await triggering
    assert [job.id] == runs(emulator)
    assert job.certainty is Certainty.LIKELY  # by a clock 2 s off it would be the other


async def test_a_cancelled_fire_that_had_sent_nothing_may_be_fired_again(
    emulator: HevoEmulator,
) -> None:
    async with client_of(emulator, rate_limit=RateLimit(2, 60.0)) as hevo:
        ticket = await hevo.pipeline(123).prepare_trigger()
        firing = asyncio.create_task(hevo.fire(ticket))
        await asyncio.sleep(1)
        assert posts(emulator) == 0
        firing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await firing
        assert await hevo.reconcile(ticket) is None
        job = await hevo.fire(ticket)
    assert [job.id] == runs(emulator)


# -- awaiting a Pipeline --------------------------------------------------------------------------


async def test_awaiting_a_pipeline_takes_the_job_that_runs(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100)
    job = await hevo.pipeline(123).await_completion()
    assert job.id == running
    assert job.status == "COMPLETED"


async def test_awaiting_a_pipeline_takes_the_next_job_to_start(emulator: HevoEmulator) -> None:
    emulator.add_pipeline(1, every_minutes=10, history=3, duration=50)
    async with client_of(emulator) as hevo:
        emulator.faults.status(503, on="list_jobs", skip=3, times=8)
        job = await hevo.pipeline(1).await_completion(job_type="incremental")
        assert job.status == "COMPLETED"
        emulated = next(job for job in emulator.pipeline(1).jobs if job.origin == "schedule")
        assert job.id == emulated.job_id
        with pytest.raises(errors.JobTimeout, match="no HISTORICAL Job") as caught:
            await hevo.pipeline(1).await_completion(job_type="HISTORICAL", timeout=700)
        assert caught.value.job is None


async def test_awaiting_a_pipeline_takes_a_job_that_is_not_in_the_list_yet(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    pipeline = emulator.pipeline(123)
    pipeline.plan(appears_after=14, duration=60)
    hidden = pipeline.start_job(now=emulator.now)
    await asyncio.sleep(12)
    job = await hevo.pipeline(123).await_completion(timeout=600)
    assert job.id == hidden.job_id


async def test_awaiting_a_pipeline_outlives_trouble_at_its_first_look(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    running = run_as_scheduled(emulator, duration=100)
    emulator.faults.status(502, on="list_jobs", times=10)
    job = await hevo.pipeline(123).await_completion()
    assert job.id == running
    emulator.faults.delay(1000, on="list_jobs", times=None)
    start = now()
    with pytest.raises(errors.JobTimeout):
        await hevo.pipeline(123).await_completion(timeout=50)
    assert now() - start < 56


async def test_the_time_out_covers_the_start_as_well(emulator: HevoEmulator) -> None:
    emulator.add_pipeline(1, every_minutes=10, duration=5000)
    async with client_of(emulator) as hevo:
        start = now()
        with pytest.raises(errors.JobTimeout) as caught:
            await hevo.pipeline(1).await_completion(timeout=900)
        assert now() - start == pytest.approx(900, abs=0.1)
        assert caught.value.job is not None
