"""What holds of a Pipeline in any sequence of actions."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge.emulator import EmulatedJob, EmulatedPipeline
from hevo_edge.emulator.pipeline import Refused
from hevo_edge.enums import JobStatus
from tests.emulator.pipelines import NEWEST, NOW, pipeline


def test_the_same_seed_gives_the_same_jobs() -> None:
    def play(seed: int) -> list[EmulatedJob]:
        p = pipeline(seed=seed, duration=(10.0, 20.0), every_minutes=1, history=2)
        p.advance(NOW + 600)
        return p.jobs

    assert play(1) == play(1)
    assert {job.job_id for job in play(1)}.isdisjoint(job.job_id for job in play(2))


RANK = {JobStatus.IN_PROGRESS: 0, JobStatus.CANCELLING: 1}
GROWING = ("events_ingested", "events_loaded", "objects_success", "duration", "updated_ts")

actions = st.sampled_from(
    ["sync", "resync", "drop", "objects", "cancel", "disable", "kill", "enable", "include", "wait"]
)
outcomes = st.sampled_from(["COMPLETED", "FAILED", "COMPLETED_WITH_FAILURES", "DEFERRED"])
waits = st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.0, 30.0, 60.0, 61.0, 300.0])
scripts = st.lists(st.tuples(actions, waits, outcomes), max_size=15)


def act(p: EmulatedPipeline, action: str, outcome: str, now: float) -> None:
    """Do one thing as the API would; a refusal is an answer too."""
    running = p.running
    p._planned.clear()
    p.plan(outcome=outcome)
    try:
        if action == "sync":
            p.sync_now(now)
        elif action in {"resync", "drop"}:
            p.resync(now, drop_and_load=action == "drop")
        elif action == "objects":
            p.resync_objects(now)
        elif action == "cancel" and running:
            p.cancel(running, now)
        elif action in {"disable", "kill"}:
            p.disable(now, cancel_active_jobs=action == "kill")
        elif action == "enable":
            p.enable()
        elif action == "include":
            p.include_object("more")
    except Refused:
        pass


def check_step(
    p: EmulatedPipeline, now: float, before: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Check what holds at every moment, and that nothing went back since ``before``."""
    assert sum(not job.is_over for job in p.jobs) <= 1
    after = {job.job_id: job.wire(now, NEWEST) for job in p.jobs}
    for job_id, was in before.items():
        shown = after[job_id]
        assert RANK.get(shown["status"], 2) >= RANK.get(was["status"], 2)
        if RANK.get(was["status"], 2) == 2:
            assert shown == was
        assert all(shown[name] >= was[name] for name in GROWING)
    for shown in after.values():
        assert 0 <= shown["objects_success"] + shown["objects_failed"] <= len(p.objects)
        assert shown["events_loaded"] + shown["events_failed"] == shown["events_ingested"]
    return after


@settings(derandomize=True, max_examples=150, deadline=None)
@given(script=scripts, every=st.sampled_from([None, 1.0, 7.0]))
def test_one_job_at_a_time_and_nothing_goes_backwards(
    script: list[tuple[str, float, str]], every: float | None
) -> None:
    p, now = pipeline(every_minutes=every), NOW
    seen: dict[str, dict[str, Any]] = {}
    for action, wait, outcome in script:
        now += wait
        p.advance(now)
        seen = check_step(p, now, seen)
        act(p, action, outcome, now)
        seen = check_step(p, now, seen)


@settings(derandomize=True, max_examples=100, deadline=None)
@given(script=scripts, every=st.sampled_from([None, 1.0]), stops=st.lists(st.floats(0, 1)))
def test_advancing_in_steps_is_advancing_at_once(
    script: list[tuple[str, float, str]], every: float | None, stops: list[float]
) -> None:
    def play(shares: list[float]) -> tuple[str, list[EmulatedJob]]:
        p, now = pipeline(every_minutes=every), NOW
        for action, wait, outcome in [*script, ("wait", 200.0, "COMPLETED")]:
            for share in sorted(shares):
                p.advance(now + share * wait)
            now += wait
            p.advance(now)
            act(p, action, outcome, now)
        return p.status, p.jobs

    assert play(stops) == play([])
