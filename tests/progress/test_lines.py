"""Lines and groups, without a view."""

from __future__ import annotations

import asyncio

import pytest

from hevo_edge import HevoClient
from hevo_edge._progress.display import MAX_OVER, Display
from hevo_edge._progress.lines import Line
from hevo_edge._progress.plain import PlainView
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import now


async def test_the_time_of_what_is_over_stands_still() -> None:
    display = Display()
    group = display.group("waits", 2)
    lines = [Line(1, lambda _: None, now()) for _ in range(2)]
    for line in lines:
        display.begin(line, group)
    await asyncio.sleep(5)
    display.end(lines[0], "COMPLETED")
    await asyncio.sleep(60)
    assert lines[0].elapsed(now()) == pytest.approx(5)
    assert lines[1].elapsed(now()) == pytest.approx(65)
    display.end(lines[1], "COMPLETED")


async def test_what_was_left_counts_in_the_total() -> None:
    display = Display()
    group = display.shared_group("waits")
    lines = [Line(1, lambda _: None, now()) for _ in range(8)]
    for line in lines[:7]:
        display.begin(line, group)
    display.end(lines[0], "no longer awaited", left=True)
    display.begin(lines[7], group)
    assert (group.total, group.left, group.over) == (8, 1, 0)
    for line in lines[1:]:
        display.end(line, "COMPLETED")
    assert group.text(now()).startswith("7 of 8 waits are over, 1 no longer waited for")


async def test_a_view_remembers_nothing_of_what_is_over() -> None:
    display = Display()
    for_ever = Line(1, lambda _: None, now())
    display.begin(for_ever, display.group("waits", 1))
    for _ in range(20):
        group = display.group("waits", 8)
        lines = [Line(1, lambda _: None, now()) for _ in range(8)]
        for line in lines:
            display.begin(line, group)
        for line in lines:
            display.end(line, "COMPLETED")
    view = display._view
    assert isinstance(view, PlainView)
    assert len(view._printed) + len(view._last) <= 1
    assert len(display._groups) <= 1 + MAX_OVER + 1
    display.end(for_ever, "COMPLETED")


async def test_a_display_leaves_nothing_behind(emulator: HevoEmulator, hevo: HevoClient) -> None:
    job = await hevo.pipeline(123).trigger(progress=True)
    await job.await_completion(progress=True)
    await asyncio.sleep(0)
    handles = [each for each in asyncio.get_running_loop()._scheduled if not each.cancelled()]  # type: ignore[attr-defined]
    assert not [each for each in handles if "_progress" in repr(each)]
