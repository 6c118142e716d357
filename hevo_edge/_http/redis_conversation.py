"""What an event loop asks of a Redis: one message at a time, the rest is kept for the next."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from hevo_edge._common.contexts import without_context
from hevo_edge._http.own_calls import NamedSlot
from hevo_edge._http.redis_link import PATIENCE, RedisLink


@dataclass(eq=False)
class Question:
    """A slot that a caller wants; or None for a look at all of them."""

    slot: NamedSlot | None
    at_most: int
    wanted: int
    answer: asyncio.Future[bool | None]
    """Whether the slot is ours; None when Redis cannot be used."""
    names: list[str] = field(default_factory=list)

    @property
    def is_granted(self) -> bool:
        """Whether the slot is ours."""
        answer = self.answer
        if not answer.done() or answer.cancelled() or answer.exception():
            return False
        return bool(answer.result())


@dataclass(eq=False)
class Conversation:
    """What goes to Redis and back in one event loop.

    Args:
        loop: The event loop.
        link: The connection.
        turn: Exchanges one message, and says whether Redis can be used.
        has_more: Says whether there is something to tell, beside the questions.
    """

    loop: asyncio.AbstractEventLoop
    link: RedisLink
    turn: Callable[[Conversation], Awaitable[bool]]
    has_more: Callable[[], bool]
    questions: list[Question] = field(default_factory=list)
    asked: int = 0
    """How many callers wait for an answer."""
    later: asyncio.TimerHandle | None = None
    renewal: asyncio.TimerHandle | None = None
    is_closed: bool = False

    def __post_init__(self) -> None:
        self._messenger: asyncio.Task[None] | None = None
        self._silence = asyncio.Event()  # set while no message is under way
        self._silence.set()

    async def ask(self, question: Question) -> bool | None:
        """Ask, and return the answer.

        Raises:
            ConfigurationError: when Redis refuses us at once.
        """
        self.questions.append(question)
        self.asked += 1
        try:
            if self.link.is_open and self._silence.is_set():
                await self._ask_at_once()
            else:
                self.talk()
            return await question.answer
        finally:
            self.asked -= 1

    async def _ask_at_once(self) -> None:
        """Exchange one message in the caller's task, which is faster by two turns of the loop."""
        self._silence.clear()
        goes_on = True  # also when it is cancelled: what it asked for has to be taken back
        try:
            goes_on = await self.turn(self)
        finally:
            self._silence.set()
            if goes_on and (self.questions or self.has_more()):
                self.talk()

    def talk(self) -> None:
        """Exchange messages until there is nothing more to say, unless that is under way."""
        if self.later is not None:
            self.later.cancel()
            self.later = None
        if self._silence.is_set():
            self._silence.clear()
            self._messenger = without_context(lambda: self.loop.create_task(self._exchange()))

    async def _exchange(self) -> None:
        try:
            goes_on = await self.turn(self)
            while goes_on and (self.questions or self.has_more()):
                goes_on = await self.turn(self)
            if self.is_closed:
                await self.link.close()
        finally:
            self._messenger = None
            self._silence.set()
            for question in self.questions:  # it was cancelled
                question.answer.cancel()
            self.questions.clear()

    def stop_timers(self) -> None:
        """Let nothing happen later."""
        for timer in (self.later, self.renewal):
            if timer is not None:
                timer.cancel()
        self.later = self.renewal = None

    async def end(self) -> None:
        """Wait a moment until there is nothing more to say, and close the connection."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._silence.wait(), PATIENCE)
        if (messenger := self._messenger) is not None:
            messenger.cancel()
            await asyncio.wait({messenger})
        await self.link.close()


class Known(NamedTuple):
    """What the last answer said, in loop time.

    Args:
        at: When it came.
        others: How many slots others had.
        next_free: When the first slot of all comes free.
    """

    at: float = float("-inf")
    others: int = 0
    next_free: float | None = None
