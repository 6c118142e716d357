"""One value for each event loop."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest

from hevo_edge import errors
from hevo_edge._common.per_loop import PerLoop, running_loop


async def test_a_value_is_made_on_first_use() -> None:
    values: PerLoop[list[int]] = PerLoop(list)
    assert values.peek() is None
    assert values.all() == []
    first = values.get()
    assert values.get() is values.peek() is first
    assert values.all() == [first]


def test_each_loop_has_its_own_and_those_of_closed_loops_are_dropped() -> None:
    values: PerLoop[object] = PerLoop(object)

    async def get() -> object:
        assert values.peek() is None
        return values.get()

    first = asyncio.run(get())
    second = asyncio.run(get())
    assert first is not second
    assert values.all() == []
    assert len(values._values) == 1


def test_a_loop_that_goes_on_finds_its_value_again() -> None:
    values: PerLoop[object] = PerLoop(object)

    async def get() -> object:
        return values.get()

    one, other = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first = one.run_until_complete(get())
        second = other.run_until_complete(get())
        assert one.run_until_complete(get()) is first
        assert values.all() == [second, first]
    finally:
        one.close()
        other.close()
    assert values.all() == []


def test_two_loops_that_run_at_once_are_refused() -> None:
    values: PerLoop[object] = PerLoop(object)
    is_used, may_end = threading.Event(), threading.Event()

    async def use() -> None:
        values.get()
        is_used.set()
        await asyncio.to_thread(may_end.wait, 10)

    async def use_too() -> None:
        with pytest.raises(errors.HevoError, match="another event loop that is still running"):
            values.get()
        assert values.peek() is None

    thread = threading.Thread(target=lambda: asyncio.run(use()))
    thread.start()
    try:
        assert is_used.wait(10)
        asyncio.run(use_too())
    finally:
        may_end.set()
        thread.join()


# -- forked ----------------------------------------------------------------------------------------


async def test_in_a_forked_child_the_values_of_the_parents_loop_are_refused_and_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values: PerLoop[object] = PerLoop(object)
    first = values.get()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        for _ in range(2):
            with pytest.raises(errors.HevoError, match=r"forked.*worker_process_init"):
                values.get()
        assert values.peek() is None
        assert values.all() == []
    assert values.get() is first


async def test_in_a_forked_child_those_of_closed_loops_are_no_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values: PerLoop[object] = PerLoop(object)

    async def get() -> object:
        return values.get()

    first = await asyncio.to_thread(lambda: asyncio.run(get()))
    monkeypatch.setattr(os, "getpid", lambda: -1)
    second = values.get()
    assert second is not first
    assert values.peek() is second
    assert values.all() == [second]


def test_without_a_loop_it_says_what_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    values: PerLoop[object] = PerLoop(object)
    for use in (values.get, values.peek, running_loop):
        with pytest.raises(errors.ConfigurationError, match="hevo_edge needs asyncio") as raised:
            use()
        assert "forked" not in str(raised.value)
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(errors.ConfigurationError, match="forked.*asyncio.run"):
        running_loop()


async def test_a_value_that_cannot_be_made_is_made_at_the_next_use() -> None:
    made: list[int] = []

    def make() -> int:
        made.append(1)
        if len(made) == 1:
            raise KeyError
        return 5

    values = PerLoop(make)
    with pytest.raises(KeyError):
        values.get()
    assert values.get() == 5
