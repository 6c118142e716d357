"""The state machine of a Pipeline, without HTTP and without a clock."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.emulator import DIALECTS, EmulatedPipeline
from hevo_edge.enums import JobStatus, JobType, PipelineStatus
from tests.emulator.pipelines import HOUR, NEWEST, NOW, pipeline, refused, statuses


class TestSync:
    def test_runs_for_its_duration_and_completes(self) -> None:
        p = pipeline(duration=60)
        job = p.sync_now(NOW)
        assert (job.type, job.status, job.origin) == ("INCREMENTAL", "IN_PROGRESS", "sync_now")
        p.advance(NOW + 59.9)
        assert p.running is job
        p.advance(NOW + 60)
        assert (job.status, job.ended) == ("COMPLETED", NOW + 60)
        assert p.running is None

    def test_a_new_job_is_hidden_for_five_to_fifteen_seconds(self) -> None:
        p = pipeline(duration=0)
        lags = set()
        for second in range(50):
            p.advance(NOW + second)
            lags.add(p.sync_now(NOW + second).visible_from - (NOW + second))
        assert min(lags) >= 5
        assert max(lags) <= 15
        assert len(lags) > 40

    def test_one_job_at_a_time_even_a_hidden_one(self) -> None:
        p = pipeline()
        job = p.sync_now(NOW)
        assert job.visible_from > NOW
        assert refused(p.sync_now, NOW) == "job_in_progress"
        assert refused(p.resync_objects, NOW) == "job_in_progress"
        p.advance(NOW + 60)
        assert p.sync_now(NOW + 60) is not job

    @pytest.mark.parametrize("status", sorted(set(PipelineStatus) - {"INITIALIZED", "ENABLED"}))
    def test_only_a_ready_pipeline_takes_actions(self, status: str) -> None:
        p = pipeline(status=status)
        assert refused(p.sync_now, NOW) == "state"
        assert refused(p.resync_objects, NOW) == "state"
        assert refused(p.resync, NOW, drop_and_load=False) == "state"
        assert p.jobs == []

    def test_newly_included_objects_make_one_historical_job(self) -> None:
        p = pipeline(duration=10, objects=())
        object_id = p.include_object("invoices")
        assert p.objects[object_id].wire(object_id, whole=True)["object_name"] == "invoices"
        assert p.sync_now(NOW).type == JobType.HISTORICAL
        p.advance(NOW + 10)
        assert p.sync_now(NOW + 10).type == JobType.INCREMENTAL

    def test_a_resync_of_objects_is_a_historical_job(self) -> None:
        job = pipeline().resync_objects(NOW)
        assert (job.type, job.origin) == (JobType.HISTORICAL, "resync_objects")


class TestPlans:
    def test_plans_are_used_in_order_then_the_defaults(self) -> None:
        p = pipeline(duration=10, events=7)
        p.plan(outcome=JobStatus.FAILED, duration=1, appears_after=0, events=50)
        p.plan(type="TRUNCATE_AND_LOAD", extra={"note": "as it is"})
        first = p.sync_now(NOW)
        assert (first.visible_from, first.ends, first.events) == (NOW, NOW + 1, 50)
        p.advance(NOW + 1)
        assert first.status == JobStatus.FAILED
        second = p.sync_now(NOW + 1)
        assert second.type == "TRUNCATE_AND_LOAD"
        assert second.wire(NOW + 1, NEWEST)["note"] == "as it is"
        p.advance(NOW + 11)
        third = p.sync_now(NOW + 11)
        assert (third.type, third.events, third.outcome) == ("INCREMENTAL", 7, "COMPLETED")

    def test_an_endless_job_never_ends_by_itself(self) -> None:
        p = pipeline()
        p.plan(duration=None)
        job = p.sync_now(NOW)
        p.advance(NOW + 1e9)
        assert p.running is job
        assert job.wire(NOW + 1e9, NEWEST)["events_ingested"] == 500

    @pytest.mark.parametrize("duration", [-1, (5, 1), (1, 2, 3), "5", (None, 5)])
    def test_an_impossible_duration_is_refused(self, duration: Any) -> None:
        for option in ("duration", "appears_after", "restart_duration", "cancel_duration"):
            with pytest.raises(ValueError, match="a duration must be seconds, or a range"):
                pipeline(**{option: duration})
        with pytest.raises(ValueError, match="a duration must be seconds, or a range"):
            pipeline().plan(duration=duration)

    def test_cancelling_can_be_endless(self) -> None:
        p = pipeline(cancel_duration=None)
        job = p.sync_now(NOW)
        p.cancel(job, NOW + 1)
        p.advance(NOW + 1e6)
        assert (p.running, job.status) == (job, "CANCELLING")

    def test_all_jobs_can_be_endless(self) -> None:
        assert pipeline(duration=None).sync_now(NOW).ends is None

    @pytest.mark.parametrize(
        ("job_type", "outcome", "following"),
        [
            ("HISTORICAL", "DEFERRED", "HISTORICAL"),
            ("RESYNC", "DEFERRED_WITH_FAILURES", "HISTORICAL"),
            ("INCREMENTAL", "DEFERRED", "INCREMENTAL"),
            ("HISTORICAL", "COMPLETED", "INCREMENTAL"),
        ],
    )
    def test_the_job_after_a_deferred_one(
        self, job_type: str, outcome: str, following: str
    ) -> None:
        p = pipeline(duration=10)
        p.plan(type=job_type, outcome=outcome)
        p.sync_now(NOW)
        p.advance(NOW + 10)
        assert p.sync_now(NOW + 10).type == following
        p.advance(NOW + 20)
        assert p.sync_now(NOW + 20).type == "INCREMENTAL"

    def test_a_mistyped_plan_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"'outcom'.*'outcome'"):
            pipeline().plan(outcom="FAILED")

    def test_a_range_of_durations_is_drawn_from(self) -> None:
        p = pipeline(duration=(100.0, 200.0))
        job = p.sync_now(NOW)
        assert job.ends is not None
        assert NOW + 100 <= job.ends <= NOW + 200


class TestSchedule:
    def test_runs_on_time_and_skips_while_a_job_runs(self) -> None:
        # The example of the docs: every two hours; a run of two and a half hours skips one.
        p = pipeline(every_minutes=120, duration=2.5 * HOUR)
        p.advance(NOW + 6 * HOUR)
        assert [(job.created - NOW) / HOUR for job in p.jobs] == [2, 4, 6]
        assert statuses(p) == ["COMPLETED", "SKIPPED", "IN_PROGRESS"]
        assert {job.origin for job in p.jobs} == {"schedule"}

    def test_a_skipped_row_shows_at_once_on_top_of_the_running_job(self) -> None:
        p = pipeline(every_minutes=1, duration=None)
        p.advance(NOW + 120)
        running, skipped = p.jobs
        assert p.running is running
        assert (skipped.visible_from, skipped.ended) == (NOW + 120, NOW + 120)
        shown = skipped.wire(NOW + 500, NEWEST)
        assert (shown["events_ingested"], shown["duration"], shown["objects_queued"]) == (0, 0, 0)

    def test_a_job_that_ends_at_the_very_moment_skips_nothing(self) -> None:
        p = pipeline(every_minutes=1, duration=60)
        p.advance(NOW + 180)
        assert statuses(p) == ["COMPLETED", "COMPLETED", "IN_PROGRESS"]

    def test_nothing_starts_while_disabled_and_it_goes_on_when_enabled(self) -> None:
        p = pipeline(every_minutes=60)
        p.disable(NOW, cancel_active_jobs=False)
        p.advance(NOW + 2.5 * HOUR)
        assert p.jobs == []
        p.enable()
        p.advance(NOW + 3 * HOUR)
        assert [job.created for job in p.jobs] == [NOW + 3 * HOUR]

    def test_the_first_scheduled_run_loads_new_objects(self) -> None:
        p = pipeline(every_minutes=60, duration=1)
        p.include_object("invoices")
        p.advance(NOW + 2 * HOUR)
        assert [job.type for job in p.jobs] == [JobType.HISTORICAL, JobType.INCREMENTAL]

    def test_a_restart_counts_as_running(self) -> None:
        p = pipeline(every_minutes=1, restart_duration=90)
        p.resync(NOW, drop_and_load=False)
        p.advance(NOW + 60)
        assert statuses(p) == ["SKIPPED"]

    @pytest.mark.parametrize("minutes", [0, -5, float("nan")])
    def test_an_impossible_schedule_is_refused(self, minutes: float) -> None:
        with pytest.raises(ValueError, match="every_minutes must be positive"):
            pipeline(every_minutes=minutes)

    def test_the_wire_says_how_often(self) -> None:
        on_demand, scheduled = pipeline().wire(), pipeline(every_minutes=30).wire()
        assert on_demand["schedule"] == {"sync_type": "ON_DEMAND"}
        assert scheduled["schedule"] == {"sync_type": "SCHEDULED", "frequency_minutes": 30}

    def test_a_test_can_start_a_job_as_the_schedule_would(self) -> None:
        p = pipeline()
        mine = p.sync_now(NOW)
        other = p.start_job(JobType.REFRESHER, now=NOW + 1)
        assert (other.type, other.origin, other.is_over) == ("REFRESHER", "schedule", False)
        assert not mine.is_over


class TestResync:
    @pytest.mark.parametrize(
        ("name", "drop_and_load", "job_type"),
        [
            ("newest", False, "RESYNC"),
            ("newest", True, "RESYNC_WITH_DROP_AND_LOAD"),
            ("evolve", False, "RESYNC_WITH_EVOLVE"),
            ("drop_and_load", True, "RESYNC_WITH_DROP_AND_LOAD"),
            ("oldest", False, "TRUNCATE_AND_LOAD"),
            ("oldest", True, "TRUNCATE_AND_LOAD"),
        ],
    )
    def test_restarts_then_loads(self, name: str, drop_and_load: bool, job_type: str) -> None:
        dialect = DIALECTS[name]
        p = pipeline(restart_duration=10, dialect=dialect)
        p.resync(NOW, drop_and_load=drop_and_load)
        assert (p.status, p.jobs) == (dialect.restarting_status, [])
        p.advance(NOW + 9)
        assert (p.status, p.jobs) == (dialect.restarting_status, [])
        p.advance(NOW + 10)
        (job,) = p.jobs
        assert (p.status, job.type) == (dialect.enabled_status, job_type)
        assert (job.created, job.origin) == (NOW + 10, "resync")

    def test_refuses_all_actions_meanwhile(self) -> None:
        p = pipeline()
        p.resync(NOW, drop_and_load=False)
        assert refused(p.resync, NOW, drop_and_load=False) == "state"
        assert refused(p.sync_now, NOW) == "job_in_progress"
        assert refused(p.resync_objects, NOW) == "job_in_progress"

    def test_cancels_what_runs_and_waits_for_it(self) -> None:
        p = pipeline(restart_duration=1, cancel_duration=30)
        running = p.sync_now(NOW)
        p.resync(NOW + 5, drop_and_load=False)
        assert running.status == JobStatus.CANCELLING
        p.advance(NOW + 34)
        assert p.jobs == [running]
        p.advance(NOW + 35)
        assert running.status == JobStatus.CANCELLED
        assert [job.created for job in p.jobs[1:]] == [NOW + 35]

    def test_cancels_all_that_runs(self) -> None:
        p = pipeline(duration=None, restart_duration=1, cancel_duration=2)
        p.start_job(now=NOW)
        p.start_job(now=NOW)
        p.resync(NOW, drop_and_load=False)
        p.advance(NOW + 2)
        assert statuses(p) == ["CANCELLED", "CANCELLED", "IN_PROGRESS"]

    @pytest.mark.parametrize(
        ("name", "status"), [("newest", "RESTART_FAILED"), ("oldest", "FAILED")]
    )
    def test_a_restart_can_fail(self, name: str, status: str) -> None:
        p = pipeline(restart_duration=10, dialect=DIALECTS[name])
        p.plan(fail_restart=True)
        p.plan(events=5)
        p.resync(NOW, drop_and_load=False)
        p.advance(NOW + 10)
        assert (p.status, p.jobs) == (status, [])
        assert refused(p.sync_now, NOW + 10) == "state"
        p.enable()
        assert p.sync_now(NOW + 10).events == 5

    def test_a_failing_restart_keeps_its_plan_whatever_starts_meanwhile(self) -> None:
        p = pipeline(restart_duration=10, duration=1)
        p.plan(fail_restart=True)
        p.resync(NOW, drop_and_load=False)
        p.start_job(now=NOW + 1)
        p.advance(NOW + 10)
        assert p.status == PipelineStatus.RESTART_FAILED

    def test_it_loads_new_objects_too(self) -> None:
        p = pipeline(restart_duration=0, duration=0)
        p.include_object("invoices")
        p.resync(NOW, drop_and_load=False)
        p.advance(NOW)
        assert p.sync_now(NOW).type == JobType.INCREMENTAL

    def test_a_disable_drops_it(self) -> None:
        p = pipeline(restart_duration=10)
        p.resync(NOW, drop_and_load=False)
        p.disable(NOW + 1, cancel_active_jobs=False)
        p.advance(NOW + HOUR)
        assert (p.status, p.jobs) == (PipelineStatus.DISABLED, [])

    def test_an_enable_does_not_end_it(self) -> None:
        p = pipeline(restart_duration=10)
        p.resync(NOW, drop_and_load=False)
        p.enable()
        assert p.status == PipelineStatus.RESTARTING


class TestCancel:
    def test_through_cancelling(self) -> None:
        p = pipeline(duration=60, cancel_duration=2)
        job = p.sync_now(NOW)
        p.cancel(job, NOW + 59)
        assert (job.status, p.running) == (JobStatus.CANCELLING, job)
        assert refused(p.sync_now, NOW + 60) == "job_in_progress"
        p.advance(NOW + 61)
        assert (job.status, job.ended) == (JobStatus.CANCELLED, NOW + 61)

    def test_twice_changes_nothing(self) -> None:
        p = pipeline(cancel_duration=2)
        job = p.sync_now(NOW)
        p.cancel(job, NOW)
        p.cancel(job, NOW + 1)
        assert job.ends == NOW + 2

    def test_a_finished_job_is_refused(self) -> None:
        p = pipeline(duration=1)
        job = p.sync_now(NOW)
        p.advance(NOW + 1)
        assert refused(p.cancel, job, NOW + 1) == "job_over"
        assert job.status == JobStatus.COMPLETED

    def test_it_ends_an_endless_job(self) -> None:
        p = pipeline(duration=None)
        job = p.sync_now(NOW)
        p.cancel(job, NOW)
        p.advance(NOW + 2)
        assert job.status == JobStatus.CANCELLED


class TestDisable:
    def test_lets_the_running_job_complete(self) -> None:
        p = pipeline(duration=60)
        job = p.sync_now(NOW)
        p.disable(NOW, cancel_active_jobs=False)
        assert p.status == PipelineStatus.DISABLING
        p.advance(NOW + 60)
        assert (p.status, job.status) == (PipelineStatus.DISABLED, JobStatus.COMPLETED)

    def test_cancels_it_when_asked_to(self) -> None:
        p = pipeline(duration=60, cancel_duration=2)
        job = p.sync_now(NOW)
        p.disable(NOW, cancel_active_jobs=True)
        assert (p.status, job.status) == (PipelineStatus.DISABLING, JobStatus.CANCELLING)
        p.advance(NOW + 2)
        assert (p.status, job.status) == (PipelineStatus.DISABLED, JobStatus.CANCELLED)

    def test_waits_for_the_last_of_several(self) -> None:
        p = pipeline()
        p.plan(duration=10)
        p.plan(duration=20)
        p.start_job(now=NOW)
        p.start_job(now=NOW)
        p.disable(NOW, cancel_active_jobs=False)
        p.advance(NOW + 10)
        assert p.status == PipelineStatus.DISABLING
        p.advance(NOW + 20)
        assert p.status == PipelineStatus.DISABLED

    def test_at_once_when_nothing_runs(self) -> None:
        p = pipeline()
        p.disable(NOW, cancel_active_jobs=True)
        assert p.status == PipelineStatus.DISABLED

    @pytest.mark.parametrize(("name", "status"), [("newest", "INITIALIZED"), ("oldest", "ENABLED")])
    def test_enabled_again(self, name: str, status: str) -> None:
        p = pipeline(dialect=DIALECTS[name])
        p.disable(NOW, cancel_active_jobs=False)
        p.enable()
        assert p.status == status
        assert p.sync_now(NOW).status == JobStatus.IN_PROGRESS


class TestOptions:
    def test_an_id_is_an_integer(self) -> None:
        with pytest.raises(TypeError, match="a Pipeline's id must be an integer, not '123'"):
            EmulatedPipeline("123", now=NOW, dialect=NEWEST)  # type: ignore[arg-type]

    def test_a_single_name_is_not_taken_for_several(self) -> None:
        with pytest.raises(TypeError, match="objects must be a tuple of names, not 'users'"):
            pipeline(objects="users")

    def test_its_repr_says_what_it_is(self) -> None:
        assert repr(pipeline(history=2)) == "EmulatedPipeline(123, 'INITIALIZED', 2 jobs)"
