"""A user's cancel reaches Hevo, and nothing else does; that of other processes is in e2e."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from uuid import UUID

import pytest
from prefect import flow, get_client
from prefect.context import FlowRunContext
from prefect.states import Cancelling, Running

from hevo_edge.emulator import HevoEmulator
from hevo_edge.integrations.prefect import HevoCredentials, aio, cancel_jobs, cancellation
from hevo_edge.orchestration import clients
from tests.integrations.prefect.support import (
    OFTEN,
    credentials_of,
    flow_run,
    last_job,
    places,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("credentials")


async def cancelled(
    emu: HevoEmulator,
    state: Any,
    credentials: Any = "hevo",
    *,
    nested: bool = False,
    **options: Any,
) -> UUID:
    """Cancel an async flow while it awaits its Job; its flow run is in a state by then."""
    seen: list[UUID] = []

    @flow
    async def waits() -> Any:
        return await aio.sync_and_wait(credentials, 123, **{**OFTEN, **options})

    @flow
    async def outer() -> Any:
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        seen.append(context.flow_run.id)
        if nested:
            return await waits()
        return await aio.sync_and_wait(credentials, 123, **{**OFTEN, **options})

    running = asyncio.ensure_future(outer())
    await asyncio.to_thread(wait_until, lambda: emu.requests.of("get_job"))
    async with get_client() as client:
        await client.set_flow_run_state(seen[0], state, force=True)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    return seen[0]


def log_of(run_id: UUID) -> str:
    """Return what Prefect's server has of a flow run's log."""
    wanted = {"logs": {"flow_run_id": {"any_": [f"{run_id}"]}}}
    with get_client(sync_client=True) as client:
        rows = client.request("POST", "/logs/filter", json=wanted).json()
    return "\n".join(row["message"] for row in rows)


def is_cancelled(emu: HevoEmulator) -> bool:
    return last_job(emu).status in {"CANCELLING", "CANCELLED"}


@pytest.mark.parametrize("nested", [False, True])
def test_a_users_cancel_cancels_the_job_and_says_so(
    emu: HevoEmulator, caplog: pytest.LogCaptureFixture, nested: bool
) -> None:
    caplog.set_level(logging.INFO)
    run_id = asyncio.run(cancelled(emu, Cancelling(), nested=nested))
    assert is_cancelled(emu)
    assert f"Hevo was asked to cancel Job 123:{last_job(emu).job_id}" in caplog.text
    assert not any(place["ticket"] for place in places(flow_run(run_id)))


@pytest.mark.parametrize(
    ("state", "options", "is_gone"),
    [
        (Running(), {}, False),
        (Running(), {"cancel_on_kill": "always"}, True),
        (Cancelling(), {"cancel_on_kill": "never"}, False),
    ],
)
def test_an_eviction_leaves_it_running(
    emu: HevoEmulator, state: Any, options: Any, is_gone: bool
) -> None:
    run_id = asyncio.run(cancelled(emu, state, **options))
    assert is_cancelled(emu) is is_gone
    assert any(place["ticket"] for place in places(flow_run(run_id))) is not is_gone


def test_a_job_that_was_joined_is_left_running(
    emu: HevoEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    emu.pipeline(123).plan(duration=None, appears_after=0)
    emu.pipeline(123).start_job(now=emu.now)
    asyncio.run(cancelled(emu, Cancelling(), if_running="join"))
    assert not is_cancelled(emu)
    assert "it may be another's" in caplog.text


def test_what_could_not_be_cancelled_is_named_and_left_to_the_hook(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(cancellation, "CANCEL_WITHIN", 1.0)
    fault = emu.faults.status(503, {"message": "no"}, on="cancel_job", times=None)
    run_id = asyncio.run(cancelled(emu, Cancelling()))
    assert not is_cancelled(emu)
    assert f"hevo-edge cancel 123:{last_job(emu).job_id}" in caplog.text
    asyncio.run(cancel_jobs(None, flow_run(run_id), None))
    assert not is_cancelled(emu)
    emu.faults.rules.remove(fault)
    asyncio.run(cancel_jobs(None, flow_run(run_id), None))
    assert is_cancelled(emu)
    # Prefect's own log of the flow run has both, though its process ends right after.
    words = log_of(run_id)
    assert f"hevo-edge cancel 123:{last_job(emu).job_id}" in words
    assert f"Hevo was asked to cancel Job 123:{last_job(emu).job_id}" in words
    # And once more: there is nothing left.
    asked = len(emu.requests.of("cancel_job"))
    asyncio.run(cancel_jobs(None, flow_run(run_id), None))
    assert len(emu.requests.of("cancel_job")) == asked


def test_the_hook_needs_a_saved_block(emu: HevoEmulator, caplog: pytest.LogCaptureFixture) -> None:
    run_id = asyncio.run(cancelled(emu, Running(), credentials_of(emu)))
    asyncio.run(cancel_jobs(None, flow_run(run_id), None))
    assert not is_cancelled(emu)
    assert "no saved block" in caplog.text


def test_when_prefect_cannot_be_asked_the_job_goes_on(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(_: Any) -> bool:
        raise OSError("Prefect is away")

    monkeypatch.setattr(cancellation, "was_asked_for", fails)
    asyncio.run(cancelled(emu, Cancelling()))
    assert not is_cancelled(emu)
    assert "Prefect is away" in caplog.text


def test_outside_of_a_flow_run_nobody_has_cancelled(
    emu: HevoEmulator, credentials: HevoCredentials
) -> None:
    assert asyncio.run(cancellation.was_asked_for(None)) is False


def test_those_who_wait_in_one_loop_share_a_client(
    emu: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []
    leased = clients._Leased.__init__

    def count(self: Any, account: Any, observer: Any) -> None:
        made.append(account)
        leased(self, account, observer)

    monkeypatch.setattr(clients._Leased, "__init__", count)
    for number in range(31, 51):
        emu.add_pipeline(number, duration=1)

    @flow
    async def many() -> Any:
        syncs = (aio.sync_and_wait("hevo", number, **OFTEN) for number in range(31, 51))
        return await asyncio.gather(*syncs)

    assert len(asyncio.run(many())) == 20
    assert len(made) <= 2
