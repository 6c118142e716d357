"""Progress in a notebook's kernel: one output that is updated."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest

from hevo_edge import HevoClient
from hevo_edge._progress.choice import choose_view
from hevo_edge._progress.notebook import NotebookView
from hevo_edge._progress.plain import PlainView
from hevo_edge.emulator import HevoEmulator
from tests.awaiting.support import fleet


class Handle:
    """What ``display`` returns for an output that can be updated."""

    def __init__(self, outputs: list[dict[str, str]]) -> None:
        self._outputs = outputs

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        assert raw
        self._outputs.append(bundle)


@pytest.fixture
def outputs(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Have a kernel, and return what its one output has shown."""
    shown: list[dict[str, str]] = []

    def display(bundle: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert not shown, "a second output"
        assert raw
        assert display_id
        shown.append(bundle)
        return Handle(shown)

    monkeypatch.setattr("hevo_edge._progress.choice.notebook_view", lambda: NotebookView(display))
    return shown


async def test_one_output_is_updated(
    emulator: HevoEmulator,
    hevo: HevoClient,
    outputs: list[dict[str, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    emulator.add_pipeline(7, name="<b>orders & more</b>").plan(duration=60, appears_after=5)
    job = await hevo.pipeline(7).trigger(progress=True)
    await job.await_completion(progress=True)
    assert any("looking for its Job" in bundle["text/html"] for bundle in outputs)
    assert "started (certain)" not in outputs[-1]["text/html"], "the Job has a line of its own"
    last = outputs[-1]
    assert "COMPLETED" in last["text/html"]
    assert "COMPLETED" in last["text/plain"]
    assert "&lt;b&gt;orders &amp; more&lt;/b&gt;" in last["text/html"]
    assert "<b>" not in last["text/html"]
    assert "Left" not in last["text/html"], "an empty column"
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")


async def test_many_are_counted_and_updates_are_few(
    emulator: HevoEmulator, hevo: HevoClient, outputs: list[dict[str, str]]
) -> None:
    _, jobs = fleet(emulator, hevo, 60, lambda n: 60.0 + n)
    await hevo.await_all(jobs, progress=True)
    assert "60 of 60 waits are over" in outputs[-1]["text/html"]
    assert len(outputs) < 200  # one a second


async def test_an_interrupt_says_what_it_leaves_behind(
    emulator: HevoEmulator, hevo: HevoClient, outputs: list[dict[str, str]]
) -> None:
    _, jobs = fleet(emulator, hevo, 3, lambda _: 5000.0)
    waiting = asyncio.create_task(hevo.await_all(jobs, progress=True))
    await asyncio.sleep(20)
    waiting.cancel()
    await asyncio.wait({waiting})
    for text in outputs[-1].values():
        assert f"goes on in Hevo: {', '.join(job.ref for job in jobs)}" in text


async def test_a_broken_front_end_ends_no_wait(
    emulator: HevoEmulator, hevo: HevoClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def display(*_: Any, **__: Any) -> None:
        raise RuntimeError("the kernel is gone")

    monkeypatch.setattr("hevo_edge._progress.choice.notebook_view", lambda: NotebookView(display))
    job = await hevo.pipeline(123).trigger(progress=True)
    done = await asyncio.wait_for(job.await_completion(progress=True), 3600)
    assert done.is_terminal


def test_ipython_in_a_terminal_is_no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    assert isinstance(choose_view(), PlainView)
