"""What the tests read back from Prefect, and do to the emulator."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import FlowRun

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.integrations.prefect import HevoCredentials

OFTEN: Any = {"poll_interval": 0.05, "report": False}
"""Options of a sync that need not be looked at."""


def credentials_of(emu: HevoEmulator, **options: Any) -> HevoCredentials:
    """Return the block of an emulator's account."""
    return HevoCredentials(
        **{
            "api_key": emu.api_key,
            "api_secret": emu.api_secret,
            "base_url": emu.base_url,
            "rate_limit": None,
            **options,
        }
    )


def last_job(emu: HevoEmulator, pipeline_id: int = 123) -> EmulatedJob:
    """Return the newest Job of a Pipeline."""
    return emu.pipeline(pipeline_id).jobs[-1]


def starts(emu: HevoEmulator) -> int:
    """Return how many runs were started by API."""
    actions = emu.requests.of("sync_now", "resync_pipeline")
    return sum(call.took_effect for call in actions)


def wait_until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Wait until something is true, and return it."""
    give_up = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < give_up, "it did not come true"
        time.sleep(0.05)
    return result


def when(condition: Callable[[], Any], act: Callable[[], Any]) -> threading.Thread:
    """Do something in a thread, once something is true."""

    def work() -> None:
        wait_until(condition)
        act()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def flow_run(run_id: UUID | str) -> FlowRun:
    """Read a flow run."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(UUID(f"{run_id}"))


def places(run: FlowRun) -> list[dict[str, Any]]:
    """Return what a flow run's labels hold of tickets."""
    from hevo_edge.integrations.prefect.stores import places_of  # noqa: PLC0415 -- private

    return [vars(place) for place in places_of(flow_run(run.id).labels)]
