"""The process of a caller, which is killed: it keeps its ticket in a file, and its clock runs fast."""

from __future__ import annotations

import asyncio
import logging
import os
import selectors
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from hevo_edge import HevoClient
from hevo_edge._common.clock import Clock

from .callers import hevo_edge
from .environment import Address, client_of
from .naive import naive
from .outcome import Outcome
from .scenario import Scenario

T = TypeVar("T")

SPEED = 50.0
"""Seconds of the caller's clock, and of the emulator's, in a real second."""
_LONGEST = 3600.0
CALLERS = {"hevo_edge": hevo_edge, "naive": naive}


def fast_time() -> float:
    """Return the time that all processes of a trial share, in seconds since some moment."""
    return time.monotonic() * SPEED


class _FastSelector(selectors.DefaultSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        return super().select(None if timeout is None else timeout / SPEED)


class _FastLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        super().__init__(_FastSelector())

    def time(self) -> float:
        return fast_time()


class _FastClock(Clock):
    def __init__(self, seed: int, epoch: float) -> None:
        super().__init__(seed)
        self._epoch = epoch

    def wall(self) -> float:
        return self._epoch + fast_time()


@dataclass(frozen=True)
class Orders:
    """What a process is to do. ``epoch`` is added to ``fast_time`` for seconds since 1970."""

    scenario: Scenario
    caller: str
    address: Address
    object_ids: list[str]
    file: Path
    epoch: float
    seed: int


class FileStore(dict[str, str]):
    """A dict whose one ticket is a file; whoever reads it finds the old text or the new one."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file
        if file.exists():
            super().__setitem__("ticket", file.read_text())

    def __setitem__(self, key: str, text: str) -> None:
        super().__setitem__(key, text)
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_text(text)
        draft.replace(self._file)


class Victim:
    """What a caller has to work with in a process of its own."""

    def __init__(self, orders: Orders) -> None:
        self.scenario = orders.scenario
        self.address = orders.address
        self.object_ids = orders.object_ids
        self.store: dict[str, str] = FileStore(orders.file)
        self._orders = orders

    @property
    def now(self) -> float:
        """The time that all processes of the trial share, in seconds since 1970."""
        return self._orders.epoch + fast_time()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[HevoClient]:
        """Make a client."""
        clock = _FastClock(self._orders.seed, self._orders.epoch)
        async with client_of(self.scenario, self.address, clock) as hevo:
            yield hevo

    async def timed(self, _: str, call: Awaitable[T]) -> T:
        """Await a call of the SDK."""
        return await asyncio.wait_for(call, _LONGEST)

    async def stored(self) -> None:
        """Take the time that storing takes."""
        await asyncio.sleep(self.scenario.pause)

    async def run_process(self, process: Callable[[], Awaitable[Outcome]]) -> Outcome:
        """Run the caller in this process."""
        return await process()


def run(orders: Orders, parent: Connection) -> None:
    """Run a caller, and send its outcome to the parent process."""
    logging.getLogger("hevo_edge").setLevel(logging.CRITICAL + 1)
    parent.send("ready")
    loop = _FastLoop()
    env = Victim(orders)
    try:
        outcome: object = loop.run_until_complete(CALLERS[orders.caller](env))
    except Exception as error:  # noqa: BLE001 -- the campaign searches for them
        outcome = error if isinstance(error, asyncio.TimeoutError) else repr(error)
    parent.send(outcome)
