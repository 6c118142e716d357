"""The lock of a Pipeline, and who hears that a run was started."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge._common.timeouts import Overtaken
from hevo_edge._triggering.pipeline_lock import lock_of


async def test_who_waits_hears_whose_ticket_started_a_run() -> None:
    lock = lock_of("here", 1)
    assert lock_of("here", 1) is lock

    async def wait() -> str:
        with pytest.raises(Overtaken) as caught:
            async with lock.held(None, unless_run_started=True):
                pass
        return str(caught.value.by)

    async with lock.held(None):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(0.01)
        lock.mark_run_started("mine")
        lock.mark_run_started("another")
        assert await waiting == "mine"
    # That run is nothing to who comes later.
    async with lock.held(None, unless_run_started=True):
        pass
