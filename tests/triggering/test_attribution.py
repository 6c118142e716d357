"""Which new Job came of a trigger, and how surely; every rule by itself, then all together."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hevo_edge import Certainty, PipelineAction
from hevo_edge._jobs.watermark import Watermark
from hevo_edge._triggering.attribution import MAX_START_DELAY, Match, match_of, select
from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.ticket import IN_FLIGHT, Post, TriggerTicket
from hevo_edge.models import JobData

SENT = 10_000.0
ON_DEMAND = ScheduleGrid(on_demand=True)
EVERY_FIVE_MINUTES = ScheduleGrid(every=300.0, starts=(9_000_000, 9_300_000))  # so 9,900 and 10,200
ACCEPTED = Post(elapsed=0.5)
UNCLEAR = Post(ambiguity="timed out", elapsed=30)


def ticket(**fields: Any) -> TriggerTicket:
    settled = {
        "pipeline_id": 1,
        "action": PipelineAction.SYNC_NOW,
        "watermark": Watermark(known_job_ids=("old",), server_time=SENT),
        "schedule_grid": ON_DEMAND,
    }
    return TriggerTicket.model_validate({**settled, **fields})


def job(
    job_id: str = "new",
    after: float | None = 0.2,
    *,
    status: str = "IN_PROGRESS",
    job_type: str = "INCREMENTAL",
) -> JobData:
    row: dict[str, Any] = {"job_id": job_id, "status": status, "type": job_type}
    if after is not None:
        row["created_ts"] = round((SENT + after) * 1000)
    return JobData.model_validate(row)


@pytest.mark.parametrize(
    ("post", "grid", "row", "match", "certainty"),
    [
        # Created while the POST was on its way; the Date header is up to a second early.
        (ACCEPTED, ON_DEMAND, job(after=0), Match.ON_TIME, Certainty.CERTAIN),
        (ACCEPTED, ON_DEMAND, job(after=1.5), Match.ON_TIME, Certainty.CERTAIN),
        (ACCEPTED, ON_DEMAND, job(status="FAILED"), Match.ON_TIME, Certainty.CERTAIN),
        (ACCEPTED, EVERY_FIVE_MINUTES, job(), Match.ON_TIME, Certainty.CERTAIN),
        (ACCEPTED, ScheduleGrid(), job(), Match.ON_TIME, Certainty.LIKELY),
        # Later: ours may not be in the list yet.
        (ACCEPTED, ON_DEMAND, job(after=1.6), Match.SINCE, Certainty.LIKELY),
        (ACCEPTED, EVERY_FIVE_MINUTES, job(after=100), Match.SINCE, Certainty.LIKELY),
        (ACCEPTED, EVERY_FIVE_MINUTES, job(after=201), Match.BY_SCHEDULE, Certainty.POSSIBLE),
        (ACCEPTED, ScheduleGrid(), job(after=20), Match.BY_SCHEDULE, Certainty.POSSIBLE),
        # Before, by clocks that differ.
        (ACCEPTED, ON_DEMAND, job(after=-3), Match.SINCE, Certainty.LIKELY),
        (ACCEPTED, ON_DEMAND, job(after=-3600), Match.SINCE, Certainty.LIKELY),
        (ACCEPTED, ON_DEMAND, job(after=-3, status="FAILED"), Match.BEFORE, Certainty.POSSIBLE),
        (ACCEPTED, ON_DEMAND, job(after=-6, status="FAILED"), Match.OLD, Certainty.POSSIBLE),
        (UNCLEAR, ON_DEMAND, job(after=-3), Match.BEFORE, Certainty.POSSIBLE),
        (UNCLEAR, EVERY_FIVE_MINUTES, job(after=-3), Match.BEFORE, Certainty.POSSIBLE),
        (UNCLEAR, ScheduleGrid(), job(after=-3), Match.BY_SCHEDULE, Certainty.POSSIBLE),
        # A clock may be wrong by any time.
        (UNCLEAR, ON_DEMAND, job(after=-6), Match.OLD, Certainty.POSSIBLE),
        (UNCLEAR, ON_DEMAND, job(after=-3600), Match.OLD, Certainty.POSSIBLE),
        (UNCLEAR, ON_DEMAND, job(after=3600), Match.SINCE, Certainty.POSSIBLE),
        # Hevo may not have accepted.
        (UNCLEAR, ON_DEMAND, job(), Match.SINCE, Certainty.POSSIBLE),
        (UNCLEAR, EVERY_FIVE_MINUTES, job(after=210), Match.BY_SCHEDULE, Certainty.POSSIBLE),
        # No clock.
        (ACCEPTED, ON_DEMAND, job(after=None), Match.SINCE, Certainty.LIKELY),
        (UNCLEAR, ON_DEMAND, job(after=None), Match.SINCE, Certainty.POSSIBLE),
    ],
)
def test_a_sync(
    post: Post, grid: ScheduleGrid, row: JobData, match: Match, certainty: Certainty
) -> None:
    mine = ticket(schedule_grid=grid)
    assert match_of(mine, post, row) is match
    found = select(mine, post, [row], skip_doubtful=False)
    assert found is not None
    assert found.certainty is certainty
    patient = select(mine, post, [row], skip_doubtful=True)
    assert (patient is None) is (match in {Match.BEFORE, Match.BY_SCHEDULE, Match.OLD})


@pytest.mark.parametrize(
    ("post", "grid", "row", "match", "certainty"),
    [
        # No schedule starts a resync, and Hevo takes its time before it starts ours.
        (ACCEPTED, ScheduleGrid(), job(after=600, job_type="RESYNC"), 0, "certain"),
        (ACCEPTED, ON_DEMAND, job(after=600, job_type="TRUNCATE_AND_LOAD"), 0, "certain"),
        (UNCLEAR, ScheduleGrid(), job(after=600, job_type="RESYNC"), 1, "possible"),
        (ACCEPTED, ON_DEMAND, job(after=600, job_type="HISTORICAL"), 1, "likely"),
        (ACCEPTED, ScheduleGrid(), job(after=600, job_type="HISTORICAL"), 3, "possible"),
        (ACCEPTED, ON_DEMAND, job(after=600, job_type="BRAND_NEW"), 1, "likely"),
        # It is accepted while Jobs run, so one that runs may be older.
        (ACCEPTED, ON_DEMAND, job(after=-3, job_type="HISTORICAL"), 2, "possible"),
        (ACCEPTED, ON_DEMAND, job(after=-6, job_type="RESYNC"), 4, "possible"),
        (UNCLEAR, ON_DEMAND, job(after=-6, job_type="RESYNC"), 4, "possible"),
        (ACCEPTED, ON_DEMAND, job(after=2), 1, None),  # no type of a resync
        # What is cancelled may be the Job that the resync has cancelled.
        (ACCEPTED, ON_DEMAND, job(job_type="RESYNC", status="CANCELLED"), 2, "possible"),
    ],
)
def test_a_resync(
    post: Post, grid: ScheduleGrid, row: JobData, match: int | None, certainty: str | None
) -> None:
    mine = ticket(action=PipelineAction.RESYNC, schedule_grid=grid)
    assert match_of(mine, post, row) == match
    found = select(mine, post, [row], skip_doubtful=False)
    assert (None if found is None else found.certainty) == certainty


@pytest.mark.parametrize("post", [ACCEPTED, UNCLEAR, IN_FLIGHT])
def test_a_job_that_began_long_after_the_post_of_a_sync_is_no_match(post: Post) -> None:
    assert match_of(ticket(), post, job(after=MAX_START_DELAY - 1), long_ago=True) is Match.SINCE
    assert match_of(ticket(), post, job(after=MAX_START_DELAY + 40), long_ago=True) is None


def test_clocks_at_hevo_may_differ_by_any_time_right_after_a_post() -> None:
    assert match_of(ticket(), ACCEPTED, job(after=MAX_START_DELAY * 9)) is Match.SINCE


def test_a_resync_may_restart_the_pipeline_for_long() -> None:
    mine = ticket(action=PipelineAction.RESYNC)
    late = job(after=MAX_START_DELAY * 9, job_type="RESYNC")
    assert match_of(mine, UNCLEAR, late, long_ago=True) is Match.SINCE


def test_a_resync_by_somebody_else_is_not_on_time_for_a_sync() -> None:
    stranger = job(after=25, job_type="TRUNCATE_AND_LOAD")
    found = select(ticket(), ACCEPTED, [stranger], skip_doubtful=True)
    assert found is not None
    assert found.certainty is Certainty.LIKELY


def test_the_answers_own_clock_is_more_precise() -> None:
    """The list came 20 s late, so the watermark is 20 s early."""
    post = Post(elapsed=0.5, answered_at=SENT + 20)
    found = select(
        ticket(), post, [job("1", 5, status="FAILED"), job("2", 20.1)], skip_doubtful=True
    )
    assert found is not None
    # Should the clocks be 15 s apart, the other one is ours.
    assert (found.job_id, found.certainty) == ("2", Certainty.LIKELY)
    found = select(ticket(), post, [job("2", 20.1)], skip_doubtful=True)
    assert found is not None
    assert found.certainty is Certainty.CERTAIN


def test_some_objects_are_resynced_like_a_sync() -> None:
    mine = ticket(action=PipelineAction.RESYNC, object_ids=["1"])
    found = select(mine, ACCEPTED, [job(after=-3, job_type="HISTORICAL")], skip_doubtful=True)
    assert found is not None
    assert found.certainty is Certainty.LIKELY


def test_without_a_date_header_nothing_is_certain() -> None:
    mine = ticket(watermark=Watermark())
    found = select(mine, ACCEPTED, [job()], skip_doubtful=True)
    assert found is not None
    assert found.certainty is Certainty.LIKELY


def test_of_several_the_best_then_the_oldest() -> None:
    before, on_time, later = job("1", -3, status="FAILED"), job("2", 0.1), job("3", 9)
    found = select(ticket(), ACCEPTED, [on_time, later], skip_doubtful=True)
    assert found is not None
    assert (found.job_id, found.certainty) == ("2", Certainty.CERTAIN)
    # By a clock that is ahead, the one before would be ours, and this one not.
    found = select(ticket(), ACCEPTED, [before, on_time, later], skip_doubtful=True)
    assert found is not None
    assert (found.job_id, found.certainty) == ("2", Certainty.LIKELY)
    # Rather by clocks that differ than by the schedule, which was not due then.
    mine = ticket(schedule_grid=EVERY_FIVE_MINUTES)
    found = select(mine, UNCLEAR, [job("1", -1.2), job("2", 200)], skip_doubtful=False)
    assert found is not None
    assert found.job_id == "1"
    twins = [on_time, job("4", 0.2)]
    found = select(ticket(), ACCEPTED, twins, skip_doubtful=False)
    assert found is not None
    assert (found.job_id, found.certainty) == ("2", Certainty.LIKELY)
    found = select(ticket(), UNCLEAR, [later, job("5", 20)], skip_doubtful=False)
    assert found is not None
    assert (found.job_id, found.certainty) == ("3", Certainty.POSSIBLE)


def test_a_type_that_cannot_come_of_it_is_left() -> None:
    mine = ticket(job_type="HISTORICAL")
    assert select(mine, ACCEPTED, [job()], skip_doubtful=False) is None
    assert select(mine, ACCEPTED, [], skip_doubtful=False) is None


class Hevo:
    """A Pipeline that runs one Job at a time, in which everything happens at random times."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.every = chance.choice([None, 300.0, 300.0, 900.0])
        tick = SENT + chance.uniform(-8, 40)
        self.elapsed = chance.choice([0.0, 0.1, 2.0, 20.0])
        # The true time at which the POST left; the Date header was cut to the second.
        leaving = SENT + chance.random()
        arrival = leaving + chance.uniform(0, self.elapsed)
        starts = [] if self.every is None else [(tick + n * self.every, False) for n in (-1, 0, 1)]
        busy_until = 0.0
        self.accepted, self.rows, self.mine = False, list[tuple[float, JobData]](), ""
        for number, (at, ours) in enumerate(sorted([*starts, (arrival, True)])):
            if at < busy_until:
                continue
            busy_until = at + chance.choice([0.0, chance.uniform(0, 3), chance.uniform(3, 60)])
            visible = at + chance.uniform(0, 30)
            self.rows.append((visible, job(str(number), at - SENT, status="COMPLETED")))
            if ours:
                self.accepted, self.mine = True, str(number)
        past = tuple(round((tick - n * (self.every or 1)) * 1000) for n in range(2, 9))
        self.grid = ON_DEMAND if self.every is None else ScheduleGrid(every=self.every, starts=past)

    def new_at(self, moment: float) -> list[JobData]:
        return [
            row
            for visible, row in sorted(self.rows, key=lambda r: r[1].created_ts or 0)
            if SENT < visible <= moment
        ]


def test_what_is_called_certain_is_ours() -> None:
    """Whatever is listed when it is polled, a Job that is called certain is ours."""
    certain = 0
    for seed in range(8000):
        hevo = Hevo(seed)
        if not hevo.accepted:
            continue
        chance = random.Random(f"polls {seed}")
        for poll in sorted(chance.uniform(0, 60) for _ in range(8)):
            new_jobs = hevo.new_at(SENT + hevo.elapsed + poll)
            mine = ticket(schedule_grid=hevo.grid)
            found = select(mine, Post(elapsed=hevo.elapsed), new_jobs, skip_doubtful=poll < 30)
            if found is not None and found.certainty is Certainty.CERTAIN:
                certain += 1
                assert found.job_id == hevo.mine, seed
            if found is not None:
                break
    assert certain > 3000
