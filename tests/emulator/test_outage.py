"""An outage of the emulator, begun in any thread or event loop."""

from __future__ import annotations

import asyncio
import http.client
import socket
import time
from collections.abc import Callable

import pytest

from hevo_edge import HevoClient, errors
from hevo_edge.emulator import HevoEmulator
from tests.conftest import client_of


def listens(emulator: HevoEmulator) -> bool:
    """Tell whether it answers; in another loop than its own, as this blocks."""
    connection = http.client.HTTPConnection(emulator.base_url.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 401
    except ConnectionError:
        return False
    finally:
        connection.close()


async def test_in_its_own_loop(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = await hevo.pipeline(123).trigger()
    emulator.outage(600)
    await asyncio.sleep(1)
    with pytest.raises(errors.RequestNotSent):
        await hevo.get_pipeline(123)
    await job.await_completion()
    assert job.status == "COMPLETED"


async def test_what_is_stopped_stays_stopped(emulator: HevoEmulator) -> None:
    emulator.outage(600)
    await asyncio.sleep(1)
    await emulator.stop()
    await asyncio.sleep(1200)
    with pytest.raises(RuntimeError, match="is not listening"):
        emulator.outage(1)
    await emulator.start()
    with pytest.raises(ValueError, match="at least 0"):
        emulator.outage(-1)


@pytest.mark.real_time
def test_in_another_thread() -> None:
    with HevoEmulator(speed=100) as emulator:
        emulator.outage(20)
        assert not listens(emulator)
        deadline = time.monotonic() + 10
        while not listens(emulator):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        emulator.outage(3600)  # ended by the end of the block
    assert not listens(emulator)


@pytest.mark.real_time
def test_stopping_and_starting_in_another_loop() -> None:
    async def restart(emulator: HevoEmulator) -> None:
        async with client_of(emulator, max_retries=0) as hevo:
            await hevo.get_pipeline(123)
            await emulator.stop()
            with pytest.raises(errors.RequestNotSent):
                await hevo.get_pipeline(123)
            await emulator.start()
            await hevo.get_pipeline(123)

    with HevoEmulator(speed=100) as emulator:
        emulator.add_pipeline(123)
        asyncio.run(restart(emulator))
        asyncio.run(restart(emulator))
        assert listens(emulator)
    assert not listens(emulator)


@pytest.mark.real_time
def test_the_factory_makes_emulators_with_options(
    hevo_emulator_factory: Callable[..., HevoEmulator],
) -> None:
    first = hevo_emulator_factory(rate_limit=1, dialect="oldest", speed=1000.0)
    second = hevo_emulator_factory()
    assert (first.rate_limit, first.dialect.in_progress, first.speed) == (1, "500", 1000.0)
    assert (second.speed, HevoClient.from_env().base_url) == (100.0, second.base_url)
    assert listens(first)
    assert listens(second)


def is_taken(emulator: HevoEmulator) -> bool:
    """Tell whether a port that is asked for by its number is refused, as a free one is not."""
    host, port = emulator.base_url.removeprefix("http://").rsplit(":", 1)
    with socket.socket() as other:
        try:
            other.bind((host, int(port)))
        except OSError:
            return True
        return False


async def test_nobody_else_gets_its_port_meanwhile() -> None:
    async with HevoEmulator() as emulator:
        emulator.outage(600)
        await asyncio.sleep(1)
        assert is_taken(emulator)
        await emulator.stop()
        assert is_taken(emulator)
        await emulator.start()
        await emulator.stop()
        assert is_taken(emulator)
    assert not is_taken(emulator)


@pytest.mark.real_time
def test_nobody_else_gets_its_port_meanwhile_in_a_thread() -> None:
    with HevoEmulator() as emulator:
        emulator.outage(3600)
        assert is_taken(emulator)
        asyncio.run(emulator.stop())
        assert is_taken(emulator)
    assert not is_taken(emulator)


async def test_without_a_block_a_stop_lets_the_port_go() -> None:
    emulator = HevoEmulator()
    await emulator.start()
    await emulator.stop()
    assert not is_taken(emulator)
