"""What an event loop asks of a Redis: one message at a time, the rest is kept for the next."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import NamedTuple

from hevo_edge._http.own_calls import NamedSlot
from hevo_edge._http.redis_link import RedisLink


@dataclass(eq=False)
class Question:
    """A slot that a caller wants; or None for a look at all of them."""

    slot: NamedSlot | None
    at_most: int
    wanted: int
    answer: asyncio.Future[bool | None]
    """Whether the slot is ours; None when Redis cannot be used."""
    names: list[str] = field(default_factory=list)


@dataclass(eq=False)
class Conversation:
    """What goes to Redis and back in one event loop."""

    loop: asyncio.AbstractEventLoop
    link: RedisLink
    questions: list[Question] = field(default_factory=list)
    asked: int = 0
    """How many callers wait for an answer."""
    silence: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while no message is under way."""
    messenger: asyncio.Task[None] | None = None
    later: asyncio.TimerHandle | None = None
    renewal: asyncio.TimerHandle | None = None
    is_closed: bool = False

    def __post_init__(self) -> None:
        self.silence.set()

    def stop_timers(self) -> None:
        """Let nothing happen later."""
        for timer in (self.later, self.renewal):
            if timer is not None:
                timer.cancel()
        self.later = self.renewal = None


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
