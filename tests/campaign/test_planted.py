"""Callers with a fault of their own, in real trials: the campaign sees each of them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import virtual_time
from tests.campaign import sigkill
from tests.campaign.callers import hevo_edge
from tests.campaign.drawing import draw
from tests.campaign.environment import PIPELINE, Environment
from tests.campaign.judge import RIGHT, Verdict, judge
from tests.campaign.outcome import FAILED, JOB, REFUSED, Outcome
from tests.campaign.scenario import Kill, Lie, PlannedJob, Scenario

Planted = Callable[[Environment, HevoClient], Awaitable[Outcome]]


def quiet(**changes: Any) -> Scenario:
    """Return a trial in which nothing goes wrong: two Jobs of a minute, listed after 5 s."""
    plans = (PlannedJob(60.0, 5.0), PlannedJob(60.0, 5.0))
    return replace(draw(1, 0, "quiet"), plans=plans, without_ticket=False, **changes)


def verdict_of(scenario: Scenario, planted: Planted | None) -> Verdict:
    async def caller(env: Environment) -> Outcome:
        if planted is None:
            return await hevo_edge(env)
        async with env.client() as hevo:
            return await planted(env, hevo)

    async def main() -> Verdict:
        return judge(await Environment(scenario).run(caller))

    return virtual_time.run(main())


async def posts_again(env: Environment, hevo: HevoClient) -> Outcome:
    pipeline = hevo.pipeline(PIPELINE)
    first = await pipeline.trigger()
    await first.await_completion()
    return Outcome(JOB, job_id=(await pipeline.trigger()).id)


async def claims_what_was_there(env: Environment, hevo: HevoClient) -> Outcome:
    old = [job async for job in hevo.pipeline(PIPELINE).list_jobs(limit=1)]
    await hevo.pipeline(PIPELINE).trigger()
    return Outcome(JOB, job_id=old[0].id)


async def reports_failure(env: Environment, hevo: HevoClient) -> Outcome:
    await hevo.pipeline(PIPELINE).trigger()
    return Outcome(FAILED)


async def refuses_its_own(env: Environment, hevo: HevoClient) -> Outcome:
    await env.timed("trigger", hevo.pipeline(PIPELINE).trigger())
    return Outcome(REFUSED)


async def gives_up(env: Environment, hevo: HevoClient) -> Outcome:
    await asyncio.sleep(100)
    return Outcome(FAILED)


async def raises(env: Environment, hevo: HevoClient) -> Outcome:
    raise KeyError("status")


async def never_returns(env: Environment, hevo: HevoClient) -> Outcome:
    return await env.timed("trigger", asyncio.sleep(10_000, Outcome(FAILED)))


async def searches_for_ever(env: Environment, hevo: HevoClient) -> Outcome:
    async def search() -> str:
        job = await hevo.pipeline(PIPELINE).trigger()
        await asyncio.sleep(1000)
        return job.id

    return Outcome(JOB, job_id=await env.timed("trigger", search()))


async def tells_an_early_end(env: Environment, hevo: HevoClient) -> Outcome:
    job = await hevo.pipeline(PIPELINE).trigger()
    return Outcome(JOB, job_id=job.id, end="COMPLETED", end_of=job.id, ended_at=env.now)


async def tells_another_end(env: Environment, hevo: HevoClient) -> Outcome:
    job = await hevo.pipeline(PIPELINE).trigger()
    await job.await_completion()
    return Outcome(JOB, job_id=job.id, end="FAILED", end_of=job.id, ended_at=env.now)


async def overlooks_the_end(env: Environment, hevo: HevoClient) -> Outcome:
    job = await hevo.pipeline(PIPELINE).trigger()
    at = env.now
    await asyncio.sleep(3000)
    return Outcome(JOB, job_id=job.id, at=at, end="timeout", ended_at=env.now)


@pytest.mark.parametrize(
    ("planted", "breaches"),
    [
        (None, []),
        (posts_again, ["duplicate"]),
        (claims_what_was_there, ["wrong"]),
        (reports_failure, ["lost"]),
        (refuses_its_own, ["lost"]),
        (gives_up, ["lost"]),
        (raises, ["untyped"]),
        (never_returns, ["hang"]),
        (searches_for_ever, ["hang"]),
        (tells_an_early_end, ["wrong"]),
        (tells_another_end, ["wrong"]),
        (overlooks_the_end, ["hang"]),
    ],
)
def test_each_fault_of_a_caller_is_seen(planted: Planted | None, breaches: list[str]) -> None:
    assert list(verdict_of(quiet(), planted).breaches) == breaches


class TestWhatIsDrawnHappens:
    @pytest.mark.parametrize(
        "lie",
        [
            Lie("stray", "get_pipeline", {"status": 503, "after": 0.0}),
            Lie("double", "list_jobs", {"after": 0.0}),
            Lie("stale", "list_jobs", {"seconds": 20.0}),
            Lie("shift", "list_jobs", {"name": "updated_ts", "by": 1}),
            Lie("in_seconds", "list_jobs", {"name": "updated_ts"}),
            Lie("unknown_value", "list_jobs", {"name": "status", "value": None}),
            Lie("missing_field", "list_jobs", {"name": "status"}),
            Lie("other_id", "get_job"),
            Lie("endless_list", "list_jobs", {"cycle": 2}),
        ],
        ids=lambda lie: lie.kind,
    )
    def test_lies(self, lie: Lie) -> None:
        scenario = quiet(lies=(lie,), awaits=True)
        seen: list[str] = []

        async def caller(env: Environment) -> Outcome:
            outcome = await hevo_edge(env)
            seen.extend(kind for call in env.emulator.requests for kind in call.faults)
            return outcome

        async def main() -> None:
            await Environment(scenario).run(caller)

        virtual_time.run(main())
        assert seen == [lie.kind]

    def test_all_that_a_hostile_trial_can_have(self) -> None:
        drawn = [draw(1, number, "hostile") for number in range(400)]
        kinds = {lie.kind for scenario in drawn for lie in scenario.lies}
        assert kinds >= {"stray", "double", "stale", "shift", "in_seconds", "other_id"}
        assert kinds >= {"endless_list", "unknown_value", "missing_field"}
        assert {scenario.action for scenario in drawn} == {"SYNC_NOW", "RESYNC", "RESYNC_OBJECTS"}
        skews = [scenario.date_skew for scenario in drawn if scenario.date_skew is not None]
        assert min(skews) < -3600
        assert max(skews) > 3600
        assert any(scenario.second_holder is not None for scenario in drawn)
        assert any(scenario.job_type for scenario in drawn)
        assert {scenario.dialect.cursor for scenario in drawn} == {"row", "offset"}
        assert {fault.kind for scenario in drawn for fault in scenario.faults} >= {
            *("reset", "gateway", "drop")
        }

    def test_a_second_holder_fires_the_ticket_too(self) -> None:
        for in_loop in (True, False):
            scenario = quiet(second_holder=1.0, shares_a_loop=in_loop)
            verdict = verdict_of(scenario, None)
            assert (verdict.ending, verdict.posts) == (RIGHT, 1)


class TestSigkill:
    """In real time, so only what is certain to happen."""

    def scenario(self) -> Scenario:
        kills = (Kill("offset", seconds=120.0),)
        return quiet(kills=kills, awaits=False, uses_on_ticket=True, lead=0.0)

    def test_a_process_that_is_killed_resumes_its_ticket(self) -> None:
        # It would wait for its Job longer than it lives.
        plans = (PlannedJob(3000.0, 140.0),)
        evidence = sigkill.evidence_of(replace(self.scenario(), plans=plans), "hevo_edge")
        verdict = judge(evidence)
        assert (verdict.killed, verdict.posts, verdict.breaches) == (1, 1, {})

    def test_a_caller_without_a_ticket_is_seen_to_post_twice(self) -> None:
        # The naive script looks for a running Job until it is killed.
        plans = (PlannedJob(0.0, 0.0),) * 2
        verdict = judge(sigkill.evidence_of(replace(self.scenario(), plans=plans), "naive"))
        assert (verdict.killed, verdict.posts) == (1, 2)
        assert "duplicate" in verdict.breaches
