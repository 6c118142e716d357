"""When the schedule may start a run, judged by past rows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge._triggering.schedule_grid import MAX_STARTS, SCHEDULE_SLACK, ScheduleGrid
from hevo_edge.models import JobData, ScheduleData


def rows(*created: float) -> list[JobData]:
    return [
        JobData.model_validate({"job_id": str(at), "created_ts": round(at * 1000)})
        for at in created
    ]


def scheduled(minutes: int | None, *created: float) -> ScheduleGrid:
    schedule = ScheduleData.model_validate({"sync_type": "SCHEDULED", "frequency_minutes": minutes})
    return ScheduleGrid.of(schedule, rows(*created))


def test_a_pipeline_on_demand_has_no_scheduled_runs() -> None:
    grid = ScheduleGrid.of(ScheduleData.model_validate({"sync_type": "ON_DEMAND"}), rows(1, 2))
    assert not grid.may_start(0, 10**10)


@pytest.mark.parametrize(
    "grid",
    [
        ScheduleGrid(),
        ScheduleGrid.of(None, rows(100, 400)),
        scheduled(None, 100, 400),
        scheduled(0, 100, 400),
        scheduled(-5, 100, 400),
        scheduled(5),
        scheduled(5, 100),
        scheduled(5, 100, 250),
    ],
)
def test_what_is_not_known_may_be_any_time(grid: ScheduleGrid) -> None:
    assert grid.may_start(1_000_000, 1_000_000)


def test_rows_without_a_time_are_no_help() -> None:
    row = JobData.model_validate({"job_id": "1"})
    schedule = ScheduleData.model_validate({"sync_type": "SCHEDULED", "frequency_minutes": 5})
    assert ScheduleGrid.of(schedule, [row, *rows(300, 600)]).starts == (300_000, 600_000)


def test_the_grid_goes_on() -> None:
    grid = scheduled(5, 900, 600, 300)
    assert grid.may_start(1200, 1200)
    assert grid.may_start(1200 + SCHEDULE_SLACK, 1201 + SCHEDULE_SLACK)
    assert grid.may_start(1190 - SCHEDULE_SLACK, 1200 - SCHEDULE_SLACK)
    assert not grid.may_start(1201 + SCHEDULE_SLACK, 1400)
    assert grid.may_start(1201 + SCHEDULE_SLACK, 1500)
    # A run by hand, off the grid, may have been a scheduled one too.
    assert scheduled(5, 900, 700, 600, 300).may_start(1300, 1300)


def test_the_grid_is_found_across_the_bound_of_an_interval() -> None:
    assert not scheduled(5, 599, 301).may_start(400, 500)
    assert scheduled(5, 599, 301).may_start(899, 899)


def test_only_the_newest_rows_are_kept() -> None:
    assert len(scheduled(5, *range(1000)).starts) == MAX_STARTS


def test_it_is_plain_json() -> None:
    grid = scheduled(5, 900, 600)
    assert ScheduleGrid.model_validate_json(grid.model_dump_json()) == grid


@given(
    minutes=st.sampled_from([5, 10, 30, 360]),
    phase=st.integers(0, 300_000),
    rows_seen=st.integers(2, 20),
    ahead=st.integers(0, 50),
    jitter=st.floats(-SCHEDULE_SLACK, SCHEDULE_SLACK),
    span=st.floats(0, 60),
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_scheduled_start_goes_unforeseen(
    minutes: int, phase: int, rows_seen: int, ahead: int, jitter: float, span: float
) -> None:
    every = minutes * 60
    seen = [phase + every * n for n in range(rows_seen)]
    grid = scheduled(minutes, *reversed(seen))
    start = seen[-1] + every * ahead + jitter * 0.999
    assert grid.may_start(start - span, start + span)
