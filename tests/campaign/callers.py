"""Callers of hevo_edge: careful scripts, with a ticket that survives a crash and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypedDict

from hevo_edge import HevoClient, Job, TriggerTicket, errors

from .environment import PIPELINE, Environment
from .outcome import FAILED, JOB, REFUSED, UNRESOLVED, Outcome

ROUNDS = 8
PAUSE = 10.0
NOTHING_STARTED = (
    errors.RequestNotSent,
    errors.RequestOutcomeUnknown,
    errors.RateLimited,
    errors.ServerError,
    errors.UnexpectedResponse,
)
"""Raised by a trigger, these are documented to mean that no run was started; a retry may help."""
REFUSALS = (errors.JobInProgress, errors.PipelineNotReady)


class _Request(TypedDict):
    action: str
    drop_and_load: bool
    if_running: str


async def with_ticket(env: Environment) -> Outcome:
    """Prepare, store the ticket, fire it until the outcome is known; resume after a crash."""
    return await env.run_process(lambda: _with_client(env, _fire))


async def with_on_ticket(env: Environment) -> Outcome:
    """``trigger`` with ``on_ticket``; after a crash, fire the stored ticket."""
    return await env.run_process(lambda: _with_client(env, _trigger_with_on_ticket))


async def without_ticket(env: Environment) -> Outcome:
    """``trigger`` in a loop; a ticket is used only where an error carries one."""
    return await env.run_process(lambda: _with_client(env, _trigger))


async def hevo_edge(env: Environment) -> Outcome:
    """Run the caller that the scenario names."""
    if env.scenario.without_ticket:
        return await without_ticket(env)
    return await (with_on_ticket if env.scenario.uses_on_ticket else with_ticket)(env)


async def _with_client(
    env: Environment, act: Callable[[Environment, HevoClient], Awaitable[Outcome]]
) -> Outcome:
    async with env.client() as hevo:
        return await act(env, hevo)


async def _fire(env: Environment, hevo: HevoClient) -> Outcome:
    if "ticket" not in env.store:
        prepared = await _prepare(env, hevo)
        if isinstance(prepared, Outcome):
            return prepared
        env.store["ticket"] = prepared.dumps()
        await env.stored()
    ticket = TriggerTicket.loads(env.store["ticket"])
    return await _until_known(env, hevo, lambda: hevo.fire(ticket), "fire")


async def _trigger_with_on_ticket(env: Environment, hevo: HevoClient) -> Outcome:
    pipeline, request = hevo.pipeline(PIPELINE), _request(env)

    async def store(ticket: TriggerTicket) -> None:
        env.store["ticket"] = ticket.dumps()
        await env.stored()

    def start() -> Awaitable[Job]:
        if "ticket" not in env.store:
            return pipeline.trigger(on_ticket=store, **request)
        return hevo.fire(TriggerTicket.loads(env.store["ticket"]), on_ticket=store)

    return await _until_known(env, hevo, start, "fire" if "ticket" in env.store else "trigger")


async def _trigger(env: Environment, hevo: HevoClient) -> Outcome:
    pipeline, request = hevo.pipeline(PIPELINE), _request(env)
    return await _until_known(env, hevo, lambda: pipeline.trigger(**request), "trigger")


async def _prepare(env: Environment, hevo: HevoClient) -> TriggerTicket | Outcome:
    pipeline, request = hevo.pipeline(PIPELINE), _request(env)
    detail = ""
    for _ in range(ROUNDS):
        try:
            return await env.timed("prepare", pipeline.prepare_trigger(**request))
        except NOTHING_STARTED as error:
            detail = _describe(error)
            await asyncio.sleep(PAUSE)
        except REFUSALS as error:
            return Outcome(REFUSED, detail=_describe(error))
    return Outcome(FAILED, detail=detail)


async def _until_known(
    env: Environment, hevo: HevoClient, start: Callable[[], Awaitable[Job]], name: str
) -> Outcome:
    """Start until the outcome is known; ``reconcile`` wherever it is unknown."""
    outcome = Outcome(FAILED)
    unknown: TriggerTicket | None = None
    for _ in range(ROUNDS):
        try:
            if unknown is None:
                return _job_outcome(await env.timed(name, start()))
            found = await env.timed("reconcile", hevo.reconcile(unknown))
            if found is not None:
                return _job_outcome(found)
            unknown = None
        except errors.TriggerError as error:
            unknown = error.ticket
            outcome = Outcome(UNRESOLVED, detail=_describe(error))
        except NOTHING_STARTED as error:
            if unknown is None:
                outcome = Outcome(FAILED, detail=_describe(error))
            await asyncio.sleep(PAUSE)
        except REFUSALS as error:
            return Outcome(REFUSED, detail=_describe(error))
        except errors.ApiError as error:
            return Outcome(FAILED, detail=_describe(error))
    return outcome


def _request(env: Environment) -> _Request:
    scenario = env.scenario
    return {
        "action": scenario.action,
        "drop_and_load": scenario.drop_and_load,
        "if_running": scenario.if_running,
    }


def _job_outcome(job: Job) -> Outcome:
    return Outcome(JOB, job_id=job.id, certainty=str(job.certainty), adopted=job.adopted)


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
