"""What is due when, and whose turn it is: checked against the obvious, slow way."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge._awaiting.queues import DueQueue, FairQueue

ITEMS = st.integers(0, 8)


def worth_of(item: int, now: float) -> float:
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
def test_an_agenda_is_a_dict_that_knows_its_least(steps: list[tuple[str, Any, Any]]) -> None:
    agenda: DueQueue[int] = DueQueue()
    plain: dict[int, float] = {}
    for what, item, at in steps:
        if what == "set":
            agenda.set(item, at)
            plain[item] = at
        elif what == "discard":
            agenda.discard(item)
            plain.pop(item, None)
        else:
            due = {item: plain.pop(item) for item, when in list(plain.items()) if when <= at}
            taken = list(agenda.pop_due(at))
            assert sorted(taken) == sorted(due)
            assert [due[item] for item in taken] == sorted(due.values())
        assert len(agenda) == len(plain)
        assert agenda.next_at() == min(plain.values(), default=None)


def test_what_is_out_of_date_is_thrown_away() -> None:
    agenda: DueQueue[int] = DueQueue()
    for at in range(10_000):
        agenda.set(at % 3, at)
    assert len(agenda._heap) < 100
    turns: FairQueue[int] = FairQueue(worth_of, random.Random(1))
    for item in range(10_000):
        turns.add(item)
        turns.discard(item)
    assert len(turns._by_age) < 100
    assert len(turns) == 0


def turns_of(worths: dict[int, float], *urgent: int) -> FairQueue[int]:
    turns: FairQueue[int] = FairQueue(lambda item, now: worths[item], random.Random(1))
    for item in worths:
        turns.add(item, urgent=item in urgent)
    return turns


def test_worth_decides_but_for_every_fourth_turn() -> None:
    turns = turns_of({n: float(n) for n in range(10)})
    assert [turns.pop_next(0) for _ in range(10)] == [9, 8, 7, 0, 6, 5, 4, 1, 3, 2]
    assert len(turns) == 0


def test_what_was_never_seen_goes_first_in_order() -> None:
    turns = turns_of({n: float(n) for n in range(6)}, 2, 1)
    turns.discard(5)
    assert [turns.pop_next(0) for _ in range(5)] == [1, 2, 4, 0, 3]


def test_equals_go_in_the_order_in_which_they_came() -> None:
    """With one interval for all, looks go round and round."""
    turns = turns_of(dict.fromkeys(range(500), 1.0))
    assert [turns.pop_next(0) for _ in range(500)] == list(range(500))


def test_to_wait_twice_is_to_wait_once() -> None:
    turns = turns_of({0: 0.0, 1: 0.0})
    turns.add(0)
    turns.discard(0)
    turns.add(0)
    assert 0 in turns
    assert [turns.pop_next(0), turns.pop_next(0)] == [1, 0]


@given(
    others=st.integers(1, 60),
    seed=st.integers(0, 1000),
    worths=st.lists(st.floats(0, 1e9), min_size=61, max_size=61),
)
@settings(derandomize=True)
def test_nobody_starves_whatever_others_are_worth(
    others: int, seed: int, worths: list[float]
) -> None:
    """The bound that the docs state: with n who wait, a turn within 4 n choices."""
    worths[0] = -1.0
    turns: FairQueue[int] = FairQueue(lambda item, now: worths[item], random.Random(seed))
    for item in range(others, -1, -1):
        turns.add(item)
    choices = []
    while 0 not in choices:
        choices.append(turns.pop_next(0))
        turns.add(choices[-1], urgent=True)  # and wants more at once
    assert len(choices) <= 4 * (others + 1)


def test_the_best_of_a_few_drawn_is_nearly_the_best_of_all() -> None:
    worths = {n: float(n) for n in range(2000)}
    turns = turns_of(worths)
    chosen = []
    for _ in range(400):
        item = turns.pop_next(0)
        chosen.append(item)
        turns.add(item)
    by_worth = [item for number, item in enumerate(chosen, 1) if number % 4]
    assert sum(by_worth) / len(by_worth) > 0.9 * 2000


def test_nobody_waits() -> None:
    with pytest.raises(AssertionError):
        FairQueue(worth_of, random.Random(1)).pop_next(0)
