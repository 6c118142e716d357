"""The watcher's two queues, checked against the obvious, slow way."""

from __future__ import annotations

import random
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge._awaiting.queues import DueQueue, FairQueue

ITEMS = st.integers(0, 8)


def value_of(item: int, now: float) -> float:
    return float(item)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("set"), ITEMS, st.floats(0, 100)),
            st.tuples(st.just("discard"), ITEMS, st.none()),
            st.tuples(st.just("due"), st.none(), st.floats(0, 100)),
        ),
        max_size=300,
    )
)
@settings(derandomize=True)
def test_a_due_queue_is_a_dict_that_knows_its_minimum(steps: list[tuple[str, Any, Any]]) -> None:
    queue: DueQueue[int] = DueQueue()
    plain: dict[int, float] = {}
    for what, item, at in steps:
        if what == "set":
            queue.set(item, at)
            plain[item] = at
        elif what == "discard":
            queue.discard(item)
            plain.pop(item, None)
        else:
            due = {item: plain.pop(item) for item, when in list(plain.items()) if when <= at}
            taken = list(queue.pop_due(at))
            assert sorted(taken) == sorted(due)
            assert [due[item] for item in taken] == sorted(due.values())
        assert len(queue) == len(plain)
        assert queue.next_at() == min(plain.values(), default=None)


def test_outdated_entries_are_dropped() -> None:
    by_time: DueQueue[int] = DueQueue()
    for at in range(10_000):
        by_time.set(at % 3, at)
    assert len(by_time._heap) < 100
    by_value: FairQueue[int] = FairQueue(value_of, random.Random(1))
    for item in range(10_000):
        by_value.add(item)
        by_value.discard(item)
    assert len(by_value._by_age) < 100


def test_an_empty_queue_holds_nothing() -> None:
    """A target that is outdated would be held, and its watermark, until somebody waits again."""
    by_time: DueQueue[int] = DueQueue()
    by_value: FairQueue[int] = FairQueue(value_of, random.Random(1))
    for item in range(10):
        by_time.set(item, 5.0)
        by_value.add(item, urgent=True)
    for item in range(10):
        by_time.discard(item)
        by_value.discard(item)
    assert not by_time._heap
    assert not by_value._by_age
    assert not by_value._urgent
    assert len(by_value) == 0


class Wait:
    """What refers to a caller's context."""


def test_what_is_outdated_holds_nothing() -> None:
    """A wait with a deadline hours away would be held until then, while others wait."""
    by_time: DueQueue[Wait] = DueQueue()
    waiting, gone, later = Wait(), Wait(), Wait()
    held = [weakref.ref(gone), weakref.ref(later)]
    by_time.set(waiting, 1.0)
    by_time.set(gone, 9000.0)
    by_time.set(later, 9000.0)
    by_time.set(later, 9.0)
    by_time.discard(gone)
    assert list(by_time.pop_due(10.0)) == [waiting, later]
    del gone, later
    assert [each() for each in held] == [None, None]


def queue_of(values: dict[int, float], *urgent: int) -> FairQueue[int]:
    queue: FairQueue[int] = FairQueue(lambda item, now: values[item], random.Random(1))
    for item in values:
        queue.add(item, urgent=item in urgent)
    return queue


def test_value_decides_but_for_every_fourth_choice() -> None:
    queue = queue_of({n: float(n) for n in range(10)})
    assert [queue.pop_next(0) for _ in range(10)] == [9, 8, 7, 0, 6, 5, 4, 1, 3, 2]
    assert len(queue) == 0


def test_urgent_items_go_first_in_order() -> None:
    queue = queue_of({n: float(n) for n in range(6)}, 2, 1)
    queue.discard(5)
    assert [queue.pop_next(0) for _ in range(5)] == [1, 2, 4, 0, 3]


def test_equals_go_in_the_order_in_which_they_came() -> None:
    """With one interval for all, items go round and round."""
    queue = queue_of(dict.fromkeys(range(500), 1.0))
    assert [queue.pop_next(0) for _ in range(500)] == list(range(500))


def test_adding_twice_is_adding_once() -> None:
    queue = queue_of({0: 0.0, 1: 0.0})
    queue.add(0)
    queue.discard(0)
    queue.add(0)
    assert 0 in queue
    assert [queue.pop_next(0), queue.pop_next(0)] == [1, 0]


@given(
    others=st.integers(1, 60),
    seed=st.integers(0, 1000),
    values=st.lists(st.floats(0, 1e9), min_size=61, max_size=61),
)
@settings(derandomize=True)
def test_nobody_starves_whatever_the_values_of_others(
    others: int, seed: int, values: list[float]
) -> None:
    """The bound that the docs state: with n in the queue, each is taken within 4 n choices."""
    values[0] = -1.0
    queue: FairQueue[int] = FairQueue(lambda item, now: values[item], random.Random(seed))
    for item in range(others, -1, -1):
        queue.add(item)
    choices = []
    while 0 not in choices:
        choices.append(queue.pop_next(0))
        queue.add(choices[-1], urgent=True)  # and wants more at once
    assert len(choices) <= 4 * (others + 1)


def test_the_best_of_a_few_drawn_is_nearly_the_best_of_all() -> None:
    values = {n: float(n) for n in range(2000)}
    queue = queue_of(values)
    chosen = []
    for _ in range(400):
        item = queue.pop_next(0)
        chosen.append(item)
        queue.add(item)
    by_value = [item for number, item in enumerate(chosen, 1) if number % 4]
    assert sum(by_value) / len(by_value) > 0.9 * 2000


def test_an_empty_queue_has_no_next() -> None:
    with pytest.raises(AssertionError):
        FairQueue(value_of, random.Random(1)).pop_next(0)
