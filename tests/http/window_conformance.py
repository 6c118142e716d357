"""What every kind of SharedWindow does: a suite that each of them passes."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable

import pytest

from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.window import SharedWindow, Slot, WindowState

from .support import now

OCCUPIED = 60.0
Join = Callable[[], SharedWindow]
"""Return one more member of those who share one window, whose slots stay taken for OCCUPIED."""


async def take(window: SharedWindow, at_most: int) -> Slot:
    slot = await window.take(now(), at_most)
    assert slot is not None
    return slot


async def state(window: SharedWindow) -> WindowState:
    """Return the state as of now; what was given back is told by then."""
    await window.holders(now())
    return window.state(now())


async def is_full(window: SharedWindow, at_most: int) -> bool:
    """Tell whether there is no slot; one that is there is given back unused."""
    slot = await window.take(now(), at_most)
    if slot is not None:
        window.give_back(slot, now(), sent=False)
        await window.holders(now())
    return slot is None


class WindowConformance:
    """A subclass for each kind has a fixture ``join``."""

    async def test_all_together_take_no_more_than_there_are(self, join: Join) -> None:
        one, other = join(), join()
        for member in (one, other, other):
            await take(member, 3)
        assert await is_full(one, 3)
        assert await is_full(other, 3)

    async def test_the_more_urgent_may_take_more(self, join: Join) -> None:
        one, other = join(), join()
        await take(one, 1)
        assert await is_full(other, 1)
        await take(other, 2)
        assert await is_full(one, 2)

    async def test_what_was_not_sent_is_free_at_once(self, join: Join) -> None:
        one, other = join(), join()
        slot = await take(one, 1)
        one.give_back(slot, now(), sent=False)
        await one.holders(now())
        await take(other, 1)
        assert await is_full(one, 1)

    async def test_what_was_sent_is_free_one_period_after_its_reply(self, join: Join) -> None:
        one, other = join(), join()
        slot = await take(one, 1)
        await asyncio.sleep(20)
        one.give_back(slot, now(), sent=True)
        for member in (one, other):
            assert (await state(member)).next_free == pytest.approx(now() + OCCUPIED)
        await asyncio.sleep(OCCUPIED - 1)
        assert await is_full(one, 1)
        assert await is_full(other, 1)
        await asyncio.sleep(1.1)
        await take(other, 1)

    async def test_a_call_in_flight_keeps_its_slot(self, join: Join) -> None:
        one, other = join(), join()
        await take(one, 1)
        for _ in range(5):
            await asyncio.sleep(10)
            assert await is_full(one, 1)
            assert await is_full(other, 1)

    async def test_a_hold_holds_everybody_and_is_never_shortened(self, join: Join) -> None:
        one, other = join(), join()
        until = now() + 30
        one.hold(now(), until)
        await one.holders(now())
        other.hold(now(), now() + 10)
        for member in (other, one, join()):
            assert (await state(member)).held_until == pytest.approx(until)
            assert await is_full(member, 100)
        await asyncio.sleep(29)
        assert await is_full(one, 100)
        assert await is_full(other, 100)
        await asyncio.sleep(1.1)
        await take(one, 2)
        await take(other, 2)

    async def test_the_state_is_that_of_all(self, join: Join) -> None:
        one, other = join(), join()
        empty = await state(one)
        assert (empty.taken, empty.next_free) == (0, None)
        assert empty.held_until <= now()
        slot = await take(one, 5)
        await take(other, 5)
        assert [(await state(each)).taken for each in (one, other)] == [2, 2]
        one.give_back(slot, now(), sent=True)
        await asyncio.sleep(1)
        assert [(await state(each)).taken for each in (one, other)] == [2, 2]
        await asyncio.sleep(OCCUPIED)
        assert [(await state(each)).taken for each in (one, other)] == [1, 1]

    async def test_a_slot_is_given_back_once(self, join: Join) -> None:
        one, other = join(), join()
        slot = await take(one, 2)
        kept = await take(other, 2)
        for sent in (False, True, False):
            one.give_back(slot, now(), sent=sent)
        one.give_back(Slot(), now(), sent=True)
        assert (await state(one)).taken == 1
        other.give_back(kept, now(), sent=False)
        await other.holders(now())
        assert (await state(one)).taken == 0

    async def test_at_once_from_everywhere(self, join: Join) -> None:
        members = [join() for _ in range(4)]
        slots = await asyncio.gather(*(each.take(now(), 10) for each in members * 10))
        assert sum(slot is not None for slot in slots) == 10

    async def test_a_take_that_is_cancelled_loses_no_slot(self, join: Join) -> None:
        one = join()
        taking = [asyncio.create_task(one.take(now(), 10)) for _ in range(10)]
        await asyncio.sleep(0)
        for task in taking[::2]:
            task.cancel()
        await asyncio.wait(taking)
        await asyncio.sleep(1)
        kept = sum(not task.cancelled() for task in taking)
        assert (await state(one)).taken == kept

    async def test_who_holds_how_many(self, join: Join) -> None:
        one, other = join(), join()
        assert await one.holders(now()) == []
        for priority in (Priority.POLL, Priority.POLL, Priority.CANCEL):
            assert await one.take(now(), 9, priority)
        slot = await other.take(now(), 9, Priority.TRIGGER)
        assert slot
        other.give_back(slot, now(), sent=True)
        for member in (other, one):
            found = await member.holders(now())
            assert sum(sum(each.taken.values()) for each in found) == 4
            assert sum(each.taken.get(Priority.POLL, 0) for each in found) in {0, 2}
            assert all(str(os.getpid()) in each.owner for each in found)

    async def test_a_429_of_one_makes_the_share_of_all_smaller(self, join: Join) -> None:
        one, other = join(), join()
        await take(one, 5)
        await take(other, 5)
        one.hold(now(), now() + 30, 0.5)
        await one.holders(now())
        assert [(await state(each)).share for each in (one, other, join())] == [0.5] * 3
        other.hold(now(), now() + 20, 0.25)
        await other.holders(now())
        assert [(await state(each)).share for each in (one, other, join())] == [0.25] * 3
        await asyncio.sleep(31)
        ended = await state(join())
        assert ended.share == 0.25
        assert ended.held_until == pytest.approx(now() - 1, abs=0.1)
        one.hold(now(), now() + 10, 0.5)
        await one.holders(now())
        assert [(await state(each)).share for each in (one, other, join())] == [0.5] * 3

    async def test_calls_outlive_the_client_that_made_them(self, join: Join) -> None:
        one, other = join(), join()
        one.give_back(await take(one, 1), now(), sent=True)
        del one
        assert await is_full(other, 1)
        assert await is_full(join(), 1)

    async def test_when_to_try_again_is_soon_or_never(self, join: Join) -> None:
        one = join()
        await take(one, 1)
        assert await is_full(one, 1)
        assert one.recheck_in is None or 0 < one.recheck_in <= 1

    @pytest.mark.parametrize("seed", range(10))
    async def test_like_a_list_of_calls(self, join: Join, seed: int) -> None:
        chance = random.Random(seed)
        members = [join() for _ in range(3)]
        in_flight: list[tuple[SharedWindow, Slot]] = []
        over: list[float] = []
        for _ in range(150):
            await asyncio.sleep(chance.choice([0, 0, 0.5, 7]))
            over = [at for at in over if at > now()]
            if in_flight and chance.random() < 0.4:
                member, slot = in_flight.pop(chance.randrange(len(in_flight)))
                sent = chance.random() < 0.7
                member.give_back(slot, now(), sent=sent)
                await member.holders(now())
                over += [now() + OCCUPIED] * sent
                continue
            member, at_most = chance.choice(members), chance.randint(1, 8)
            assert (await state(member)).taken == len(in_flight) + len(over)
            taken = await member.take(now(), at_most)
            assert (taken is not None) == (len(in_flight) + len(over) < at_most)
            if taken is not None:
                in_flight.append((member, taken))
