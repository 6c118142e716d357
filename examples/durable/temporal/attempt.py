"""What every step needs: a client, heartbeats, and a cancel that reaches Hevo."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from temporalio import activity

from hevo_edge import HevoClient
from hevo_edge.orchestration import Account, Run, RunSpec, TicketText, cancel_if

ACCOUNT = Account.from_env()


def is_cancelled() -> bool:  # and not because of the worker's shutdown
    return bool((details := activity.cancellation_details()) and details.cancel_requested)


async def send_heartbeats() -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(2)


@asynccontextmanager
async def attempt(
    pipeline_id: int, ticket: TicketText
) -> AsyncGenerator[tuple[Run, HevoClient], None]:
    run = Run(RunSpec(pipeline_id, if_running="wait"), ticket, account=ACCOUNT.fingerprint)
    sending = asyncio.create_task(send_heartbeats())
    try:
        async with ACCOUNT.client() as hevo, cancel_if(is_cancelled, run, hevo):
            yield run, hevo
    finally:
        sending.cancel()
