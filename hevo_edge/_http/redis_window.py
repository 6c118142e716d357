"""The window that machines share, through a Redis or Valkey.

The log of all calls is in Redis, and goes by its clock; a script takes slots from it. A process
remembers its own calls, so nothing of them is lost with Redis: when it cannot be used, the process
keeps to a part of the limit by itself; when it can again, or has lost its memory, the process tells
all of its calls before it takes more.

One message is under way at a time. What comes meanwhile goes with the next, so a process needs one
connection, and what it says arrives in order.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random

from hevo_edge._common.contexts import without_context
from hevo_edge._common.per_loop import PerLoop, has_loop, running_loop
from hevo_edge._http.local_share import LocalShare
from hevo_edge._http.own_calls import NamedSlot, OwnCalls, told
from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.redis_conversation import Conversation, Known, Question
from hevo_edge._http.redis_link import (
    LinkBroken,
    LinkLost,
    RedisLink,
    TimeRefused,
    check_extra,
)
from hevo_edge._http.redis_script import Answer, Ask, Take, micros
from hevo_edge._http.redis_url import RedisUrl
from hevo_edge._http.window import Holder, Slot, WindowState
from hevo_edge._text.logger import get_logger
from hevo_edge.errors import ConfigurationError

log: logging.Logger = get_logger("hevo_edge.ratelimit")

LEASE = 30.0
"""Seconds for which a call counts as under way after its process was last heard of; a third of them
after which it says so again. A slot of a process that died is free one period later."""
RECHECK = 1.0
"""Seconds after which a full window is asked again, at most, while few go first."""
_HEAR_OF_MEMBERS_EVERY = 1.0
"""Seconds after which the clients are counted anew: so many divide the limit in an outage."""
_TELL_LATER = 0.05
"""Seconds for which it is kept that a call is over: a slot that is wanted then takes it along."""
_TIME_IS_GOOD_FOR = 60.0
"""Seconds after which Redis's time is asked for anew, where the script cannot."""


class RedisWindow:
    """A SharedWindow in a Redis.

    Args:
        url: Where it is.
        name: What the window is called there; it must hold no secret.
        occupied: Seconds for which a slot stays taken once its call is over.
        fallback_share: The part of the limit to keep to while Redis cannot be used; None: the limit
            divided by the clients last seen, half of it at most.

    Raises:
        ConfigurationError: when redis-py is not installed.
    """

    def __init__(
        self, url: RedisUrl, name: str, occupied: float, fallback_share: float | None = None
    ) -> None:
        check_extra()
        self._url, self.place = url, url.shown
        self._secrets = url.hide()
        # Braces: a cluster keeps what they enclose together.
        self._keys = [
            f"{{{name}}}:{part}" for part in ("calls", "hold", "waiting", "queue", "members")
        ]
        self._occupied = occupied
        self._calls = OwnCalls(occupied)
        self._apart = LocalShare(occupied, fallback_share)
        self._loops: PerLoop[Conversation] = PerLoop(
            lambda: Conversation(running_loop(), RedisLink(url), self._turn, self._has_more)
        )
        self._known = Known()
        self._held_until, self._share = float("-inf"), 1.0
        self._hold_to_tell = self._must_tell_all = self._was_reached = False
        self._recheck, self._spread = RECHECK, 0.0
        self._asked_members_at = float("-inf")
        # Where Redis does not tell a script the time: its time minus the loop's, and since when.
        self._offset: float | None = None
        self._offset_at = float("-inf")

    def __repr__(self) -> str:
        return f"RedisWindow({self._url.shown!r})"

    # -- the window -------------------------------------------------------------------------------

    @property
    def recheck_in(self) -> float | None:
        """Seconds after which a refused ``take`` is worth another try."""
        return self._recheck

    async def take(
        self, now: float, at_most: int, priority: Priority = Priority.LIST, wanted: int = 0
    ) -> Slot | None:
        """Take a slot if fewer than ``at_most`` are taken, and the window is not held."""
        here = self._here()
        slot = self._calls.new(priority)
        is_alone = self._apart.is_on or here.is_closed
        if is_alone and not here.is_closed and self._apart.is_time_to_try(now):
            here.talk()
        is_bound = is_alone or self._apart.binds(now)
        if is_bound and not self._has_room(at_most, now, asked=here.asked):
            return None
        if not is_alone:
            is_ours = await self._ask(here, slot, at_most, wanted)
            if is_ours is not None:
                return slot if is_ours else None
            now = here.loop.time()
            if not self._has_room(at_most, now):
                return None
        self._calls.add(slot, is_told=False)
        self._renew_later(here)
        return slot

    async def _ask(
        self, here: Conversation, slot: NamedSlot, at_most: int, wanted: int
    ) -> bool | None:
        """Ask Redis for a slot; None when it cannot be used."""
        question = Question(slot, at_most, wanted, here.loop.create_future())
        try:
            return await here.ask(question)
        except asyncio.CancelledError:
            if question.is_granted:  # in the very moment
                self.give_back(slot, here.loop.time(), sent=False)
            raise

    def _has_room(self, at_most: int, now: float, asked: int = 0) -> bool:
        """Say whether one more slot is ours, while each keeps to a part of the limit."""
        if now < self._held_until:
            return False
        return self._apart.has_room(self._calls.taken(now) + asked, at_most, now)

    def give_back(self, slot: Slot, now: float, *, sent: bool) -> None:
        """Give a slot back: at once if nothing was sent, else one period from now."""
        self._notice_fork()
        if self._calls.give_back(slot, now, sent=sent) and not self._apart.is_on and has_loop():
            here = self._here()
            if not sent or here.is_closed:
                here.talk()
            elif here.later is None:
                here.later = without_context(here.loop.call_later, _TELL_LATER, here.talk)

    def hold(self, now: float, until: float, share: float = 1.0) -> None:
        """Let nobody take a slot before ``until``."""
        if until <= now:
            return
        self._share = min(self._share, share) if now < self._held_until else share
        self._held_until = max(self._held_until, until)
        self._hold_to_tell = True
        if has_loop() and not self._apart.is_on:
            self._here().talk()

    def state(self, now: float) -> WindowState:
        """Return what is known."""
        self._notice_fork()
        own, known = self._calls.taken(now), self._known
        others = known.others if now < known.at + self._occupied else 0
        frees = [self._calls.next_free(now)]
        if known.next_free is not None:
            is_over = known.next_free <= now
            others = max(0, others - is_over)
            frees.append(None if is_over else known.next_free + self._spread)
        if self._apart.is_on:
            others = self._apart.seeming_others(own, now)
            frees = frees[:1]
        first = min((each for each in frees if each is not None), default=None)
        return WindowState(own + others, first, self._held_until, self._share, self._apart.part)

    @property
    def is_alone(self) -> bool:
        """Whether the Redis cannot be used now."""
        return self._apart.is_on

    async def holders(self, now: float) -> list[Holder]:
        """Return who holds slots; without Redis, this process only."""
        here = self._here()
        look = Question(None, 0, 0, here.loop.create_future())
        if not self._apart.is_on:
            await here.ask(look)
        if self._apart.is_on:
            own = self._calls.by_priority(now)
            return [Holder(self._calls.owner, own)] if own else []
        found: dict[str, Holder] = {}
        for name in look.names:
            owner, priority, _ = name.rsplit(":", 2)
            taken = found.setdefault(owner, Holder(owner, {})).taken
            taken[Priority(int(priority))] = taken.get(Priority(int(priority)), 0) + 1
        return list(found.values())

    async def close(self) -> None:
        """Tell what is to be told, and close the connection of this event loop."""
        here = self._loops.peek()
        if here is None:
            return
        here.is_closed = True
        here.stop_timers()
        if self._calls.has_news and not self._apart.is_on:
            here.talk()
        await here.end()

    # -- messages ---------------------------------------------------------------------------------

    def _here(self) -> Conversation:
        self._notice_fork()
        return self._loops.get()

    def _notice_fork(self) -> None:
        """In a forked child, leave the parent's calls to the parent."""
        if self._calls.pid != os.getpid():
            self._calls = OwnCalls(self._occupied)
            self._asked_members_at = float("-inf")

    def _has_more(self) -> bool:
        return self._calls.has_news or self._hold_to_tell

    async def _turn(self, here: Conversation) -> bool:
        """Exchange one message; say whether Redis can be used."""
        questions = [each for each in here.questions if not each.answer.cancelled()]
        here.questions.clear()
        try:
            answer = await self._message(here, questions)
        except LinkLost as lost:
            self._lose(lost, questions + here.questions, here.loop.time())
            here.questions.clear()
            return False
        except BaseException:
            self._let_go(questions)
            raise
        if answer is not None:
            self._take_in(here, answer, questions)
        elif not here.is_closed:
            here.questions[:0] = questions
        else:
            self._let_go(questions)
        return True

    async def _message(self, here: Conversation, questions: list[Question]) -> Answer | None:
        """Tell and ask Redis once; None when it has to be asked again."""
        now = here.loop.time()
        is_whole = self._must_tell_all or not self._was_reached
        tells_hold, self._hold_to_tell = self._hold_to_tell or is_whole, False
        witness = "" if is_whole else self._calls.witness(now)
        news = self._calls.whole(now) if is_whole else self._calls.take_news()
        is_told = False
        try:
            time = None if self._offset is None else await self._time(here)
            ask = self._words(now, questions, news, is_whole=is_whole, tells_hold=tells_hold)
            ask.time, ask.witness = time, witness
            answer = Answer.read(await here.link.run(self._keys, ask.arguments()))
            if answer.is_known:
                for each in questions:
                    if each.slot is None:
                        each.names = await here.link.slots(self._keys[0], answer.time)
            is_told = answer.is_known
        except LinkBroken:  # a new connection, perhaps to another server
            answer = None
        except TimeRefused:
            if self._offset is not None:
                raise LinkLost("it tells the time to nobody", is_final=True) from None
            self._offset = 0.0
            return None
        finally:
            if not is_told:
                self._calls.put_back(news)
                self._hold_to_tell |= tells_hold
        self._was_reached, self._must_tell_all = self._was_reached or is_told, not is_told
        return answer if is_told else None

    def _words(
        self,
        now: float,
        questions: list[Question],
        news: dict[str, NamedSlot | None],
        *,
        is_whole: bool,
        tells_hold: bool,
    ) -> Ask:
        hold = None
        if tells_hold and self._held_until > now:
            hold = (self._held_until - now, self._share)
        return Ask(
            me=self._calls.owner,
            occupied=self._occupied,
            lease=LEASE,
            patience=3 * RECHECK,
            own=self._calls.taken(now),
            hold=hold,
            is_whole=is_whole,
            asks_members=is_whole or now >= self._asked_members_at + _HEAR_OF_MEMBERS_EVERY,
            news=dict(told(news, now)),
            takes=[
                Take(each.slot.name, each.at_most, _rank(each.slot.priority), each.wanted)
                for each in questions
                if each.slot is not None
            ],
        )

    def _take_in(self, here: Conversation, answer: Answer, questions: list[Question]) -> None:
        now, granted = here.loop.time(), iter(answer.granted)
        for each in questions:
            is_ours = each.slot is None or next(granted)
            if not each.answer.cancelled():
                if each.slot is not None and is_ours:
                    self._calls.add(each.slot)
                each.answer.set_result(is_ours)
            elif each.slot is not None and is_ours:
                self._calls.forget(each.slot)
        self._renew_later(here)
        free_at = None if answer.free_in is None else now + answer.free_in
        self._known = Known(now, max(0, answer.taken - self._calls.taken(now)), free_at)
        if answer.held_for is not None and now + answer.held_for > self._held_until - RECHECK / 2:
            self._held_until = max(self._held_until, now + answer.held_for)
            self._share = answer.share
        if not all(answer.granted):
            self._recheck = answer.ask_in + RECHECK * _jitter()
            is_only_one = answer.waiters <= 1
            self._spread = 0.0 if is_only_one else answer.ask_in + RECHECK * random.random()  # noqa: S311
        if answer.members is not None:
            self._apart.heard(answer.members, now)
            self._asked_members_at = now
        if self._apart.is_on:
            self._apart.end(now)
            log.warning("the call budget is shared through %s again", self._url.shown)

    def _lose(self, lost: LinkLost, questions: list[Question], now: float) -> None:
        """Go on with a part of the limit; or, if this was the first try, say what is wrong."""
        self._must_tell_all = True
        refusal = None
        if lost.is_final and not self._was_reached and not self._apart.is_on:
            refusal = f"the RateLimit cannot be shared through {self._url.shown}: {lost}"
        elif self._apart.is_on:
            self._apart.failed(now)
        else:
            others = self._known.others if now < self._known.at + self._occupied else 0
            self._apart.begin(now, others)
            self._recheck, self._spread = RECHECK, 0.0
            hint = "any more" if self._was_reached else "(are host, port and TLS right?)"
            log.warning(
                "the call budget is not shared through %s: %s; until it is, this process keeps "
                "to %.0f %% of the limit by itself",
                f"{self._url.shown} {hint}",
                lost,
                100 * self._apart.share,
            )
        for each in questions:
            if each.answer.cancelled():
                continue
            if refusal is None:
                each.answer.set_result(None)
            else:
                each.answer.set_exception(ConfigurationError(refusal))

    def _let_go(self, questions: list[Question]) -> None:
        """Give up slots that may have been taken for us: nobody heard the answer."""
        for each in questions:
            each.answer.cancel()
            if each.slot is not None:
                self._calls.forget(each.slot)

    async def _time(self, here: Conversation) -> int:
        """Return Redis's time, where it does not tell it to the script."""
        before = here.loop.time()
        if before >= self._offset_at + _TIME_IS_GOOD_FOR:
            time = await here.link.time()
            self._offset_at = here.loop.time()
            self._offset = time - (before + self._offset_at) / 2
        return micros(here.loop.time() + (self._offset or 0.0))

    # -- leases -----------------------------------------------------------------------------------

    def _renew_later(self, here: Conversation) -> None:
        if here.renewal is None and self._calls.in_flight and not here.is_closed:
            here.renewal = without_context(here.loop.call_later, LEASE / 3, self._renew, here)

    def _renew(self, here: Conversation) -> None:
        here.renewal = None
        if self._calls.in_flight:
            self._renew_later(here)
            if not self._apart.is_on:
                self._calls.renew()
                here.talk()


def _rank(priority: Priority) -> int:
    """Return the urgency among machines: lists and polls have one."""
    return int(min(priority, Priority.POLL))


def _jitter() -> float:
    return 0.5 + random.random() / 2  # noqa: S311
