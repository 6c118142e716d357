"""The fields of Pipelines, Jobs and objects as the API sends them."""

from __future__ import annotations

import pytest

from hevo_edge.emulator import DIALECTS
from hevo_edge.enums import JobStatus
from tests.emulator.pipelines import HOUR, NEWEST, NOW, pipeline, statuses


class TestWire:
    def test_history_ends_an_hour_ago(self) -> None:
        p = pipeline(history=3)
        assert [NOW - job.created for job in p.jobs] == [3 * HOUR, 2 * HOUR, HOUR]
        assert set(statuses(p)) == {"COMPLETED"}
        old = p.add_history(created=NOW - 100, duration=50, status="FAILED", job_type="HISTORICAL")
        shown = old.wire(NOW, NEWEST)
        assert (shown["status"], shown["type"]) == ("FAILED", "HISTORICAL")
        assert (shown["created_ts"], shown["updated_ts"]) == ((NOW - 100) * 1000, (NOW - 50) * 1000)
        assert (shown["duration"], shown["objects_failed"]) == (50_000, 1)

    def test_a_completed_job(self) -> None:
        p = pipeline(duration=60, events=900)
        job = p.sync_now(NOW)
        halfway = job.wire(NOW + 30, NEWEST)
        assert (halfway["events_ingested"], halfway["objects_success"]) == (450, 1)
        assert (halfway["objects_queued"], halfway["duration"]) == (2, 30_000)
        p.advance(NOW + 60)
        shown = job.wire(NOW + 500, NEWEST)
        assert (shown["events_ingested"], shown["events_loaded"]) == (900, 900)
        assert (shown["objects_success"], shown["objects_queued"]) == (3, 0)
        assert shown["updated_ts"] == (NOW + 60) * 1000
        assert {row["status"] for row in job.wire_objects()} == {"COMPLETED"}

    @pytest.mark.parametrize(
        ("outcome", "ingested", "failed"),
        [("FAILED", 500, 50), ("COMPLETED_WITH_FAILURES", 1000, 100)],
    )
    def test_failures_are_counted(self, outcome: str, ingested: int, failed: int) -> None:
        p = pipeline(duration=1)
        p.plan(outcome=outcome)
        job = p.sync_now(NOW)
        assert {row["status"] for row in job.wire_objects()} == {"IN_PROGRESS"}
        p.advance(NOW + 1)
        shown = job.wire(NOW + 1, NEWEST)
        assert (shown["events_ingested"], shown["events_failed"]) == (ingested, failed)
        assert (shown["events_loaded"], shown["objects_failed"]) == (ingested - failed, 1)
        assert [row["status"] for row in job.wire_objects()] == ["COMPLETED", "COMPLETED", outcome]
        assert [row["rows_failed"] for row in job.wire_objects()] == [0, 0, 33]

    @pytest.mark.parametrize(
        ("outcome", "failed"), [("DEFERRED", 0), ("DEFERRED_WITH_FAILURES", 50)]
    )
    def test_a_deferred_job_has_loaded_a_part(self, outcome: str, failed: int) -> None:
        p = pipeline(duration=10)
        p.plan(outcome=outcome)
        job = p.sync_now(NOW)
        p.advance(NOW + 10)
        shown = job.wire(NOW + 100, NEWEST)
        assert (shown["status"], shown["events_loaded"]) == (outcome, 500 - failed)
        assert (shown["events_ingested"], shown["events_failed"]) == (500, failed)
        assert [row["status"] for row in job.wire_objects()][-1] == outcome

    def test_a_failed_job_without_objects(self) -> None:
        p = pipeline(objects=(), history=0)
        job = p.add_history(created=NOW - 60, status=JobStatus.FAILED)
        job.objects = ()
        assert job.wire_objects() == []
        assert job.wire(NOW, NEWEST)["objects_failed"] == 0

    @pytest.mark.parametrize("name", sorted(DIALECTS))
    def test_billing_fields_come_and_go(self, name: str) -> None:
        job = pipeline(history=1).jobs[0]
        shown = job.wire(NOW, DIALECTS[name])
        assert ("billable_events" in shown) == (name == "evolve")

    def test_an_object_in_both_forms(self) -> None:
        p = pipeline(objects=("users",))
        (object_id,) = p.objects
        row, whole = (p.objects[object_id].wire(object_id, whole=whole) for whole in (False, True))
        assert row["source_namespace"]["k0"] == "users"
        assert set(whole) - set(row) == {
            "object_name",
            "destination_table_name",
            "load_mode",
            "fields",
        }

    def test_a_name_of_its_own(self) -> None:
        assert pipeline().wire()["name"] == "Pipeline 123"
        assert pipeline(name="orders").wire()["name"] == "orders"
