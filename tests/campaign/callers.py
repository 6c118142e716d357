"""Callers of hevo_edge: what a careful script does, with a ticket that survives it and without."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypedDict

from hevo_edge import HevoClient, Job, TriggerTicket, errors

from .outcome import FAILED, JOB, REFUSED, UNRESOLVED, Outcome
from .world import PIPELINE, World

ROUNDS = 8
PAUSE = 10.0
NOTHING_STARTED = (
    errors.RequestNotSent,
    errors.RequestOutcomeUnknown,
    errors.RateLimited,
    errors.ServerError,
    errors.UnexpectedResponse,
)
"""Out of a trigger, these are documented to mean that no run was started; trying again may help."""
NO = (errors.JobInProgress, errors.PipelineNotReady)


class _Wish(TypedDict):
    action: str
    drop_and_load: bool
    if_running: str


async def with_ticket(world: World) -> Outcome:
    """Prepare, store the ticket, fire it until the outcome is known; come back after a crash."""
    return await world.survive(lambda: _with_client(world, _fire_to_the_end))


async def keeping(world: World) -> Outcome:
    """``trigger`` with ``on_ticket``; come back after a crash and fire what was stored."""
    return await world.survive(lambda: _with_client(world, _keep_to_the_end))


async def plain(world: World) -> Outcome:
    """``trigger`` in a loop; the ticket is used only when an error brings it."""
    return await world.survive(lambda: _with_client(world, _trigger_to_the_end))


async def hevo_edge(world: World) -> Outcome:
    """Be the caller that the scenario asks for."""
    if world.scenario.plain:
        return await plain(world)
    return await (keeping if world.scenario.keeps else with_ticket)(world)


async def _with_client(
    world: World, talk: Callable[[World, HevoClient], Awaitable[Outcome]]
) -> Outcome:
    async with world.client() as hevo:
        return await talk(world, hevo)


async def _fire_to_the_end(world: World, hevo: HevoClient) -> Outcome:
    if "ticket" not in world.store:
        prepared = await _prepare(world, hevo)
        if isinstance(prepared, Outcome):
            return prepared
        world.store["ticket"] = prepared.dumps()
        await world.stored()
    ticket = TriggerTicket.loads(world.store["ticket"])
    return await _rounds(world, hevo, lambda: hevo.fire(ticket), "fire")


async def _keep_to_the_end(world: World, hevo: HevoClient) -> Outcome:
    pipeline, wish = hevo.pipeline(PIPELINE), _wish(world)

    async def keep(ticket: TriggerTicket) -> None:
        world.store["ticket"] = ticket.dumps()
        await world.stored()

    def start() -> Awaitable[Job]:
        if "ticket" not in world.store:
            return pipeline.trigger(on_ticket=keep, **wish)
        return hevo.fire(TriggerTicket.loads(world.store["ticket"]), on_ticket=keep)

    return await _rounds(world, hevo, start, "fire" if "ticket" in world.store else "trigger")


async def _trigger_to_the_end(world: World, hevo: HevoClient) -> Outcome:
    pipeline, wish = hevo.pipeline(PIPELINE), _wish(world)
    return await _rounds(world, hevo, lambda: pipeline.trigger(**wish), "trigger")


async def _prepare(world: World, hevo: HevoClient) -> TriggerTicket | Outcome:
    pipeline, wish = hevo.pipeline(PIPELINE), _wish(world)
    detail = ""
    for _ in range(ROUNDS):
        try:
            return await world.timed("prepare", pipeline.prepare_trigger(**wish))
        except NOTHING_STARTED as error:
            detail = _say(error)
            await asyncio.sleep(PAUSE)
        except NO as error:
            return Outcome(REFUSED, detail=_say(error))
    return Outcome(FAILED, detail=detail)


async def _rounds(
    world: World, hevo: HevoClient, start: Callable[[], Awaitable[Job]], name: str
) -> Outcome:
    """Start until it is known what has come of it; ``reconcile`` wherever that is not known."""
    outcome = Outcome(FAILED)
    unknown: TriggerTicket | None = None
    for _ in range(ROUNDS):
        try:
            if unknown is None:
                return _in_hand(await world.timed(name, start()))
            found = await world.timed("reconcile", hevo.reconcile(unknown))
            if found is not None:
                return _in_hand(found)
            unknown = None
        except errors.TriggerError as error:
            unknown = error.ticket
            outcome = Outcome(UNRESOLVED, detail=_say(error))
        except NOTHING_STARTED as error:
            if unknown is None:
                outcome = Outcome(FAILED, detail=_say(error))
            await asyncio.sleep(PAUSE)
        except NO as error:
            return Outcome(REFUSED, detail=_say(error))
        except errors.ApiError as error:
            return Outcome(FAILED, detail=_say(error))
    return outcome


def _wish(world: World) -> _Wish:
    scenario = world.scenario
    return {
        "action": scenario.action,
        "drop_and_load": scenario.drop_and_load,
        "if_running": scenario.if_running,
    }


def _in_hand(job: Job) -> Outcome:
    return Outcome(JOB, job_id=job.id, certainty=str(job.certainty), adopted=job.adopted)


def _say(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
