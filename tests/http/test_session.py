"""Sessions: one per event loop, an own one or the caller's, closed in time."""

from __future__ import annotations

import asyncio
import gc
import warnings
import weakref
from typing import Any

import aiohttp
import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of

from .support import GET


async def test_one_connection_serves_requests_one_after_another(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    made: list[object] = []
    loop = asyncio.get_running_loop()
    create_connection = loop.create_connection

    async def counted(*args: Any, **kwargs: Any) -> Any:
        made.append(args)
        return await create_connection(*args, **kwargs)

    loop.create_connection = counted  # type: ignore[method-assign]
    for _ in range(20):
        await hevo.send(GET)
    assert len(made) <= 1


async def test_a_given_session_is_used_and_not_closed(emulator: HevoEmulator) -> None:
    async with aiohttp.ClientSession(raise_for_status=True) as session:
        async with client_of(emulator, session=session) as hevo:
            assert (await hevo.send(GET)).id == 123
            emulator.faults.status(404, times=None)
            with pytest.raises(errors.NotFound):
                await hevo.send(GET)
        emulator.faults.clear()
        assert not session.closed
    async with client_of(emulator, session=session) as hevo:
        with pytest.raises(errors.HevoError, match="session .* is closed"):
            await hevo.send(GET)


async def test_a_session_with_credentials_of_its_own(emulator: HevoEmulator) -> None:
    session = aiohttp.ClientSession(headers={"Authorization": "Basic bWluZQ=="})
    async with session, client_of(emulator, session=session) as hevo:
        assert (await hevo.send(GET)).id == 123
    with pytest.warns(DeprecationWarning, match="auth"):
        session = aiohttp.ClientSession(auth=aiohttp.BasicAuth("me", "mine"))
    async with session, client_of(emulator, session=session) as hevo:
        with pytest.raises(errors.ConfigurationError, match="cannot make the request"):
            await hevo.send(GET)


async def test_a_closed_client_refuses_requests(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await hevo.send(GET)
    await hevo.close()
    await hevo.close()
    with pytest.raises(errors.HevoError, match="HevoClient is closed"):
        await hevo.send(GET)
    with pytest.raises(errors.HevoError, match="HevoClient is closed"):
        await hevo.pipeline(123).trigger()


async def test_closing_while_a_call_waits_for_its_slot(emulator: HevoEmulator) -> None:
    async with client_of(emulator, rate_limit=RateLimit(1, 60.0)) as hevo:
        await hevo.send(GET)
        waiting = asyncio.create_task(hevo.send(GET))
        await asyncio.sleep(1)
        await asyncio.gather(hevo.close(), hevo.close())
        with pytest.raises(errors.HevoError, match="HevoClient is closed"):
            await waiting


@pytest.mark.real_time
async def test_a_client_that_is_garbage_collected_closes_its_session(
    emulator: HevoEmulator,
) -> None:
    hevo = client_of(emulator)
    await hevo.send(GET)
    session = hevo._core.transport._sessions._opened.get().session
    assert session is not None
    del hevo
    gc.collect()
    for _ in range(3):
        await asyncio.sleep(0)
    assert session.closed


@pytest.mark.real_time
async def test_nothing_is_said_of_it(emulator: HevoEmulator) -> None:
    """A warning would fail this test: client and session must not be finalized together."""
    hevo = client_of(emulator)
    await hevo.send(GET)
    opened = hevo._core.transport._sessions._opened.get().session
    assert opened is not None
    session = weakref.ref(opened)
    del hevo, opened
    gc.collect()
    await asyncio.sleep(0.1)
    gc.collect()
    assert session() is None


# -- event loops -----------------------------------------------------------------------------------


def test_several_loops_one_after_another_and_no_close_at_all() -> None:
    """A client that is never closed leaves no session behind, whatever happens to its loops."""

    async def use(hevo: list[HevoClient]) -> None:
        async with HevoEmulator() as emulator:
            emulator.add_pipeline(123)
            if not hevo:
                hevo.append(client_of(emulator))
            # The emulator of each loop listens elsewhere; what counts is the session.
            with pytest.MonkeyPatch.context() as patch:
                config = hevo[0]._core.transport._config
                patch.setattr(config, "base_url", emulator.base_url)
                assert (await hevo[0].send(GET)).id == 123

    kept: list[HevoClient] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            asyncio.run(use(kept))
        kept.clear()
        gc.collect()


@pytest.mark.real_time
async def test_two_loops_at_once_are_refused(emulator: HevoEmulator, hevo: HevoClient) -> None:
    await hevo.send(GET)

    def elsewhere() -> None:
        asyncio.run(hevo.get_pipeline(123))

    with pytest.raises(errors.HevoError, match="another event loop that is still running"):
        await asyncio.to_thread(elsewhere)
    await hevo.send(GET)
