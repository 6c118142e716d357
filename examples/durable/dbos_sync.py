"""A sync as a DBOS workflow: python dbos_sync.py [PIPELINE_ID ...], with DATABASE_URL set."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any

from dbos import DBOS, error

from hevo_edge.orchestration import Account, Outcome, Run, RunSpec, TicketText

ACCOUNT = Account.from_env()


@DBOS.step(preemptible=True)  # else a cancel would not reach it
async def start(run: Run, ticket: TicketText) -> str | None:
    # After a crash DBOS repeats the step and does not say so: an event keeps what was sent.
    ticket.text = await DBOS.get_event_async(str(DBOS.workflow_id), "ticket", timeout_seconds=0)
    async with ACCOUNT.client() as hevo:
        started = await run.start(hevo)
    if isinstance(started, Outcome):
        started.raise_for_status()
    return ticket.text


@DBOS.step(preemptible=True)
async def wait(run: Run) -> dict[str, Any]:
    async with ACCOUNT.client() as hevo:
        outcome = await run.wait(hevo)
    outcome.raise_for_status()
    return outcome.to_dict()


@DBOS.workflow()
async def sync_pipeline(pipeline_id: int) -> dict[str, Any]:
    ticket = TicketText(on_save=lambda text: DBOS.set_event_async("ticket", text))
    run = Run(RunSpec(pipeline_id, if_running="wait"), ticket, account=ACCOUNT.fingerprint)
    try:
        ticket.text = await start(run, ticket)
        return await wait(run)
    except error.DBOSWorkflowCancelledError:
        async with ACCOUNT.client() as hevo:
            await run.cancel(hevo, within=20)
        raise


async def main() -> None:
    DBOS(config={"name": "hevo", "system_database_url": os.environ["DATABASE_URL"]})
    DBOS.launch()  # takes up what a crash has cut off
    for pipeline_id in map(int, sys.argv[1:]):
        print(await (await DBOS.start_workflow_async(sync_pipeline, pipeline_id)).get_result())


if __name__ == "__main__":
    asyncio.run(main())
