"""The steps of the workflow; what one returns, Temporal hands to the next."""

from __future__ import annotations

from attempt import attempt
from temporalio import activity

from hevo_edge.orchestration import Outcome, TicketText


@activity.defn
async def prepare(pipeline_id: int) -> str | None:
    async with attempt(pipeline_id, ticket := TicketText()) as (run, hevo):
        if outcome := await run.prepare(hevo):
            outcome.raise_for_status()
    return ticket.text


@activity.defn
async def start(pipeline_id: int, prepared: str) -> str | None:
    async with attempt(pipeline_id, ticket := TicketText(prepared)) as (run, hevo):
        # Temporal counts the attempts: before the first, nothing was sent.
        started = await run.start(hevo, first=activity.info().attempt == 1)
        if isinstance(started, Outcome):
            started.raise_for_status()
    return ticket.text


@activity.defn
async def wait(pipeline_id: int, started: str) -> dict[str, object]:
    async with attempt(pipeline_id, TicketText(started)) as (run, hevo):
        outcome = await run.wait(hevo)
    outcome.raise_for_status()
    return outcome.to_dict()


@activity.defn
async def cancel(pipeline_id: int, started: str) -> bool:
    async with attempt(pipeline_id, TicketText(started)) as (run, hevo):
        return await run.cancel(hevo, within=20)
