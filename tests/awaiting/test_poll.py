"""The record of the polls in flight, and what a poll's failure means to its target."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from hevo_edge import errors
from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.poll import MAX_IN_FLIGHT, Poll, PollsInFlight
from hevo_edge._awaiting.poll_target import PollTarget
from hevo_edge._awaiting.watched_job import WatchedJob
from hevo_edge.models import JobData, Page


class FakeReader:
    """Has so many free slots; answers each read with what it is given, or raises it."""

    def __init__(self, free: int = 0, *answers: JobData | Exception) -> None:
        self.free = free
        self.answers = list(answers)

    async def read_job(
        self, key: tuple[int, str], *, final: bool, on_slot: Callable[[], None]
    ) -> JobData:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def read_page(
        self,
        pipeline_id: int,
        cursor: str | None = None,
        *,
        final: bool,
        on_slot: Callable[[], None],
    ) -> Page[JobData]:
        raise NotImplementedError

    def free_slots(self, *, final: bool) -> int:
        return self.free

    def final_poll_timeout(self, polls: int) -> float:
        return 10.0

    @property
    def window(self) -> float:
        return 60.0

    def spare_calls(self, share: float, own: int) -> float:
        return 0.0


def job(number: int) -> WatchedJob:
    return WatchedJob((number, "job"), 0.0, DurationHistory())


def poll(*targets: PollTarget, is_final: bool = False) -> Poll:
    return Poll(targets, is_final=is_final)


def test_one_poll_waits_for_a_slot_when_there_is_none() -> None:
    in_flight = PollsInFlight(FakeReader(free=0))
    assert in_flight.has_capacity(final=False)
    first = poll(job(1))
    in_flight.add(first)
    assert not in_flight.has_capacity(final=False)
    assert in_flight.has_capacity(final=True), "it waits beside those on schedule"
    assert in_flight.got_slot(first)
    assert not in_flight.got_slot(first), "the second page of a poll has a slot of its own"
    assert in_flight.has_capacity(final=False)


@pytest.mark.parametrize("is_final", [False, True])
def test_no_more_polls_wait_than_there_are_free_slots(is_final: bool) -> None:
    in_flight = PollsInFlight(FakeReader(free=3))
    for number in range(3):
        assert in_flight.has_capacity(final=is_final)
        in_flight.add(poll(job(number), is_final=is_final))
    assert not in_flight.has_capacity(final=is_final)


def test_the_polls_in_flight_are_bounded_and_final_ones_have_room_beside_the_others() -> None:
    in_flight = PollsInFlight(FakeReader(free=10_000))
    for number in range(MAX_IN_FLIGHT):
        assert in_flight.has_capacity(final=False)
        in_flight.add(poll(job(number)))
    assert not in_flight.has_capacity(final=False)
    for number in range(MAX_IN_FLIGHT):
        assert in_flight.has_capacity(final=True)
        in_flight.add(poll(job(number), is_final=True))
    assert not in_flight.has_capacity(final=True)


def test_a_poll_that_is_over_leaves_nothing_behind() -> None:
    in_flight = PollsInFlight(FakeReader())
    target = job(1)
    scheduled, final = poll(target, job(2)), poll(target, is_final=True)
    in_flight.add(scheduled)
    in_flight.add(final)
    in_flight.remove(scheduled)
    assert not in_flight.includes(target, final=False)
    assert in_flight.includes(target, final=True)
    in_flight.remove(final)
    assert not in_flight.includes(target, final=True)
    assert in_flight.has_capacity(final=False)
    assert in_flight.has_capacity(final=True)


async def test_a_poll_is_cancelled_when_its_last_target_is_closed() -> None:
    in_flight = PollsInFlight(FakeReader())
    one, other = job(1), job(2)
    shared = poll(one, other)
    shared.task = asyncio.ensure_future(asyncio.sleep(100))
    in_flight.add(shared)
    assert in_flight.of_task(shared.task) == [shared]
    one.is_closed = True
    assert in_flight.cancel_unneeded(one) == []
    other.is_closed = True
    assert in_flight.cancel_unneeded(other) == [shared.task]
    await asyncio.wait({shared.task})
    assert shared.task.cancelled()


async def test_what_a_failure_means() -> None:
    """Passing: nothing. 404: the seventh in a row, of a Job that was read. Others: the end."""
    target = job(1)
    gone = errors.NotFound("no such Job", status=404)
    broken, refused = errors.ServerError("broken"), errors.AuthenticationError("refused")
    read = JobData(job_id="job", status="IN_PROGRESS")
    reader = FakeReader(0, broken, read, *[gone] * 6, broken, *[gone] * 7, refused)
    results = [await poll(target).run(reader, lambda: None) for _ in range(17)]
    assert results == [*[None] * 15, gone, refused]
    unread = await poll(job(2), is_final=True).run(FakeReader(0, gone), lambda: None)
    assert unread is gone, "nobody has ever read it, and nobody will"
