"""Cancelling the remote Job when, and only when, a user cancels the flow run.

Prefect ends the process of such a run by SIGTERM, and by SIGKILL 30 s later. An eviction or a
deploy begins with the same SIGTERM, but then the flow run is not CANCELLING: its Job goes on, and
the next attempt goes on with it.
"""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.logging.loggers import flow_run_logger

from hevo_edge.integrations.prefect.credentials import HevoCredentials
from hevo_edge.integrations.prefect.run_log import flush_log
from hevo_edge.integrations.prefect.stores import Caller, LabelStore, Place, places_of

WITHIN = 20.0
"""Seconds for all of it; the rest of Prefect's 30 is for the states that follow."""
ASK_WITHIN = 4.0
"""Those of them for asking Prefect who cancels."""
CANCEL_WITHIN = 13.0
"""Those for the cancel, which is repeated while it fails for a passing reason."""
CALL_WITHIN = 5.0
"""Seconds for each call of Hevo."""
_BY_USER = (StateType.CANCELLING, StateType.CANCELLED)


async def was_asked_for(caller: Caller | None) -> bool:
    """Say whether a user has cancelled the flow run, or one that called it."""

    async def ask(flow_run_ids: tuple[UUID, ...]) -> bool:
        async with get_client() as client:
            for flow_run_id in flow_run_ids:
                if (await client.read_flow_run(flow_run_id)).state_type in _BY_USER:
                    return True
        return False

    return caller is not None and await asyncio.wait_for(ask(caller.flow_run_ids), ASK_WITHIN)


async def cancel_jobs(flow: Any, flow_run: Any, state: Any) -> None:  # noqa: ARG001 -- a hook's
    """Cancel in Hevo what a cancelled flow run has left running: a hook for ``on_cancellation``.

    Prefect calls it when the flow's process is gone. What that has cancelled itself is left out;
    so is what has no saved block of credentials.
    """
    async with get_client() as client:
        labels = (await client.read_flow_run(flow_run.id)).labels
    left = [place for place in places_of(labels) if place.ticket and not place.is_done]
    log = flow_run_logger(flow_run, flow)
    await asyncio.gather(*(_cancel(flow_run.id, place, log) for place in left))
    await flush_log()


async def _cancel(flow_run_id: UUID, place: Place, log: Any) -> None:
    from hevo_edge.orchestration import Run, cancel_if_asked, spec_of  # noqa: PLC0415 -- aiohttp

    spec = spec_of(place.ticket)
    left = "a Job of Pipeline %s may go on in Hevo: %s"
    if place.block is None:
        log.warning(left, spec.pipeline_id, "its credentials are no saved block")
        return
    try:
        credentials: HevoCredentials = await HevoCredentials.aload(place.block)
        account = credentials.account()
        store = LabelStore(Caller((flow_run_id,), place.attempts), place.block, place)
        async with account.client(timeout=CALL_WITHIN) as hevo:
            run = Run(spec, store, account=account.fingerprint)
            await cancel_if_asked(lambda: True, run, hevo, within=CANCEL_WITHIN, logger=log)
            await store.flush()
    except Exception as error:  # noqa: BLE001 -- the other Jobs are to be cancelled too
        log.warning(left, spec.pipeline_id, error)
